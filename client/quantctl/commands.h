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

// A command whose options are parsed, ready to run against a server. Returns the
// exit code, or the error that made it fail.
using Command =
    std::function<absl::StatusOr<int>(const ClientOptions& server, const Terminal& terminal)>;

// Makes a command from a function that needs a client. The command succeeds if
// `run` does.
Command CommandOf(std::function<absl::Status(Client& client, const Terminal& terminal)> run);

// Each function adds one subcommand to `app`. When `app` parses a command line with
// that subcommand, `*chosen` is set, or CLI::ParseError is thrown if the options
// contradict each other. `chosen` must outlive `app`.
void AddFakeQuantCommand(CLI::App& app, Command* chosen);
void AddGradientCommand(CLI::App& app, Command* chosen);
void AddQuantizeCommand(CLI::App& app, Command* chosen);
void AddDequantizeCommand(CLI::App& app, Command* chosen);
void AddTrainRangeCommand(CLI::App& app, Command* chosen);
void AddInfoCommand(CLI::App& app, Command* chosen);
void AddHealthCommand(CLI::App& app, Command* chosen);
void AddBenchCommand(CLI::App& app, Command* chosen);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_COMMANDS_H_
