// quantctl, the command line of quantd's client.

#ifndef QUANTD_CLIENT_QUANTCTL_QUANTCTL_H_
#define QUANTD_CLIENT_QUANTCTL_QUANTCTL_H_

#include "client/quantctl/terminal.h"

namespace quantd::client {

inline constexpr int kExitSuccess = 0;
// A call failed, or a file could not be read or written.
inline constexpr int kExitFailure = 1;
// The command line is invalid; nothing was done.
inline constexpr int kExitUsage = 2;
// A load test ran, but its result is not good enough: see `quantctl bench`.
inline constexpr int kExitNotGoodEnough = 3;

// Runs the command that main()'s arguments ask for and returns the exit code.
// Reads QUANTCTL_SERVER and QUANTCTL_TIMEOUT from the environment.
int RunQuantctl(int argc, const char* const* argv, const Terminal& terminal);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_QUANTCTL_H_
