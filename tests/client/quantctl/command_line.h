// Runs quantctl within a test.

#ifndef QUANTD_TESTS_CLIENT_QUANTCTL_COMMAND_LINE_H_
#define QUANTD_TESTS_CLIENT_QUANTCTL_COMMAND_LINE_H_

#include <sstream>
#include <string>
#include <vector>

#include "client/quantctl/interruption.h"
#include "client/quantctl/quantctl.h"

namespace quantd::client {

struct CommandLineSetting {
  // Whether the error stream counts as a terminal, where progress is shown.
  bool is_watched = false;
  Interruption* interruption = nullptr;
  UserEnvironment environment = {};
};

struct CommandLineResult {
  int exit_code;
  std::string output;
  std::string error;
};

inline CommandLineResult RunCommandLine(const std::vector<std::string>& arguments,
                                        const CommandLineSetting& setting = {}) {
  std::vector<const char*> argv = {"quantctl"};
  for (const std::string& argument : arguments) {
    argv.push_back(argument.c_str());
  }
  std::ostringstream output;
  std::ostringstream error;
  const int exit_code = RunQuantctl(static_cast<int>(argv.size()), argv.data(), setting.environment,
                                    {.output = output,
                                     .error = error,
                                     .error_is_watched = setting.is_watched,
                                     .interruption = setting.interruption});
  return {.exit_code = exit_code, .output = output.str(), .error = error.str()};
}

}  // namespace quantd::client

#endif  // QUANTD_TESTS_CLIENT_QUANTCTL_COMMAND_LINE_H_
