#include "server/settings/manual_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "version.h"

namespace quantd::server {

command_line::ManualText MakeManualText(std::span<const std::string> variables) {
  return {
      .summary = "serve TensorFlow's fake quantization over gRPC",
      .version = std::string(kVersion),
      .environment =
          {{.tag = absl::StrJoin(variables, ", "),
            .text = "Stand for the flags of these names where those are not given; lists have "
                    "commas between."},
           {.tag = "QUANTD_CONFIG", .text = "Stands for --config where that is not given."},
           {.tag = "NOTIFY_SOCKET",
            .text = "A unix socket, which systemd sets, on which it is told when the server serves "
                    "and when it begins to stop."}},
      .sections = {
          {.title = "SIGNALS",
           .entries = {{.tag = "SIGTERM, SIGINT",
                        .text = "The health turns NOT_SERVING, new calls are refused, and running "
                                "ones are answered within --drain-timeout. A second signal ends "
                                "the server at once."}}},
          {.title = "EXIT STATUS",
           .entries = {{.tag = "0", .text = "The server was told to stop and finished its calls."},
                       {.tag = "1",
                        .text = "It cannot serve, or calls still ran after --drain-timeout."},
                       {.tag = "2", .text = "A flag, variable or configuration file is wrong."}}},
          {.title = "FILES",
           .entries = {{.tag = "/etc/quantd/quantd.toml",
                        .text = "The settings of the system's service, quantd.service."},
                       {.tag = "/etc/default/quantd",
                        .text = "Environment variables of the system's service, one NAME=VALUE a "
                                "line, if the file is there."}}},
          {.title = "EXAMPLES",
           .entries = {{.tag = "quantd --listen localhost:50051 --listen unix:/run/quantd.sock",
                        .text = "Serves on a port and on a unix socket."},
                       {.tag = "quantd --log-level debug --log-format json",
                        .text = "Logs every call as a line of JSON."},
                       {.tag = "quantd --config quantd.toml --check-config",
                        .text = "Prints the settings that would be in effect, in the form of a "
                                "configuration file."},
                       {.tag = "source <(quantd --completion bash)",
                        .text = "Completes the flags in this shell."}}},
          {.title = "SEE ALSO", .entries = {{.tag = "", .text = "quantctl(1)"}}},
      }};
}

}  // namespace quantd::server
