// Reads the settings from the command line, and puts them together with those of the
// environment and of the configuration file.

#ifndef QUANTD_SERVER_SETTINGS_COMMAND_LINE_H_
#define QUANTD_SERVER_SETTINGS_COMMAND_LINE_H_

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/settings/default_limits.h"
#include "server/settings/environment.h"
#include "server/settings/machine_resources.h"
#include "server/settings/options.h"

namespace quantd::server {

struct CommandLine {
  Options options;
  LimitSources limit_sources;
  // Sentences about what is probably not what was meant, but does not keep the server
  // from serving.
  std::vector<std::string> warnings;
  // What to print instead of serving, for --help, --version, --check-config,
  // --completion and --manual-page.
  std::optional<std::string> answer;
};

// Reads the settings from three sources: `arguments` (without the program's name),
// `environment` (variables named QUANTD_ and the flag's name in capitals), and the
// TOML file that either of them names as the configuration file. The command line
// overrides the environment, which overrides the file, which overrides the defaults
// that fit `machine`. What is overridden does not need to be valid, except that the
// file has to be TOML with known settings.
//
// Errors: kInvalidArgument, with a message that names the flag, the variable, or the
// place in the file at fault and says how to fix it.
absl::StatusOr<CommandLine> ParseCommandLine(std::span<const std::string> arguments,
                                             const Environment& environment,
                                             const MachineResources& machine);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SETTINGS_COMMAND_LINE_H_
