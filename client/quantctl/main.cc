#include <unistd.h>

#include <iostream>

#include "client/quantctl/quantctl.h"

int main(int argc, char** argv) {
  return quantd::client::RunQuantctl(
      argc, argv,
      {.output = std::cout, .error = std::cerr, .error_is_watched = ::isatty(STDERR_FILENO) == 1});
}
