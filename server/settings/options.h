// The server's settings, and how they are read from flags, environment variables
// and a configuration file.

#ifndef QUANTD_SERVER_SETTINGS_OPTIONS_H_
#define QUANTD_SERVER_SETTINGS_OPTIONS_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "server/telemetry/log.h"

namespace quantd::server {

// The upper limit for max_message_bytes. An answer can be larger than its request,
// namely if each channel has one element, and has to fit into protobuf's 2 GiB.
inline constexpr std::uint64_t kMaxMaxMessageBytes = std::uint64_t{1} << 30;
inline constexpr std::size_t kMaxWorkerThreads = 1024;

struct Options {
  // At least one address, each HOST:PORT or unix:PATH. Port 0 picks a free port.
  std::vector<std::string> listen = {"localhost:50051"};
  // HOST:PORT; if empty, metrics are not served.
  std::string metrics_listen = "localhost:9464";
  // 1..kMaxWorkerThreads.
  std::size_t worker_threads =
      std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMaxWorkerThreads);
  // 1..kMaxMaxMessageBytes.
  std::uint64_t max_message_bytes = std::uint64_t{256} << 20;
  // At least max_message_bytes.
  std::uint64_t max_in_flight_bytes = std::uint64_t{1} << 30;
  // How long a request waits for room, at most.
  std::chrono::milliseconds max_wait{10'000};
  std::chrono::milliseconds drain_timeout{30'000};
  // 0 means that there is no limit.
  std::chrono::milliseconds max_connection_age{0};
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
  // One of core::SupportedSimdTargets(), or empty for the best.
  std::string simd_target;
  bool reflection = true;
};

// Environment variables by name.
using Environment = std::map<std::string, std::string, std::less<>>;

struct CommandLine {
  Options options;
  // What to print instead of serving, for --help, --version, --check-config,
  // --completion and --manual-page.
  std::optional<std::string> answer;
};

// Reads the settings from three sources: `arguments` (without the program's name),
// `environment` (variables named QUANTD_ and the flag's name in capitals), and the
// TOML file that either of them names as the configuration file. The command line
// overrides the environment, which overrides the file, which overrides the
// defaults.
//
// Errors: kInvalidArgument, with a message that names the flag, variable or file at
// fault and says how to fix it.
absl::StatusOr<CommandLine> ParseCommandLine(std::span<const std::string> arguments,
                                             const Environment& environment);

// Formats `options` as a configuration file that --config accepts.
std::string FormatConfiguration(const Options& options);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SETTINGS_OPTIONS_H_
