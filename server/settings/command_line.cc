#include "server/settings/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "command_line/documentation_flags.h"
#include "core/base/status_macros.h"
#include "server/settings/configuration_file.h"
#include "server/settings/manual_text.h"
#include "server/settings/option_values.h"
#include "version.h"

namespace quantd::server {
namespace {

constexpr const char* kDescription =
    "Quantizes tensors over gRPC, with the arithmetic of the framework that a request names.\n\n"
    "Every flag can also be set by an environment variable (--log-level by QUANTD_LOG_LEVEL; the "
    "items of a list are separated by commas) and by a key in the configuration file (log-level = "
    "\"debug\"). The command line overrides the environment, and the environment overrides the "
    "file. An empty variable is the same as none, except for flags that say what empty means.";

command_line::ManualText ManualTextOfSettings() {
  std::vector<std::string> names(Settings().size());
  std::ranges::transform(Settings(), names.begin(),
                         [](const Setting& setting) { return EnvironmentName(setting.name); });
  return MakeManualText(names);
}

// What the command line asks for.
struct Request {
  bool version = false;
  bool check_config = false;
  std::string config;
  GivenValues given;
};

// Parses the command line into `request`, without looking at the values.
class Parser {
 public:
  explicit Parser(Request& request) : request_(request) {
    app_.option_defaults()->always_capture_default(false);
    app_.add_option("--config", request.config, "Read settings from this TOML file")
        ->type_name("FILE");
    for (const Setting& setting : Settings()) {
      if (setting.kind == Setting::Kind::kSwitch) {
        AddSwitch(setting);
      } else {
        AddOption(setting);
      }
    }
    app_.add_flag("--check-config", request.check_config,
                  "Print the settings as a configuration file and exit");
    app_.add_flag("--version", request.version, "Print the version and exit");
    command_line::AddDocumentationFlags(app_, ManualTextOfSettings());
  }

  // Throws CLI::ParseError for errors and for --help.
  void Parse(std::span<const std::string> arguments) {
    Values split;
    for (const std::string& argument : arguments) {
      // If the value after '=' is empty, CLI11 would use the next argument instead.
      if (argument.starts_with("--") && argument.find('=') == argument.size() - 1) {
        split.push_back(argument.substr(0, argument.size() - 1));
        split.emplace_back();
      } else {
        split.push_back(argument);
      }
    }
    std::ranges::reverse(split);  // CLI11 expects the last argument first.
    app_.parse(std::move(split));
  }

  std::string Help() const { return app_.help(); }

 private:
  void Give(const Setting& setting, const Values& values) {
    request_.given.insert_or_assign(setting.name,
                                    GivenValue{.values = values, .source = "--" + setting.name});
  }

  void AddOption(const Setting& setting) {
    CLI::Option* const option = app_.add_option(
        "--" + setting.name,
        [this, &setting](const Values& values) {
          Give(setting, values);
          return true;
        },
        setting.description);
    option->type_name(setting.value_name);
    if (setting.has_same_default_everywhere) {
      option->default_str(absl::StrJoin(setting.get(Options()), ", "));
    }
    if (setting.kind == Setting::Kind::kList) {
      option->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args(false);
    }
  }

  void AddSwitch(const Setting& setting) {
    const std::string description =
        absl::StrCat(setting.description, "; on unless --no-", setting.name);
    app_.add_flag(absl::StrCat("--", setting.name, ",!--no-", setting.name), description)
        ->each([this, &setting](const std::string& value) { Give(setting, {value}); });
  }

  Request& request_;
  CLI::App app_{kDescription, "quantd"};
};

std::string VersionText() {
  return absl::StrCat("quantd ", std::string(kVersion), " (", std::string(kRevision), ")\n");
}

// Parses `arguments` into `request`. Returns what to print if they ask for nothing
// else.
absl::StatusOr<std::optional<std::string>> ParseArguments(std::span<const std::string> arguments,
                                                          Request& request) {
  Parser parser(request);
  try {
    parser.Parse(arguments);
  } catch (const CLI::CallForHelp&) {
    return parser.Help();
  } catch (const command_line::CallForDocumentation& call) {
    return call.what();
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(error.what());
  }
  return request.version ? std::optional(VersionText()) : std::nullopt;
}

// Returns the path of the configuration file, or an empty text if there is none.
std::string ConfigurationPath(const Request& request, const Environment& environment) {
  const auto variable = environment.find(kConfigVariable);
  return request.config.empty() && variable != environment.end() ? variable->second
                                                                 : request.config;
}

absl::Status SetOptions(const GivenValues& given, Options& options) {
  for (const Setting& setting : Settings()) {
    const auto value = given.find(setting.name);
    if (value == given.end()) {
      continue;
    }
    if (const absl::Status status = setting.set(value->second.values, options); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(value->second.source, ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

// Checks limits that involve more than one setting.
absl::Status CheckLimits(const Options& options, const LimitSources& sources) {
  if (options.max_in_flight_bytes < options.max_message_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(sources.max_in_flight_bytes, ": ", FormatByteSize(options.max_in_flight_bytes),
                     " is less than the ", FormatByteSize(options.max_message_bytes), " of ",
                     sources.max_message_bytes,
                     "; expected enough room in flight for the largest message: raise the first or "
                     "lower the second"));
  }
  return absl::OkStatus();
}

// Checks that what belongs together is given together.
absl::Status CheckSecurity(const Options& options) {
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return absl::InvalidArgumentError(
        "only one of --tls-cert and --tls-key is given; expected both, or neither for no TLS");
  }
  if (!options.tls_client_ca.empty() && options.tls_cert.empty()) {
    return absl::InvalidArgumentError(
        "--tls-client-ca is given without TLS; expected --tls-cert and --tls-key as well");
  }
  if (options.metrics_secure && options.tls_cert.empty() && options.token_file.empty() &&
      options.policy_file.empty()) {
    return absl::InvalidArgumentError(
        "--metrics-secure has nothing to ask for; expected --tls-cert, --token-file or "
        "--policy-file as well");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(std::span<const std::string> arguments,
                                             const Environment& environment,
                                             const MachineResources& machine) {
  CommandLine result;
  Request request;
  ASSIGN_OR_RETURN(result.answer, ParseArguments(arguments, request));
  if (result.answer.has_value()) {
    return result;
  }
  // Merging keeps what is there already.
  GivenValues given = std::move(request.given);
  GivenValues variables = ReadEnvironment(environment);
  given.merge(variables);
  if (const std::string path = ConfigurationPath(request, environment); !path.empty()) {
    ASSIGN_OR_RETURN(GivenValues settings, ReadConfigurationFile(path));
    given.merge(settings);
  }
  RETURN_IF_ERROR(SetOptions(given, result.options));
  LimitChoice limits = ChooseLimits(given, machine, result.options);
  RETURN_IF_ERROR(CheckLimits(result.options, limits.sources));
  RETURN_IF_ERROR(CheckSecurity(result.options));
  result.limit_sources = std::move(limits.sources);
  result.warnings = UnknownVariables(environment);
  std::ranges::move(limits.warnings, std::back_inserter(result.warnings));
  if (request.check_config) {
    ASSIGN_OR_RETURN(result.answer, FormatConfiguration(result.options));
  }
  return result;
}

}  // namespace quantd::server
