#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/quantctl/commands.h"
#include "client/quantctl/report.h"
#include "core/base/status_macros.h"

namespace quantd::client {
namespace {

void Print(const ServerInfo& info, bool json, std::ostream& output) {
  if (json) {
    PrintJson({{"version", info.version},
               {"simd_target", info.simd_target},
               {"supported_simd_targets", info.supported_simd_targets},
               {"data_types", info.data_types},
               {"max_message_bytes", info.max_message_bytes},
               {"max_in_flight_bytes", info.max_in_flight_bytes},
               {"worker_threads", info.worker_threads},
               {"shared_memory_socket", info.shared_memory_socket}},
              output);
    return;
  }
  PrintFact("version", info.version, output);
  PrintFact("SIMD target",
            absl::StrCat(info.simd_target, " (of ",
                         absl::StrJoin(info.supported_simd_targets, ", "), ")"),
            output);
  PrintFact("data types", absl::StrJoin(info.data_types, ", "), output);
  PrintFact("largest message", absl::StrCat(info.max_message_bytes, " bytes"), output);
  PrintFact("most in flight", absl::StrCat(info.max_in_flight_bytes, " bytes"), output);
  PrintFact("worker threads", absl::StrCat(info.worker_threads), output);
  PrintFact("shared memory",
            info.shared_memory_socket.empty() ? "not offered" : info.shared_memory_socket, output);
}

}  // namespace

void AddInfoCommand(CLI::App& app, Command* chosen) {
  CLI::App* command =
      app.add_subcommand("info", "Prints the server's version, instruction set and limits");
  const auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print one JSON object");
  command->callback([json, chosen] {
    *chosen = CommandOf([json](Client& client, const Terminal& terminal) -> absl::Status {
      ASSIGN_OR_RETURN(const ServerInfo info, client.GetServerInfo());
      Print(info, *json, terminal.output);
      return absl::OkStatus();
    });
  });
}

}  // namespace quantd::client
