#include "client/quantctl/quantctl.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/library/client.h"
#include "client/quantctl/commands.h"
#include "client/quantctl/connection_options.h"
#include "client/quantctl/manual_text.h"
#include "client/quantctl/printable.h"
#include "command_line/documentation_flags.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"
#include "version.h"

namespace quantd::client {
namespace {

std::string VersionLine() {
  return absl::StrCat("quantctl ", core::ToAbsl(kVersion), " (", core::ToAbsl(kRevision), ")");
}

// Handles an invalid command line, or one that asks for help, the version or the
// documentation. Returns the exit code.
int ReportParseEnd(const CLI::App& app, const CLI::ParseError& end, const Terminal& terminal) {
  if (end.get_name() == "CallForVersion") {
    terminal.output << VersionLine() << "\n";
    return kExitSuccess;
  }
  if (dynamic_cast<const command_line::CallForDocumentation*>(&end) != nullptr) {
    terminal.output << end.what();
    return kExitSuccess;
  }
  if (end.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    app.exit(end, terminal.output, terminal.error);  // Prints the help.
    return kExitSuccess;
  }
  terminal.error << "quantctl: " << end.what() << "\n";
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  terminal.error << "Run \"quantctl " << (chosen.empty() ? "" : chosen.front()->get_name() + " ")
                 << "--help\" for the options.\n";
  return kExitUsage;
}

void ReportFailure(const absl::Status& status, const Terminal& terminal) {
  terminal.error << "quantctl: " << absl::StatusCodeToString(status.code());
  const std::optional<core::ErrorDetail> detail = core::GetErrorDetail(status);
  if (detail.has_value()) {
    terminal.error << " (" << Printable(detail->reason) << ")";
    if (!detail->field.empty()) {
      terminal.error << " at " << Printable(detail->field);
    }
  }
  terminal.error << ": " << Printable(std::string(status.message())) << "\n";
}

absl::StatusOr<int> RunCommand(const Command& command, const ClientOptions& options,
                               const Terminal& terminal) {
  absl::StatusOr<int> exit_code = command(options, terminal);
  terminal.output.flush();
  if (exit_code.ok() && !terminal.output) {
    return absl::DataLossError("cannot write the results to the standard output");
  }
  return exit_code;
}

int ReportWrongUsage(const absl::Status& status, const Terminal& terminal) {
  terminal.error << "quantctl: " << status.message()
                 << "\nRun \"quantctl --help\" for the options.\n";
  return kExitUsage;
}

}  // namespace

Command CommandOf(std::function<absl::Status(Client& client, const Terminal& terminal)> run) {
  return [run = std::move(run)](const ClientOptions& server,
                                const Terminal& terminal) -> absl::StatusOr<int> {
    ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Connect(server));
    RETURN_IF_ERROR(run(*client, terminal));
    return kExitSuccess;
  };
}

int RunQuantctl(int argc, const char* const* argv, const UserEnvironment& environment,
                const Terminal& terminal) {
  CLI::App app(
      "Quantizes tensors in .npy files with quantd, bit for bit as the framework that --numerics "
      "names.\n"
      "Exit codes: 0 success, 1 a call failed or a file could not be read or written, 2 wrong "
      "usage, 3 the result of a load test is not good enough.",
      "quantctl");
  ConnectionOptions options;
  Command command;
  AddConnectionOptions(app, options);
  app.set_version_flag("--version", VersionLine(), "Print the version and exit");
  command_line::AddDocumentationFlags(app, MakeManualText());
  AddFakeQuantCommand(app, &command);
  AddGradientCommand(app, &command);
  AddQuantizeCommand(app, &command);
  AddDequantizeCommand(app, &command);
  AddTrainRangeCommand(app, &command);
  AddInfoCommand(app, &command);
  AddHealthCommand(app, &command);
  AddBenchCommand(app, &command);
  app.require_subcommand(1);
  for (CLI::App* subcommand : app.get_subcommands(nullptr)) {
    subcommand->fallthrough();  // --server may also follow the command.
  }
  if (const absl::Status status = ReadConfigurationFile(environment.configuration_file,
                                                        environment.needs_configuration_file, app);
      !status.ok()) {
    return ReportWrongUsage(status, terminal);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& end) {
    return ReportParseEnd(app, end, terminal);
  }
  const absl::StatusOr<ClientOptions> client_options =
      MakeClientOptions(options, environment.proxy);
  if (!client_options.ok()) {
    return ReportWrongUsage(client_options.status(), terminal);
  }
  const absl::StatusOr<int> exit_code = RunCommand(command, *client_options, terminal);
  if (!exit_code.ok()) {
    ReportFailure(exit_code.status(), terminal);
    return kExitFailure;
  }
  return *exit_code;
}

}  // namespace quantd::client
