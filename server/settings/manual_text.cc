#include "server/settings/manual_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "version.h"

namespace quantd::server {

command_line::ManualText MakeManualText(std::span<const std::string> variables) {
  return {
      .summary = "quantize tensors over gRPC, with the arithmetic of a named framework",
      .version = std::string(kVersion),
      .environment =
          {{.tag = absl::StrJoin(variables, ", "),
            .text = "Set the flags of these names unless the command line does. The items of a "
                    "list are separated by commas. An empty variable is the same as none, except "
                    "for flags that say what empty means."},
           {.tag = "QUANTD_CONFIG", .text = "Sets --config unless the command line does."},
           {.tag = "NOTIFY_SOCKET",
            .text = "A unix socket, set by systemd, on which the server reports that it is ready "
                    "and that it is stopping."}},
      .sections = {
          {.title = "SIGNALS",
           .entries = {{.tag = "SIGTERM, SIGINT",
                        .text = "The server shuts down. Health changes to NOT_SERVING, new calls "
                                "are refused, and running calls have --drain-timeout to finish. A "
                                "second signal ends the server at once."},
                       {.tag = "SIGHUP",
                        .text = "The server reopens --log-file and reads --log-level again, from "
                                "the configuration file and the environment that it was started "
                                "with. An invalid file is reported in the log and changes "
                                "nothing."}}},
          {.title = "EXIT STATUS",
           .entries = {{.tag = "0", .text = "The server was stopped and finished its calls."},
                       {.tag = "1",
                        .text = "The server could not start, or calls were still running after "
                                "--drain-timeout."},
                       {.tag = "2",
                        .text = "A flag, environment variable or configuration file is invalid."}}},
          {.title = "FILES",
           .entries = {{.tag = "/etc/quantd/quantd.toml",
                        .text = "The settings of the system service, quantd.service."},
                       {.tag = "/etc/default/quantd",
                        .text = "Environment variables of the system service, one NAME=VALUE per "
                                "line. The file is optional."}}},
          {.title = "EXAMPLES",
           .entries = {{.tag = "quantd --listen localhost:50051 --listen unix:/run/quantd.sock",
                        .text = "Serves on a port and on a unix socket."},
                       {.tag = "quantd --log-level debug --log-format json",
                        .text = "Logs each call as a line of JSON."},
                       {.tag = "quantd --config quantd.toml --check-config",
                        .text = "Prints the settings that would be in effect, as a configuration "
                                "file."},
                       {.tag = "source <(quantd --completion bash)",
                        .text = "Enables completion of the flags in the current shell."}}},
          {.title = "SEE ALSO", .entries = {{.tag = "", .text = "quantctl(1)"}}},
      }};
}

}  // namespace quantd::server
