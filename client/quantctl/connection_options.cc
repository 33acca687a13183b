#include "client/quantctl/connection_options.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/library/server_address.h"
#include "core/base/read_file.h"
#include "core/base/status_macros.h"

namespace quantd::client {
namespace {

constexpr double kMinTimeoutSeconds = 0.001;
constexpr double kMaxTimeoutSeconds = 1e6;

// All options: those that a configuration file can have.
constexpr std::array<const char*, 10> kNames = {
    "server", "timeout", "retry-for",   "tls",        "ca",
    "cert",   "key",     "server-name", "token-file", "allow-plaintext-token"};

double Seconds(std::chrono::milliseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

std::chrono::milliseconds Milliseconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::duration<double>(seconds));
}

absl::Status CannotRead(const std::string& what, const std::string& path,
                        absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(what, " ", path, ": ", problem));
}

// Returns the variable that sets an option: QUANTCTL_SERVER_NAME for server-name.
std::string EnvironmentName(absl::string_view name) {
  return absl::StrCat("QUANTCTL_", absl::AsciiStrToUpper(absl::StrReplaceAll(name, {{"-", "_"}})));
}

// Reads a file in PEM; an empty path has an empty text.
absl::Status ReadPem(const std::string& option, const std::string& path, std::string& text) {
  constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
  if (path.empty()) {
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> read = core::ReadFile(path, kMaxBytes);
  if (!read.ok()) {
    return CannotRead(option, path, read.status().message());
  }
  if (read->find("-----BEGIN ") == std::string::npos) {
    return CannotRead(option, path, "it is not PEM; expected a line such as -----BEGIN …-----");
  }
  text = *std::move(read);
  return absl::OkStatus();
}

}  // namespace

void AddConnectionOptions(CLI::App& app, ConnectionOptions& options) {
  const ClientOptions defaults;
  options.server = defaults.address;
  options.timeout_seconds = Seconds(defaults.timeout);
  options.retry_seconds = Seconds(defaults.retry.max_outage);
  app.add_option(
         "--server", options.server,
         "Address of quantd: HOST:PORT, or unix:PATH on the same host. Several with commas in "
         "between share the calls, and take over from each other")
      ->type_name("ADDRESS")
      ->capture_default_str();
  app.add_option("--timeout", options.timeout_seconds,
                 "How long to wait for the answer to a call, or to one part of a large tensor, in "
                 "seconds")
      ->type_name("SECONDS")
      ->check(CLI::Range(kMinTimeoutSeconds, kMaxTimeoutSeconds).description(""))
      ->capture_default_str();
  app.add_option(
         "--retry-for", options.retry_seconds,
         "How long to try again while no server answers, in seconds; 0: not at all. bench does "
         "so with several servers alone: what one fails to do is its result")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, kMaxTimeoutSeconds).description(""))
      ->capture_default_str();
  app.add_flag("--tls", options.tls, "Encrypt, and check the server's certificate");
  app.add_option(
         "--ca", options.ca,
         "The certificates to trust, in PEM. Default: those of the system. Switches on --tls")
      ->type_name("FILE");
  app.add_option(
         "--cert", options.cert,
         "The client's certificate, in PEM, for a server that asks for one. Switches on --tls")
      ->type_name("FILE");
  app.add_option("--key", options.key, "The private key of --cert, in PEM")->type_name("FILE");
  app.add_option("--server-name", options.server_name,
                 "The name to expect in the server's certificate. Default: that of the address")
      ->type_name("NAME");
  app.add_option("--token-file", options.token_file, "A file with a token to show with each call")
      ->type_name("FILE");
  app.add_flag("--allow-plaintext-token", options.allow_plaintext_token,
               "Send the token over a network without TLS as well");
  for (const char* const name : kNames) {
    app.get_option(absl::StrCat("--", name))->envname(EnvironmentName(name));
  }
}

absl::Status ReadConfigurationFile(const std::string& path, bool must_exist, CLI::App& app) {
  std::error_code error;
  if (path.empty() || (!must_exist && !std::filesystem::exists(path, error))) {
    return absl::OkStatus();
  }
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_file(path);
  } catch (const CLI::Error& failure) {
    return CannotRead("the configuration file", path, failure.what());
  }
  for (const CLI::ConfigItem& item : items) {
    const auto* const name = std::ranges::find(kNames, std::string_view(item.name));
    if (name == kNames.end() || !item.parents.empty() || item.inputs.size() != 1) {
      return CannotRead("the configuration file", path,
                        absl::StrCat("'", item.fullname(),
                                     "' is not a setting with one value; "
                                     "expected some of ",
                                     absl::StrJoin(kNames, ", ")));
    }
    try {
      CLI::Option* const option = app.get_option(absl::StrCat("--", *name));
      const bool is_flag = option->get_expected_min() == 0;
      option->default_val(is_flag ? std::to_string(CLI::detail::to_flag_value(item.inputs.front()))
                                  : item.inputs.front());
    } catch (const CLI::Error& failure) {
      return CannotRead("the configuration file", path,
                        absl::StrCat(item.name, ": ", failure.what()));
    } catch (const std::invalid_argument&) {
      return CannotRead(
          "the configuration file", path,
          absl::StrCat(item.name, " is '", item.inputs.front(), "'; expected true or false"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ClientOptions> MakeClientOptions(const ConnectionOptions& options,
                                                const std::string& proxy) {
  ClientOptions client{
      .address = options.server,
      .security = {.tls = options.tls || !options.ca.empty() || !options.cert.empty(),
                   .server_name = options.server_name,
                   .token_file = options.token_file,
                   .allow_plaintext_token = options.allow_plaintext_token},
      .retry = {.max_outage = Milliseconds(options.retry_seconds)},
      .proxy = proxy,
      .timeout = Milliseconds(options.timeout_seconds)};
  RETURN_IF_ERROR(ReadPem("--ca", options.ca, client.security.root_certificates));
  RETURN_IF_ERROR(ReadPem("--cert", options.cert, client.security.certificate_chain));
  RETURN_IF_ERROR(ReadPem("--key", options.key, client.security.private_key));
  ASSIGN_OR_RETURN(const std::vector<ServerAddress> addresses,
                   ParseServerAddresses(client.address));
  RETURN_IF_ERROR(CheckSecurity(client.security, addresses));
  return client;
}

}  // namespace quantd::client
