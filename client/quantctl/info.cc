#include <algorithm>
#include <iomanip>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/quantctl/commands.h"
#include "client/quantctl/printable.h"
#include "client/quantctl/report.h"
#include "core/base/status_macros.h"

namespace quantd::client {
namespace {

// As wide as the longest name and two spaces.
constexpr int kNumericsWidth = 37;

Json ToJson(const MethodSupport& support) {
  return {{"method", support.method},
          {"numerics", support.numerics},
          {"parameters", support.parameters},
          {"input_types", support.input_types},
          {"output_types", support.output_types}};
}

// Returns a name of the schema as options and people write it: "scale per channel".
std::string Readable(const std::string& name, const std::string& separator) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(name), {{"_", separator}, {"affine", "scale"}});
}

std::string Readable(const std::vector<std::string>& names) {
  return absl::StrJoin(names, ", ", [](std::string* text, const std::string& name) {
    text->append(Readable(name, " "));
  });
}

// Prints what each method takes with each numerics.
void PrintMethods(const std::vector<MethodSupport>& methods, std::ostream& output) {
  std::string method;
  for (const MethodSupport& support : methods) {
    if (support.method != method) {
      method = support.method;
      output << "\n" << Printable(method) << "\n";
    }
    output << "  " << std::left << std::setw(kNumericsWidth)
           << Printable(Readable(support.numerics, "-")) << std::right
           << Printable(Readable(support.parameters)) << "\n"
           << std::string(2 + kNumericsWidth, ' ') << Printable(Readable(support.input_types));
    if (support.output_types != support.input_types) {
      output << " to " << Printable(Readable(support.output_types));
    }
    output << "\n";
  }
}

void Print(const ServerInfo& info, bool json, std::ostream& output) {
  if (json) {
    std::vector<Json> methods;
    std::ranges::transform(info.methods, std::back_inserter(methods),
                           [](const MethodSupport& support) { return ToJson(support); });
    PrintJson({{"version", info.version},
               {"simd_target", info.simd_target},
               {"supported_simd_targets", info.supported_simd_targets},
               {"data_types", info.data_types},
               {"max_message_bytes", info.max_message_bytes},
               {"max_in_flight_bytes", info.max_in_flight_bytes},
               {"worker_threads", info.worker_threads},
               {"shared_memory_socket", info.shared_memory_socket},
               {"methods", methods}},
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
  PrintMethods(info.methods, output);
}

}  // namespace

void AddInfoCommand(CLI::App& app, Command* chosen) {
  CLI::App* command =
      app.add_subcommand("info",
                         "Prints the server's version, instruction set and limits, and "
                         "which numerics, parameters and types each method takes");
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
