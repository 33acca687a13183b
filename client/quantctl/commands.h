// The commands of quantctl, one file each.

#ifndef QUANTD_CLIENT_QUANTCTL_COMMANDS_H_
#define QUANTD_CLIENT_QUANTCTL_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/library/client.h"
#include "client/quantctl/terminal.h"

namespace quantd::client {

// A command whose options are read, ready to run against a server. Returns the
// exit code, or why it failed.
using Command =
    std::function<absl::StatusOr<int>(const ClientOptions& server, const Terminal& terminal)>;

// A command that needs a client, and has done all that it should where `run` has
// not failed.
Command CommandOf(std::function<absl::Status(Client& client, const Terminal& terminal)> run);

// Each adds one subcommand to `app`. While `app` parses a command line that
// chooses it, it sets `*chosen`, or throws CLI::ParseError for options that
// don't go together. `chosen` must outlive `app`.
void AddFakeQuantCommand(CLI::App& app, Command* chosen);
void AddGradientCommand(CLI::App& app, Command* chosen);
void AddTrainRangeCommand(CLI::App& app, Command* chosen);
void AddInfoCommand(CLI::App& app, Command* chosen);
void AddHealthCommand(CLI::App& app, Command* chosen);
void AddBenchCommand(CLI::App& app, Command* chosen);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_COMMANDS_H_
