// Which servers quantctl calls, and how.

#ifndef QUANTD_CLIENT_QUANTCTL_CONNECTION_OPTIONS_H_
#define QUANTD_CLIENT_QUANTCTL_CONNECTION_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/library/client.h"

namespace quantd::client {

// The options that all commands share, as they are given.
struct ConnectionOptions {
  std::string server;
  double timeout_seconds = 0;
  double retry_seconds = 0;
  bool tls = false;
  // Files in PEM.
  std::string ca;
  std::string cert;
  std::string key;
  std::string server_name;
  std::string token_file;
  bool allow_plaintext_token = false;
};

// Adds the options to `app`. Each can be set by an environment variable, which the command line
// overrides. `options` must outlive `app`.
void AddConnectionOptions(CLI::App& app, ConnectionOptions& options);

// Takes values from the configuration file at `path` for options of `app` that neither the command
// line nor the environment gives: TOML, whose keys are the options' names without dashes. To be
// called before `app` parses. An empty path, and a file that does not exist unless `must_exist`,
// say nothing.
//
// Errors: kInvalidArgument, with the path and what was expected.
absl::Status ReadConfigurationFile(const std::string& path, bool must_exist, CLI::App& app);

// Reads the files, and returns the options of a client. `proxy` is as in ClientOptions.
//
// Errors: kInvalidArgument for files that cannot be read, for addresses that are none, and for what
// does not belong together.
absl::StatusOr<ClientOptions> MakeClientOptions(const ConnectionOptions& options,
                                                const std::string& proxy);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_CONNECTION_OPTIONS_H_
