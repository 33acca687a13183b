#include "bench/baseline.h"

#include <grpcpp/grpcpp.h>
#include <pthread.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "bench/channel_argument.h"

namespace quantd::bench {
namespace {

constexpr int kExitSuccess = 0;
constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

// How long calls may continue after a signal.
constexpr std::chrono::seconds kShutdownTimeout{1};

struct Flags {
  std::vector<std::string> listen;
  std::vector<std::string> channel_arguments;
  // Files in PEM; empty: nothing is encrypted.
  std::string tls_cert;
  std::string tls_key;
};

// Blocks the signals that stop the server in this thread and in the threads that it
// starts, so that only sigwait() receives them.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// Parses the flags into `flags`. Returns the exit code if the program should end, for
// example after printing the help.
std::optional<int> ParseFlags(const std::string& name, int argc, char** argv, Flags& flags) {
  CLI::App app("A server that quantd is compared with.", name);
  app.add_option("--listen", flags.listen, "HOST:PORT or unix:PATH; may be repeated")
      ->required()
      ->allow_extra_args(false);
  app.add_option("--channel_argument", flags.channel_arguments,
                 "NAME=VALUE, a setting of gRPC; may be repeated")
      ->allow_extra_args(false);
  CLI::Option* const certificate =
      app.add_option("--tls-cert", flags.tls_cert, "the certificate for TLS over TCP, in PEM");
  CLI::Option* const key = app.add_option("--tls-key", flags.tls_key, "its private key, in PEM");
  certificate->needs(key);
  key->needs(certificate);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitSuccess : kExitUsage;
  }
  return std::nullopt;
}

absl::Status AddChannelArguments(const std::vector<std::string>& texts,
                                 grpc::ServerBuilder& builder) {
  for (const std::string& text : texts) {
    const absl::StatusOr<ChannelArgument> argument = ParseChannelArgument(text);
    if (!argument.ok()) {
      return argument.status();
    }
    std::visit([&](const auto& value) { builder.AddChannelArgument(argument->name, value); },
               argument->value);
  }
  return absl::OkStatus();
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::shared_ptr<grpc::ServerCredentials> CredentialsFor(const std::string& address,
                                                        const Flags& flags) {
  if (flags.tls_cert.empty() || absl::StartsWith(address, "unix:")) {
    return grpc::InsecureServerCredentials();
  }
  grpc::SslServerCredentialsOptions options(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  options.pem_key_cert_pairs = {
      {.private_key = ReadText(flags.tls_key), .cert_chain = ReadText(flags.tls_cert)}};
  return grpc::SslServerCredentials(options);
}

// Returns `address` with the port that it was bound to.
std::string BoundAddress(const std::string& address, int port) {
  return absl::StartsWith(address, "unix:")
             ? address
             : absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
}

}  // namespace

int ServeBaseline(const std::string& name, grpc::Service& service, int argc, char** argv,
                  const std::function<void(grpc::ServerBuilder&)>& configure) {
  const sigset_t stop_signals = BlockStopSignals();
  Flags flags;
  if (const auto code = ParseFlags(name, argc, argv, flags); code.has_value()) {
    return *code;
  }
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(-1);
  builder.SetMaxSendMessageSize(-1);
  builder.RegisterService(&service);
  configure(builder);
  if (const absl::Status status = AddChannelArguments(flags.channel_arguments, builder);
      !status.ok()) {
    std::cerr << name << ": " << status.message() << "\n";
    return kExitUsage;
  }
  std::vector<int> ports(flags.listen.size(), 0);
  for (std::size_t i = 0; i < ports.size(); ++i) {
    builder.AddListeningPort(flags.listen[i], CredentialsFor(flags.listen[i], flags), &ports[i]);
  }
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    std::cerr << name << ": cannot listen on all of " << absl::StrJoin(flags.listen, ", ")
              << "; expected free addresses of this machine\n";
    return kExitFailure;
  }
  std::vector<std::string> addresses;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    addresses.push_back(BoundAddress(flags.listen[i], ports[i]));
  }
  std::cout << name << " serving on " << absl::StrJoin(addresses, ", ") << std::endl;

  int signal = 0;
  sigwait(&stop_signals, &signal);
  server->Shutdown(std::chrono::system_clock::now() + kShutdownTimeout);
  server->Wait();
  return kExitSuccess;
}

}  // namespace quantd::bench
