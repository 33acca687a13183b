#include "server/settings/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "command_line/documentation_flags.h"
#include "core/base/status_macros.h"
#include "core/simd_target.h"
#include "server/address.h"
#include "server/settings/manual_text.h"
#include "server/settings/option_values.h"
#include "version.h"

namespace quantd::server {
namespace {

using Values = std::vector<std::string>;

constexpr absl::string_view kDescription =
    "Quantizes tensors over gRPC, with the arithmetic of the framework that a request names.\n\n"
    "Every flag can also be set by an environment variable (--log-level by QUANTD_LOG_LEVEL; the "
    "items of a list are separated by commas) and by a key in the configuration file (log-level = "
    "\"debug\"). The command line overrides the environment, and the environment overrides the "
    "file.";

// A setting: its name, its documentation, and how to read and write its value.
struct Setting {
  enum class Kind { kSingle, kList, kSwitch };

  // Without dashes; also the key in the configuration file.
  std::string name;
  // The placeholder for the value in --help.
  std::string value_name;
  std::string description;
  Kind kind = Kind::kSingle;
  // If false, the description states the default instead of --help.
  bool has_same_default_everywhere = true;
  std::function<absl::Status(const Values&, Options&)> set;
  std::function<Values(const Options&)> get;
};

// A flag with one value, which `parse` reads into `member` and `format` writes.
template <typename T, typename Parse, typename Format>
Setting ValueSetting(const std::string& name, const std::string& value_name,
                     const std::string& description, T Options::*member, Parse parse,
                     Format format) {
  return {.name = name,
          .value_name = value_name,
          .description = description,
          .kind = Setting::Kind::kSingle,
          .set = [member, parse](const Values& values, Options& options) -> absl::Status {
            ASSIGN_OR_RETURN(options.*member, parse(values.front()));
            return absl::OkStatus();
          },
          .get = [member, format](const Options& options) -> Values {
            return {format(options.*member)};
          }};
}

std::string Unchanged(const std::string& text) { return text; }

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

absl::StatusOr<std::uint64_t> ParseMaxMessageBytes(const std::string& text) {
  absl::StatusOr<std::uint64_t> bytes = ParseByteSize(text);
  if (bytes.ok() && *bytes == 0) {
    return absl::InvalidArgumentError("'0' leaves no room for a message; expected at least 1");
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
Setting ChoiceSetting(std::string name, std::string description, Enum Options::*member,
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
  return ValueSetting(std::move(name), choices, std::move(description), member, parse, format);
}

Setting WorkerThreadsSetting() {
  Setting setting = ValueSetting("worker-threads", "N",
                                 "Number of threads that compute; by default one per processor",
                                 &Options::worker_threads, ParseWorkerThreads,
                                 [](std::size_t number) { return std::to_string(number); });
  setting.has_same_default_everywhere = false;
  return setting;
}

Setting ReflectionSetting() {
  return {.name = "reflection",
          .value_name = "",
          .description = "Whether tools such as grpcurl may query the schema",
          .kind = Setting::Kind::kSwitch,
          .set = [](const Values& values, Options& options) -> absl::Status {
            return absl::SimpleAtob(values.front(), &options.reflection)
                       ? absl::OkStatus()
                       : absl::InvalidArgumentError(
                             absl::StrCat("'", values.front(), "' is not one of true|false"));
          },
          .get = [](const Options& options) -> Values {
            return {options.reflection ? "true" : "false"};
          }};
}

// All settings, in the order of --help and --check-config.
std::vector<Setting> MakeSettings() {
  return {
      ListenSetting(),
      ValueSetting("metrics-listen", "HOST:PORT",
                   "Where to serve metrics over HTTP, on /metrics; empty: metrics are not served",
                   &Options::metrics_listen, ParseMetricsAddress, Unchanged),
      WorkerThreadsSetting(),
      ValueSetting("max-message-bytes", "SIZE",
                   "The largest request message to accept, such as 64MiB or 1GiB; at most 1GiB",
                   &Options::max_message_bytes, ParseMaxMessageBytes, FormatByteSize),
      ValueSetting("max-in-flight-bytes", "SIZE",
                   "The most memory for requests and their answers at once; requests beyond wait",
                   &Options::max_in_flight_bytes, ParseByteSize, FormatByteSize),
      ValueSetting("max-wait", "DURATION",
                   "How long a request waits for room within --max-in-flight-bytes before it is "
                   "refused, such as 10s; 0: not at all",
                   &Options::max_wait, ParseDuration, FormatDuration),
      ValueSetting("drain-timeout", "DURATION",
                   "How long running calls may take once the server is told to stop, such as 30s",
                   &Options::drain_timeout, ParseDuration, FormatDuration),
      ValueSetting(
          "max-connection-age", "DURATION",
          "The age at which clients are asked to reconnect, so that they find servers that "
          "were added; running calls are not affected. 0: no limit",
          &Options::max_connection_age, ParseDuration, FormatDuration),
      ChoiceSetting("log-level", "The least severe events to log to stderr", &Options::log_level,
                    std::array<std::string_view, 4>{"debug", "info", "warning", "error"}),
      ChoiceSetting("log-format", "How to write log lines", &Options::log_format,
                    std::array<std::string_view, 2>{"text", "json"}),
      ValueSetting(
          "simd-target", "NAME",
          "The instruction set to compute with, for tests and support; empty: the best one "
          "of this machine",
          &Options::simd_target, ParseSimdTarget, Unchanged),
      ReflectionSetting(),
  };
}

std::string EnvironmentName(absl::string_view flag_name) {
  return absl::StrCat("QUANTD_",
                      absl::AsciiStrToUpper(absl::StrReplaceAll(flag_name, {{"-", "_"}})));
}

command_line::ManualText ManualTextOf(const std::vector<Setting>& settings) {
  std::vector<std::string> names(settings.size());
  std::ranges::transform(settings, names.begin(),
                         [](const Setting& setting) { return EnvironmentName(setting.name); });
  return MakeManualText(names);
}

std::string Quoted(const std::string& value) {
  return value.find('"') == std::string::npos ? absl::StrCat("\"", value, "\"")
                                              : absl::StrCat("'", value, "'");
}

// Formats the values of `setting` as TOML.
std::string FormatValues(const Setting& setting, const Values& values) {
  if (setting.kind == Setting::Kind::kList) {
    return absl::StrCat("[",
                        absl::StrJoin(values, ", ",
                                      [](std::string* out, const std::string& value) {
                                        out->append(Quoted(value));
                                      }),
                        "]");
  }
  const std::string& value = values.front();
  const bool is_number =
      !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
  return is_number || setting.kind == Setting::Kind::kSwitch ? value : Quoted(value);
}

// What the command line asks for other than settings.
struct Requests {
  bool version = false;
  bool check_config = false;
  std::string config;
};

// Parses the command line into `options` and `requests`. If `read_file` is true,
// it also reads the configuration file that --config names.
class Parser {
 public:
  Parser(const std::vector<Setting>& settings, bool read_file, Options& options,
         Requests& requests) {
    app_.option_defaults()->always_capture_default(false);
    AddConfig(read_file, requests);
    for (const Setting& setting : settings) {
      bound_.push_back(setting.kind == Setting::Kind::kSwitch ? AddSwitch(setting, options)
                                                              : AddOption(setting, options));
    }
    app_.add_flag("--check-config", requests.check_config,
                  "Print the settings as a configuration file and exit")
        ->configurable(false);
    app_.add_flag("--version", requests.version, "Print the version and exit")->configurable(false);
    command_line::AddDocumentationFlags(app_, ManualTextOf(settings));
  }

  // Throws CLI::ParseError for errors and for --help.
  void Parse(const Values& arguments) {
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

  // Whether the flag with this index was given.
  bool IsGiven(std::size_t index) const { return bound_[index]->count() > 0; }
  bool IsConfigGiven() const { return config_->count() > 0; }

  std::string Help() const { return app_.help(); }

 private:
  void AddConfig(bool read_file, Requests& requests) {
    constexpr const char* kHelp = "Read settings from this TOML file";
    config_ = read_file ? app_.set_config("--config", "", kHelp)
                        : app_.add_option("--config", requests.config, kHelp);
    config_->type_name("FILE")->configurable(false);
    app_.allow_config_extras(CLI::config_extras_mode::error);
  }

  static bool Set(const Setting& setting, const Values& values, Options& options) {
    if (const absl::Status status = setting.set(values, options); !status.ok()) {
      throw CLI::ValidationError("--" + setting.name, std::string(status.message()));
    }
    return true;
  }

  CLI::Option* AddOption(const Setting& setting, Options& options) {
    CLI::Option* const option = app_.add_option(
        "--" + setting.name,
        [&setting, &options](const Values& values) { return Set(setting, values, options); },
        setting.description);
    option->type_name(setting.value_name);
    if (setting.has_same_default_everywhere) {
      option->default_str(absl::StrJoin(setting.get(options), ", "));
    }
    if (setting.kind == Setting::Kind::kList) {
      option->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args(false);
    }
    return option;
  }

  CLI::Option* AddSwitch(const Setting& setting, Options& options) {
    const std::string description =
        absl::StrCat(setting.description, "; on unless --no-", setting.name);
    return app_.add_flag(absl::StrCat("--", setting.name, ",!--no-", setting.name), description)
        ->each([&setting, &options](const std::string& value) { Set(setting, {value}, options); });
  }

  CLI::App app_{std::string(kDescription), "quantd"};
  CLI::Option* config_ = nullptr;
  std::vector<CLI::Option*> bound_;
};

// Describes what is wrong with a key of the configuration file.
std::string ConfigComplaint(const CLI::ConfigError& error) {
  constexpr absl::string_view kUnknownKey = "INI was not able to parse ";
  absl::string_view complaint = error.what();
  if (!absl::ConsumePrefix(&complaint, kUnknownKey)) {
    return std::string(complaint);
  }
  absl::ConsumeSuffix(&complaint, ".++");  // CLI11 appends this to sections.
  return absl::StrCat("'", complaint, "' is not a setting");
}

// Parses only `arguments`. Error messages start with `source`.
absl::Status ParseArguments(absl::string_view source, const Values& arguments, Parser& parser) {
  try {
    parser.Parse(arguments);
  } catch (const CLI::ConfigError& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(source, ConfigComplaint(error),
                     "; expected the name of a flag, without dashes and without sections: correct "
                     "or remove it"));
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(absl::StrCat(source, error.what()));
  }
  return absl::OkStatus();
}

// Converts the value of an environment variable to arguments for `setting`, as they
// would be given on the command line.
Values AsArguments(const Setting& setting, const std::string& value) {
  Values arguments;
  if (setting.kind != Setting::Kind::kList) {
    return {absl::StrCat("--", setting.name, "=", value)};
  }
  for (const absl::string_view part : absl::StrSplit(value, ',', absl::SkipWhitespace())) {
    arguments.push_back(absl::StrCat("--", setting.name, "=", absl::StripAsciiWhitespace(part)));
  }
  return arguments;
}

// Returns arguments for the flags that are set by an environment variable and are
// not given on the command line.
absl::StatusOr<Values> EnvironmentArguments(const std::vector<Setting>& settings,
                                            const Parser& command_line,
                                            const Environment& environment) {
  Values all;
  for (std::size_t i = 0; i < settings.size(); ++i) {
    const std::string name = EnvironmentName(settings[i].name);
    const auto variable = environment.find(name);
    if (command_line.IsGiven(i) || variable == environment.end()) {
      continue;
    }
    const Values arguments = AsArguments(settings[i], variable->second);
    // Each variable is parsed on its own first, so that an error can name it.
    Options options;
    Requests requests;
    Parser parser(settings, /*read_file=*/false, options, requests);
    RETURN_IF_ERROR(
        ParseArguments(absl::StrCat("the environment variable ", name, ": "), arguments, parser));
    all.insert(all.end(), arguments.begin(), arguments.end());
  }
  return all;
}

// Checks limits that involve more than one flag, or only the final value of one.
absl::Status CheckLimits(const Options& options) {
  if (options.max_in_flight_bytes < options.max_message_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--max-in-flight-bytes is ", FormatByteSize(options.max_in_flight_bytes),
        " and --max-message-bytes ", FormatByteSize(options.max_message_bytes),
        "; expected enough room in flight for the largest message: raise the first or lower the "
        "second"));
  }
  if (options.max_message_bytes > kMaxMaxMessageBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--max-message-bytes is ", FormatByteSize(options.max_message_bytes), "; expected at most ",
        FormatByteSize(kMaxMaxMessageBytes), ": send larger tensors in parts"));
  }
  return absl::OkStatus();
}

std::string VersionText() {
  return absl::StrCat("quantd ", std::string(kVersion), " (", std::string(kRevision), ")\n");
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(std::span<const std::string> arguments,
                                             const Environment& environment) {
  const std::vector<Setting> settings = MakeSettings();
  CommandLine result;
  Requests requests;
  Parser command_line(settings, /*read_file=*/false, result.options, requests);
  Values all(arguments.begin(), arguments.end());
  try {
    command_line.Parse(all);
  } catch (const CLI::CallForHelp&) {
    // A new parser is needed because --help shows the defaults, not the values that
    // were parsed so far.
    Options defaults;
    result.answer = Parser(settings, /*read_file=*/false, defaults, requests).Help();
    return result;
  } catch (const command_line::CallForDocumentation& call) {
    result.answer = call.what();
    return result;
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(error.what());
  }
  if (requests.version) {
    result.answer = VersionText();
    return result;
  }

  // In CLI11, the file overrides the environment. Passing the variables as arguments
  // makes them override the file.
  ASSIGN_OR_RETURN(const Values variables,
                   EnvironmentArguments(settings, command_line, environment));
  all.insert(all.end(), variables.begin(), variables.end());
  if (const auto config = environment.find("QUANTD_CONFIG");
      config != environment.end() && !command_line.IsConfigGiven()) {
    requests.config = config->second;
    all.push_back("--config=" + requests.config);
  }

  result.options = Options();
  Parser everything(settings, /*read_file=*/true, result.options, requests);
  const std::string source =
      requests.config.empty() ? "" : absl::StrCat("the configuration file ", requests.config, ": ");
  RETURN_IF_ERROR(ParseArguments(source, all, everything));
  RETURN_IF_ERROR(CheckLimits(result.options));
  if (requests.check_config) {
    result.answer = FormatConfiguration(result.options);
  }
  return result;
}

std::string FormatConfiguration(const Options& options) {
  std::string text;
  for (const Setting& setting : MakeSettings()) {
    absl::StrAppend(&text, "# ", setting.description, ".\n", setting.name, " = ",
                    FormatValues(setting, setting.get(options)), "\n");
  }
  return text;
}

}  // namespace quantd::server
