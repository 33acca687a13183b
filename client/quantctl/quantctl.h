// quantctl, the command line of quantd's client.

#ifndef QUANTD_CLIENT_QUANTCTL_QUANTCTL_H_
#define QUANTD_CLIENT_QUANTCTL_QUANTCTL_H_

#include <string>

#include "client/quantctl/terminal.h"

namespace quantd::client {

inline constexpr int kExitSuccess = 0;
// A call failed, or a file could not be read or written.
inline constexpr int kExitFailure = 1;
// The command line is invalid; nothing was done.
inline constexpr int kExitUsage = 2;
// A load test ran, but its result is not good enough: see `quantctl bench`.
inline constexpr int kExitNotGoodEnough = 3;

// What main() finds in the environment, besides the variables that the help lists.
struct UserEnvironment {
  // See ReadConfigurationFile().
  std::string configuration_file = {};
  bool needs_configuration_file = false;
  // See ClientOptions.
  std::string proxy = {};
};

// Runs the command that main()'s arguments ask for and returns the exit code.
// Reads the environment variables QUANTCTL_… that the help lists.
int RunQuantctl(int argc, const char* const* argv, const UserEnvironment& environment,
                const Terminal& terminal);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_QUANTCTL_H_
