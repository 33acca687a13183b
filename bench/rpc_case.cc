#include "bench/rpc_case.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace quantd::bench {
namespace {

using Json = nlohmann::ordered_json;

const std::map<std::string, Answer> kAnswers = {{"echo", Answer::kEcho},
                                                {"fake_quantized", Answer::kFakeQuantized}};
const std::map<std::string, Transfer> kTransfers = {{"unary", Transfer::kUnary},
                                                    {"stream", Transfer::kStream},
                                                    {"client", Transfer::kClientLibrary}};
const std::map<std::string, MessageKind> kMessageKinds = {{"raw", MessageKind::kRaw},
                                                          {"message", MessageKind::kGenerated}};

// The values of the flags before they are checked and combined.
struct FlagValues {
  RpcCase rpc_case;
  std::int64_t warmup_milliseconds = 100;
  std::int64_t duration_milliseconds = 1000;
  pid_t server_process = 0;
  std::vector<std::string> channel_arguments;
  std::string ca;
};

// Makes CLI11 accept one of `names` and convert it to its value.
template <typename Value>
CLI::CheckedTransformer OneOf(const std::map<std::string, Value>& names) {
  return CLI::CheckedTransformer(names);
}

void AddFlags(CLI::App& app, FlagValues* values) {
  RpcCase& rpc_case = values->rpc_case;
  app.add_option("--server_address", rpc_case.server_address, "HOST:PORT or unix:PATH")->required();
  app.add_option("--ca", values->ca, "the certificates to trust, in PEM, for a server with TLS")
      ->check(CLI::ExistingFile);
  app.add_option("--server_process", values->server_process,
                 "process id of the server, to measure its CPU time");
  app.add_option("--answer", rpc_case.answer, "what the server answers: echo or fake_quantized")
      ->transform(OneOf(kAnswers));
  app.add_option("--method", rpc_case.transfer,
                 "unary, stream, or client for quantd's client library")
      ->transform(OneOf(kTransfers));
  app.add_option("--client", rpc_case.message_kind,
                 "raw bytes, or message for generated classes; not with --method client")
      ->transform(OneOf(kMessageKinds));
  app.add_option("--tensor_bytes", rpc_case.tensor_bytes, "size of the tensor: a multiple of 4");
  app.add_option("--in_flight", rpc_case.limits.in_flight,
                 "number of tensors that are always in flight")
      ->check(CLI::Range(1, 1 << 20));
  app.add_option("--warmup_ms", values->warmup_milliseconds, "milliseconds before measuring")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--duration_ms", values->duration_milliseconds, "milliseconds to measure")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--minimum_calls", rpc_case.limits.calls,
                 "least number of calls to measure; rounded up to a multiple of --in_flight")
      ->check(CLI::PositiveNumber);
  app.add_option("--channel_argument", values->channel_arguments,
                 "NAME=VALUE, a setting of gRPC; may be repeated; not with --method client")
      ->allow_extra_args(false);
}

absl::StatusOr<RpcCase> PutTogether(FlagValues values) {
  RpcCase rpc_case = std::move(values.rpc_case);
  if (rpc_case.tensor_bytes == 0 || rpc_case.tensor_bytes % sizeof(float) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tensor_bytes is ", rpc_case.tensor_bytes,
                     "; expected a multiple of 4 above 0, because elements are float32"));
  }
  if (rpc_case.transfer == Transfer::kClientLibrary && rpc_case.limits.in_flight != 1) {
    return absl::InvalidArgumentError(
        "--in_flight is above 1 with --method client; expected 1, because its calls block");
  }
  for (const std::string& text : values.channel_arguments) {
    ASSIGN_OR_RETURN(ChannelArgument argument, ParseChannelArgument(text));
    rpc_case.channel_arguments.push_back(std::move(argument));
  }
  if (!values.ca.empty()) {
    std::ifstream file(values.ca);
    rpc_case.root_certificates.assign(std::istreambuf_iterator<char>(file), {});
  }
  rpc_case.limits.warmup = std::chrono::milliseconds(values.warmup_milliseconds);
  rpc_case.limits.duration = std::chrono::milliseconds(values.duration_milliseconds);
  if (values.server_process != 0) {
    rpc_case.server_process = values.server_process;
  }
  return rpc_case;
}

std::string FlagOf(const std::string& name, const Json& value) {
  return absl::StrCat("--", name, "=", value.is_string() ? value.get<std::string>() : value.dump());
}

double PerGigabyte(Seconds time, double gigabytes) { return time.count() / gigabytes; }

}  // namespace

absl::StatusOr<RpcCase> ParseFlags(const std::vector<std::string>& flags) {
  FlagValues values;
  CLI::App app("Measures a server of quantd.v1.QuantizationService and prints a JSON object.",
               "rpc_benchmark");
  AddFlags(app, &values);
  // CLI11 expects the last flag first.
  std::vector<std::string> reversed(flags.rbegin(), flags.rend());
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    return absl::OutOfRangeError(
        app.help() +
        "\nWith only --cases: reads one case per line from stdin, as a JSON object with these "
        "names as keys.\n");
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(error.what());
  }
  return PutTogether(std::move(values));
}

absl::StatusOr<RpcCase> ParseJson(const std::string& text) {
  const Json object = Json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not a valid case; expected a JSON object on one line"));
  }
  std::vector<std::string> flags;
  for (const auto& [name, value] : object.items()) {
    for (const Json& element : value.is_array() ? value : Json::array({value})) {
      flags.push_back(FlagOf(name, element));
    }
  }
  return ParseFlags(flags);
}

std::string FormatJson(const RpcCase& rpc_case, const MeasurementResult& result) {
  const std::size_t calls = result.latencies.size();
  // Each call sends one tensor and receives another.
  const double gigabytes = static_cast<double>(2 * rpc_case.tensor_bytes * calls) / 1e9;
  Json object = {
      {"calls", calls},
      {"seconds", result.time.count()},
      {"calls_per_second", static_cast<double>(calls) / result.time.count()},
      {"gigabytes_per_second", gigabytes / result.time.count()},
      {"p50_seconds", result.Latency(0.5).count()},
      {"p99_seconds", result.Latency(0.99).count()},
      {"client_cpu_seconds", result.client_cpu_time.count()},
      {"client_cpu_seconds_per_gigabyte", PerGigabyte(result.client_cpu_time, gigabytes)},
  };
  if (result.server_cpu_time.has_value()) {
    object["server_cpu_seconds"] = result.server_cpu_time->count();
    object["server_cpu_seconds_per_gigabyte"] = PerGigabyte(*result.server_cpu_time, gigabytes);
  }
  return object.dump();
}

}  // namespace quantd::bench
