// quantd: parses the settings, serves until it is told to stop, and drains.

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/file_descriptor.h"
#include "core/base/status_macros.h"
#include "core/simd_target.h"
#include "server/server.h"
#include "server/service_manager.h"
#include "server/settings/command_line.h"
#include "server/settings/environment.h"
#include "server/settings/machine_resources.h"
#include "server/settings/options.h"
#include "server/telemetry/grpc_log.h"
#include "server/telemetry/log.h"
#include "server/telemetry/log_file.h"
#include "version.h"
#include "wire/transport.h"

namespace {

using quantd::server::CommandLine;
using quantd::server::Environment;
using quantd::server::GrpcLog;
using quantd::server::LimitSources;
using quantd::server::Log;
using quantd::server::LogFile;
using quantd::server::LogLevel;
using quantd::server::Options;
using quantd::server::Server;

constexpr int kExitSuccess = 0;
constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

// Reads the settings again.
using ReadSettings = std::function<absl::StatusOr<CommandLine>()>;

// A standard stream that the caller closed would lend its number to the next file or socket that is
// opened, and what is written to stderr would go there.
void OpenStandardStreams() {
  int number = -1;
  do {
    number = open("/dev/null", O_RDWR);
  } while (number >= 0 && number <= STDERR_FILENO);
  close(number);
}

// What cannot be written is an error, not the end of the process.
void IgnoreSignalsOfWriting() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

sigset_t StopAndReloadSignals() {
  sigset_t signals = StopSignals();
  sigaddset(&signals, SIGHUP);
  return signals;
}

Environment ReadEnvironment() {
  Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view variable(*entry);
    if (const std::size_t equals = variable.find('='); equals != std::string_view::npos) {
      environment.emplace(variable.substr(0, equals), variable.substr(equals + 1));
    }
  }
  return environment;
}

std::string ServingLine(const Server& server, const Options& options) {
  const std::string metrics =
      server.metrics_url().empty() ? "" : absl::StrCat(", metrics on ", server.metrics_url());
  return absl::StrCat("quantd ", std::string(quantd::kVersion), " serving on ",
                      absl::StrJoin(server.addresses(), ", "), metrics, " (",
                      quantd::core::ActiveSimdTarget(), ", ", options.worker_threads,
                      options.worker_threads == 1 ? " worker thread)" : " worker threads)");
}

// Reports `state` to the service manager, if there is one.
void Notify(const std::string& socket, std::string_view state, Log& log) {
  if (const absl::Status status = quantd::server::NotifyServiceManager(socket, state);
      !status.ok()) {
    log.Write(LogLevel::kWarning, "cannot notify the service manager",
              {{"state", std::string(state)}, {"message", std::string(status.message())}});
  }
}

// Says which limits apply, and why these.
void LogLimits(const Options& options, const LimitSources& sources, Log& log) {
  log.Write(LogLevel::kInfo, "limits",
            {{"worker_threads", static_cast<std::int64_t>(options.worker_threads)},
             {"worker_threads_from", sources.worker_threads},
             {"memory_limit_bytes", static_cast<std::int64_t>(options.memory_limit)},
             {"memory_limit_from", sources.memory_limit},
             {"max_in_flight_bytes", static_cast<std::int64_t>(options.max_in_flight_bytes)},
             {"max_in_flight_bytes_from", sources.max_in_flight_bytes},
             {"max_message_bytes", static_cast<std::int64_t>(options.max_message_bytes)},
             {"max_message_bytes_from", sources.max_message_bytes}});
}

void LogWarnings(const CommandLine& command_line, Log& log) {
  for (const std::string& warning : command_line.warnings) {
    log.Write(LogLevel::kWarning, "setting", {{"message", warning}});
  }
}

absl::StatusOr<std::unique_ptr<LogFile>> StartLogFile(const Options& options) {
  ASSIGN_OR_RETURN(quantd::core::FileDescriptor file, quantd::server::OpenLog(options.log_file));
  return LogFile::Start(std::move(file), options.log_format);
}

void ReopenLog(const std::string& path, LogFile& file, Log& log) {
  absl::StatusOr<quantd::core::FileDescriptor> reopened = quantd::server::OpenLog(path);
  if (!reopened.ok()) {
    log.Write(LogLevel::kError, "cannot reopen the log",
              {{"message", std::string(reopened.status().message())}});
    return;
  }
  file.Replace(*std::move(reopened));
}

void ReloadSettings(const ReadSettings& read_settings, Log& log) {
  const absl::StatusOr<CommandLine> settings = read_settings();
  if (!settings.ok()) {
    log.Write(LogLevel::kError, "cannot reload the settings",
              {{"message", std::string(settings.status().message())}});
    return;
  }
  LogWarnings(*settings, log);
  log.SetLevel(settings->options.log_level);
  log.Write(LogLevel::kInfo, "settings reloaded", {});
}

// Waits for SIGINT or SIGTERM and returns it. Calls `reload` for each SIGHUP.
int WaitForStop(const std::function<void()>& reload) {
  const sigset_t signals = StopAndReloadSignals();
  int signal = SIGHUP;
  while (signal == SIGHUP) {
    sigwait(&signals, &signal);
    if (signal == SIGHUP) {
      reload();
    }
  }
  return signal;
}

int Serve(const CommandLine& command_line, const std::string& notify_socket,
          const ReadSettings& read_settings) {
  const Options& options = command_line.options;
  const absl::StatusOr<std::unique_ptr<LogFile>> log_file = StartLogFile(options);
  if (!log_file.ok()) {
    std::cerr << "quantd: " << log_file.status().message() << "\n";
    return kExitFailure;
  }
  Log log(options.log_level, options.log_format, **log_file);
  const GrpcLog grpc_log(&log);
  LogWarnings(command_line, log);
  LogLimits(options, command_line.limit_sources, log);
  const absl::StatusOr<std::unique_ptr<Server>> server = Server::Start(options, &log);
  if (!server.ok()) {
    log.Write(LogLevel::kError, "cannot serve",
              {{"message", std::string(server.status().message())}});
    return kExitFailure;
  }
  std::cout << ServingLine(**server, options) << std::endl;
  Notify(notify_socket, quantd::server::kReady, log);

  const int signal = WaitForStop([&] {
    ReopenLog(options.log_file, **log_file, log);
    ReloadSettings(read_settings, log);
    (*server)->ReloadFiles();
  });
  // A second signal has its default effect: it ends the process.
  const sigset_t stop_signals = StopSignals();
  pthread_sigmask(SIG_UNBLOCK, &stop_signals, nullptr);
  log.Write(LogLevel::kInfo, "draining", {{"signal", std::int64_t{signal}}});
  Notify(notify_socket, quantd::server::kStopping, log);
  if (const absl::Status status = (*server)->Drain(options.drain_timeout); !status.ok()) {
    log.Write(LogLevel::kError, "drain incomplete", {{"message", std::string(status.message())}});
    return kExitFailure;
  }
  log.Write(LogLevel::kInfo, "stopped", {});
  return kExitSuccess;
}

}  // namespace

int main(int argc, char** argv) {
  // Only sigwait() may receive these signals. They are blocked before the first
  // thread starts, because all threads inherit the mask.
  const sigset_t signals = StopAndReloadSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  IgnoreSignalsOfWriting();
  OpenStandardStreams();

  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const Environment environment = ReadEnvironment();
  const ReadSettings read_settings = [&] {
    return quantd::server::ParseCommandLine(
        arguments, environment,
        quantd::server::ReadMachineResources("/", quantd::server::AvailableProcessors()));
  };
  const absl::StatusOr<CommandLine> command_line = read_settings();
  if (!command_line.ok()) {
    std::cerr << "quantd: " << command_line.status().message()
              << "\nRun quantd --help for all flags.\n";
    return kExitUsage;
  }
  if (command_line->answer.has_value()) {
    for (const std::string& warning : command_line->warnings) {
      std::cerr << "quantd: warning: " << warning << "\n";
    }
    std::cout << *command_line->answer;
    return kExitSuccess;
  }
  quantd::wire::DisableLockChecks();
  const auto notify_socket = environment.find("NOTIFY_SOCKET");
  return Serve(*command_line, notify_socket == environment.end() ? "" : notify_socket->second,
               read_settings);
}
