#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/quantctl/commands.h"
#include "core/base/status_macros.h"

namespace quantd::client {
namespace {

absl::Status Health(const std::string& service, Client& client, const Terminal& terminal) {
  ASSIGN_OR_RETURN(const HealthStatus health, client.CheckHealth(service));
  terminal.output << HealthStatusName(health) << "\n";
  if (health != HealthStatus::kServing) {
    return absl::UnavailableError(
        absl::StrCat(service.empty() ? "the server" : service,
                     " is not serving; expected SERVING: wait until it has started, or use another "
                     "server"));
  }
  return absl::OkStatus();
}

}  // namespace

void AddHealthCommand(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand(
      "health", "Prints the server's health; the exit code is 0 if it is SERVING and 1 otherwise");
  const auto service = std::make_shared<std::string>();
  command
      ->add_option("--service", *service,
                   "Full name of a service, such as quantd.v1.QuantizationService. Default: the "
                   "whole server")
      ->type_name("NAME");
  command->callback([service, chosen] {
    *chosen = CommandOf([service](Client& client, const Terminal& terminal) {
      return Health(*service, client, terminal);
    });
  });
}

}  // namespace quantd::client
