#include <unistd.h>

#include <iostream>

#include "client/quantctl/quantctl.h"
#include "wire/transport.h"

int main(int argc, char** argv) {
  quantd::wire::DisableLockChecks();
  return quantd::client::RunQuantctl(
      argc, argv,
      {.output = std::cout, .error = std::cerr, .error_is_watched = ::isatty(STDERR_FILENO) == 1});
}
