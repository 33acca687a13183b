// The server's settings: their values, and how each of them is named, described,
// read and written.

#ifndef QUANTD_SERVER_SETTINGS_OPTIONS_H_
#define QUANTD_SERVER_SETTINGS_OPTIONS_H_

#include <sys/stat.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "server/telemetry/log_line.h"

namespace quantd::server {

// The upper limit for max_message_bytes. An answer can be larger than its request,
// namely if each channel has one element, and has to fit into protobuf's 2 GiB.
inline constexpr std::uint64_t kMaxMaxMessageBytes = std::uint64_t{1} << 30;
inline constexpr std::size_t kMaxWorkerThreads = 1024;
inline constexpr std::size_t kMaxConnections = 1'000'000;
// The number is a signed one in gRPC.
inline constexpr std::size_t kMaxStreamsPerConnection = std::numeric_limits<int>::max();

// The defaults are those of a machine with one processor and plenty of memory;
// ChooseLimits() fits them to the real one.
struct Options {
  // At least one address, each HOST:PORT or unix:PATH. Port 0 picks a free port.
  std::vector<std::string> listen = {"localhost:50051"};
  // HOST:PORT; if empty, metrics are not served.
  std::string metrics_listen = "localhost:9464";
  // 1..kMaxWorkerThreads.
  std::size_t worker_threads = 1;
  // Files in PEM; empty: connections are not encrypted. Both or neither are given.
  std::string tls_cert;
  std::string tls_key;
  // A file in PEM; empty: clients need no certificate.
  std::string tls_client_ca;
  // Whether other machines may call without TLS.
  bool insecure = false;
  // Empty: no token is asked for.
  std::string token_file;
  // Empty: whoever is known may call.
  std::string policy_file;
  // Whether the metrics page asks for what calls have to show.
  bool metrics_secure = false;
  // How much memory the process may use, in bytes; 0 if that is not known.
  std::uint64_t memory_limit = 0;
  // 1..kMaxMaxMessageBytes.
  std::uint64_t max_message_bytes = std::uint64_t{256} << 20;
  // At least max_message_bytes.
  std::uint64_t max_in_flight_bytes = std::uint64_t{1} << 30;
  // How long a request waits for room, at most.
  std::chrono::milliseconds max_wait{10'000};
  // How long an answer may wait for its client while requests wait for room.
  std::chrono::milliseconds max_stall{10'000};
  std::chrono::milliseconds drain_timeout{30'000};
  // 0 means that there is no limit.
  std::chrono::milliseconds max_connection_age{0};
  std::chrono::milliseconds max_connection_idle{0};
  // 0 means what DeriveConnectionLimits() derives.
  std::size_t max_connections = 0;
  std::size_t max_connections_per_peer = 0;
  // 1..kMaxStreamsPerConnection.
  std::size_t max_streams_per_connection = 1000;
  // The permissions of unix sockets, 0..0777; if absent, those that the umask allows.
  std::optional<mode_t> unix_socket_mode;
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
  // Where to write the log; if empty, to stderr.
  std::string log_file;
  // One of core::SupportedSimdTargets(), or empty for the best.
  std::string simd_target;
  bool reflection = true;
};

// The names of the settings whose defaults depend on the machine.
inline constexpr std::string_view kWorkerThreadsName = "worker-threads";
inline constexpr std::string_view kMemoryLimitName = "memory-limit";
inline constexpr std::string_view kMaxMessageBytesName = "max-message-bytes";
inline constexpr std::string_view kMaxInFlightBytesName = "max-in-flight-bytes";

// The value of a setting as text, as on the command line; several for a list.
using Values = std::vector<std::string>;

// A setting: its name, its documentation, and how to read and write its value.
struct Setting {
  enum class Kind { kText, kNumber, kSize, kDuration, kSwitch, kList };

  // Without dashes; also the key in the configuration file.
  std::string name;
  // The placeholder for the value in --help.
  std::string value_name;
  std::string description;
  Kind kind = Kind::kText;
  // Whether an empty text is a value. An empty environment variable is otherwise
  // the same as none.
  bool may_be_empty = false;
  // If false, the description states the default instead of --help.
  bool has_same_default_everywhere = true;
  // Errors: kInvalidArgument, with a message that quotes the value and says what was
  // expected.
  std::function<absl::Status(const Values&, Options&)> set;
  std::function<Values(const Options&)> get;
};

// All settings, in the order of --help and --check-config.
const std::vector<Setting>& Settings();

// A value that one of the sources gives to a setting.
struct GivenValue {
  Values values;
  // Where it was given: "--log-level", "the environment variable QUANTD_LOG_LEVEL" or
  // "quantd.toml:3:13: log-level".
  std::string source;
};

// What a source gives, by the name of the setting.
using GivenValues = std::map<std::string, GivenValue, std::less<>>;

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SETTINGS_OPTIONS_H_
