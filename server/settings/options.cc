#include "server/settings/options.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status_macros.h"
#include "core/simd_target.h"
#include "server/address.h"
#include "server/settings/option_values.h"

namespace quantd::server {
namespace {

// A flag with one value, which `parse` reads into `member` and `format` writes.
template <typename T, typename Parse, typename Format>
Setting ValueSetting(Setting::Kind kind, std::string_view name, const std::string& value_name,
                     const std::string& description, T Options::*member, Parse parse,
                     Format format) {
  return {.name = std::string(name),
          .value_name = value_name,
          .description = description,
          .kind = kind,
          .set = [member, parse](const Values& values, Options& options) -> absl::Status {
            ASSIGN_OR_RETURN(options.*member, parse(values.front()));
            return absl::OkStatus();
          },
          .get = [member, format](const Options& options) -> Values {
            return {format(options.*member)};
          }};
}

// A flag whose value is a text that `parse` checks, and which may be empty.
template <typename Parse>
Setting TextSetting(const std::string& name, const std::string& value_name,
                    const std::string& description, std::string Options::*member, Parse parse) {
  Setting setting = ValueSetting(Setting::Kind::kText, name, value_name, description, member, parse,
                                 [](const std::string& text) { return text; });
  setting.may_be_empty = true;
  return setting;
}

// A file that says who may call. An empty environment variable is the same as none, so that it does
// not open what the configuration file has closed.
Setting SecurityFileSetting(std::string_view name, const std::string& description,
                            std::string Options::*member) {
  return ValueSetting(
      Setting::Kind::kText, name, "FILE", description, member,
      [](const std::string& path) -> absl::StatusOr<std::string> { return path; },
      [](const std::string& path) { return path; });
}

Setting SizeSetting(std::string_view name, const std::string& description,
                    std::uint64_t Options::*member,
                    absl::StatusOr<std::uint64_t> (*parse)(std::string_view)) {
  return ValueSetting(Setting::Kind::kSize, name, "SIZE", description, member, parse,
                      FormatByteSize);
}

Setting NumberSetting(std::string_view name, const std::string& description,
                      std::size_t Options::*member,
                      absl::StatusOr<std::size_t> (*parse)(const std::string&)) {
  return ValueSetting(Setting::Kind::kNumber, name, "N", description, member, parse,
                      [](std::size_t number) { return std::to_string(number); });
}

Setting DurationSetting(std::string_view name, const std::string& description,
                        std::chrono::milliseconds Options::*member) {
  return ValueSetting(Setting::Kind::kDuration, name, "DURATION", description, member,
                      ParseDuration, FormatDuration);
}

// A setting whose default is the machine's. The description says how it is chosen.
Setting WithDefaultOfMachine(Setting setting) {
  setting.has_same_default_everywhere = false;
  return setting;
}

// Whether a path can be opened shows when it is.
absl::StatusOr<std::string> ParsePath(const std::string& text) { return text; }

absl::StatusOr<std::string> ParseMetricsAddress(const std::string& text) {
  if (!text.empty()) {
    RETURN_IF_ERROR(ParseNetworkAddress(text).status());
  }
  return text;
}

absl::StatusOr<std::string> ParseSimdTarget(const std::string& text) {
  const std::vector<std::string> targets = core::SupportedSimdTargets();
  if (!text.empty() && std::ranges::find(targets, text) == targets.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not an instruction set of this machine; expected one of ",
                     absl::StrJoin(targets, ", "), ", or nothing for the best"));
  }
  return text;
}

absl::StatusOr<std::size_t> ParseWorkerThreads(const std::string& text) {
  return ParseWholeNumber(text, 1, kMaxWorkerThreads);
}

absl::StatusOr<std::size_t> ParseConnections(const std::string& text) {
  return ParseWholeNumber(text, 0, kMaxConnections);
}

absl::StatusOr<std::size_t> ParseStreams(const std::string& text) {
  return ParseWholeNumber(text, 1, kMaxStreamsPerConnection);
}

absl::StatusOr<std::optional<mode_t>> ParseUnixSocketMode(const std::string& text) {
  if (text.empty()) {
    return std::optional<mode_t>();
  }
  ASSIGN_OR_RETURN(const mode_t mode, ParsePermissions(text));
  return std::optional(mode);
}

std::string FormatUnixSocketMode(const std::optional<mode_t>& mode) {
  return mode.has_value() ? FormatPermissions(*mode) : "";
}

absl::StatusOr<std::uint64_t> ParseMaxMessageBytes(std::string_view text) {
  ASSIGN_OR_RETURN(const std::uint64_t bytes, ParseByteSize(text));
  if (bytes == 0) {
    return absl::InvalidArgumentError("'0' leaves no room for a message; expected at least 1");
  }
  if (bytes > kMaxMaxMessageBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(FormatByteSize(bytes), " is too much; expected at most ",
                     FormatByteSize(kMaxMaxMessageBytes), ": send larger tensors in parts"));
  }
  return bytes;
}

Setting ListenSetting() {
  return {
      .name = "listen",
      .value_name = "HOST:PORT|unix:PATH",
      .description = "Where to serve gRPC; may be given several times. Port 0 picks a free port",
      .kind = Setting::Kind::kList,
      .set = [](const Values& values, Options& options) -> absl::Status {
        if (values.empty()) {
          return absl::InvalidArgumentError(
              "the list is empty; expected at least one address, such as localhost:50051");
        }
        for (const std::string& address : values) {
          RETURN_IF_ERROR(CheckListenAddress(address));
        }
        options.listen = values;
        return absl::OkStatus();
      },
      .get = [](const Options& options) -> Values { return options.listen; }};
}

// A flag whose value is one of `names`, which are in the order of the
// enumerators.
template <typename Enum, std::size_t kCount>
Setting ChoiceSetting(std::string_view name, const std::string& description, Enum Options::*member,
                      const std::array<std::string_view, kCount>& names) {
  const std::string choices(absl::StrJoin(
      names, "|", [](std::string* out, std::string_view choice) { out->append(choice); }));
  const auto parse = [names, choices](const std::string& text) -> absl::StatusOr<Enum> {
    const auto found = std::ranges::find(names, std::string_view(text));
    if (found == names.end()) {
      return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not one of ", choices));
    }
    return static_cast<Enum>(found - names.begin());
  };
  const auto format = [names](Enum value) {
    return std::string(names[static_cast<std::size_t>(value)]);
  };
  return ValueSetting(Setting::Kind::kText, name, choices, description, member, parse, format);
}

Setting WorkerThreadsSetting() {
  return WithDefaultOfMachine(NumberSetting(
      kWorkerThreadsName,
      "Number of threads that compute; by default one per processor that the process and the CPU "
      "quota of its cgroup allow",
      &Options::worker_threads, ParseWorkerThreads));
}

Setting UnixSocketModeSetting() {
  Setting setting =
      ValueSetting(Setting::Kind::kText, "unix-socket-mode", "OCTAL",
                   "The permissions of unix sockets, such as 660; empty: what the umask allows",
                   &Options::unix_socket_mode, ParseUnixSocketMode, FormatUnixSocketMode);
  setting.may_be_empty = true;
  return setting;
}

Setting SwitchSetting(const std::string& name, const std::string& description,
                      bool Options::*member) {
  return {.name = name,
          .value_name = "",
          .description = description,
          .kind = Setting::Kind::kSwitch,
          .set = [member](const Values& values, Options& options) -> absl::Status {
            return absl::SimpleAtob(values.front(), &(options.*member))
                       ? absl::OkStatus()
                       : absl::InvalidArgumentError(
                             absl::StrCat("'", values.front(), "' is not one of true|false"));
          },
          .get = [member](const Options& options) -> Values {
            return {options.*member ? "true" : "false"};
          }};
}

std::vector<Setting> MakeSettings() {
  return {
      ListenSetting(),
      TextSetting("metrics-listen", "HOST:PORT",
                  "Where to serve metrics over HTTP, on /metrics; empty: metrics are not served",
                  &Options::metrics_listen, ParseMetricsAddress),
      SecurityFileSetting(
          "tls-cert",
          "The certificate that network clients are shown, in PEM, followed by those that "
          "connect it with a root; read again when it changes. Empty: no TLS",
          &Options::tls_cert),
      SecurityFileSetting(
          "tls-key",
          "The private key of --tls-cert, in PEM without a passphrase; read again when it "
          "changes",
          &Options::tls_key),
      SecurityFileSetting(
          "tls-client-ca",
          "The certificates, in PEM, that sign those of clients; read again when they change. "
          "Empty: clients need no certificate",
          &Options::tls_client_ca),
      SwitchSetting("insecure",
                    "Whether to listen without TLS on addresses that other machines reach, because "
                    "something in front encrypts",
                    &Options::insecure),
      SecurityFileSetting(
          "token-file",
          "The bearer tokens that are accepted: a name and a SHA-256 on each line; read again "
          "when it changes. Empty: no token is asked for",
          &Options::token_file),
      SecurityFileSetting(
          "policy-file",
          "Who may call what, in TOML; read again when it changes. Empty: whoever shows a "
          "token, a client certificate or a unix socket may do everything",
          &Options::policy_file),
      SwitchSetting(
          "metrics-secure",
          "Whether the metrics page asks for what calls ask for: TLS, certificate and token",
          &Options::metrics_secure),
      WorkerThreadsSetting(),
      WithDefaultOfMachine(SizeSetting(
          kMemoryLimitName,
          "How much memory the process may use; the defaults of the limits below follow from it. "
          "By default the limit of its cgroup, or the machine's memory. 0: no limit",
          &Options::memory_limit, ParseByteSize)),
      WithDefaultOfMachine(SizeSetting(
          kMaxMessageBytesName,
          "The largest request message to accept, such as 64MiB or 1GiB; at most 1GiB. By default "
          "256MiB, or --max-in-flight-bytes if that is less",
          &Options::max_message_bytes, ParseMaxMessageBytes)),
      WithDefaultOfMachine(
          SizeSetting(kMaxInFlightBytesName,
                      "The most memory for requests and their answers at once; requests beyond "
                      "wait. By default "
                      "1GiB, or what --memory-limit leaves after 214MiB, but at least 16MiB",
                      &Options::max_in_flight_bytes, ParseByteSize)),
      DurationSetting("max-wait",
                      "How long a request waits for room within --max-in-flight-bytes before it is "
                      "refused, such as 10s; 0: not at all",
                      &Options::max_wait),
      DurationSetting("max-stall",
                      "How long a client may leave an answer unread while requests wait for room "
                      "before its call is cut off, such as 10s",
                      &Options::max_stall),
      DurationSetting(
          "drain-timeout",
          "How long running calls may take once the server is told to stop, such as 30s",
          &Options::drain_timeout),
      DurationSetting(
          "max-connection-age",
          "The age at which clients are asked to reconnect, so that they find servers that "
          "were added; running calls are not affected. 0: no limit",
          &Options::max_connection_age),
      DurationSetting(
          "max-connection-idle",
          "How long a connection may be without calls until it is closed, which fails a "
          "call that arrives at that moment. 0: no limit",
          &Options::max_connection_idle),
      NumberSetting("max-connections",
                    "The most connections at once; more are closed at once. 0: what the limit for "
                    "open files permits, at most 10000",
                    &Options::max_connections, ParseConnections),
      NumberSetting("max-connections-per-peer",
                    "The most connections at once of one IPv4 address, of one IPv6 network (/64) "
                    "or of one user by unix sockets. 0: half of --max-connections",
                    &Options::max_connections_per_peer, ParseConnections),
      NumberSetting("max-streams-per-connection",
                    "The most calls at once on one connection; clients wait with more",
                    &Options::max_streams_per_connection, ParseStreams),
      UnixSocketModeSetting(),
      ChoiceSetting("log-level", "The least severe events to log; read again on SIGHUP",
                    &Options::log_level,
                    std::array<std::string_view, 4>{"debug", "info", "warning", "error"}),
      ChoiceSetting("log-format", "How to write log lines", &Options::log_format,
                    std::array<std::string_view, 2>{"text", "json"}),
      TextSetting("log-file", "FILE",
                  "Where to append the log, reopened on SIGHUP; empty: the log goes to stderr",
                  &Options::log_file, ParsePath),
      TextSetting("simd-target", "NAME",
                  "The instruction set to compute with, for tests and support; empty: the best one "
                  "of this machine",
                  &Options::simd_target, ParseSimdTarget),
      SwitchSetting("reflection", "Whether tools such as grpcurl may query the schema",
                    &Options::reflection),
  };
}

}  // namespace

const std::vector<Setting>& Settings() {
  static const std::vector<Setting> settings = MakeSettings();
  return settings;
}

}  // namespace quantd::server
