// The options of `quantctl bench`.

#ifndef QUANTD_CLIENT_QUANTCTL_BENCH_OPTIONS_H_
#define QUANTD_CLIENT_QUANTCTL_BENCH_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/load/arrivals.h"
#include "client/load/condition.h"
#include "client/load/latency_figure.h"
#include "client/load/load_result.h"
#include "client/load/workload.h"
#include "client/quantctl/bench_values.h"
#include "client/quantctl/parameter_options.h"
#include "core/base/element_type.h"
#include "core/quantization.h"
#include "wire/methods.h"

namespace quantd::client {

enum class LoadOutput { kText, kJson, kCsv };

struct BenchOptions {
  // What is sent. The tensors come from `input` if it is set, otherwise from `mix` if
  // it is set, otherwise from `shape`.
  wire::Method method = wire::kMethods.front();
  std::vector<std::int64_t> shape = {1024};
  std::string input;
  std::vector<MixPart> mix;
  // The type of the elements; nothing for the usual one of the method, or the file's.
  std::optional<core::ElementType> type;
  // The type of the answers, for methods that let the request choose it.
  std::optional<core::ElementType> output_type;
  ParameterOptions parameters;
  core::QuantizationSpec spec;

  // How it is sent.
  std::optional<double> rate;
  ArrivalProcess arrivals = ArrivalProcess::kConstant;
  std::optional<std::size_t> concurrency;
  std::size_t connections = 1;
  std::optional<std::chrono::nanoseconds> duration;
  std::optional<std::uint64_t> requests;
  std::chrono::nanoseconds warmup = std::chrono::seconds(1);
  std::vector<double> sweep_rates;
  std::vector<std::size_t> sweep_concurrencies;
  bool find_max_rate = false;
  std::optional<LatencyTarget> latency_target;
  std::string latency_target_text;
  std::uint64_t seed = 1;

  // What is checked, and how it is reported.
  double verified_share = 0;
  std::string metrics_url;
  LoadOutput output = LoadOutput::kText;
  std::string report;
  std::vector<Condition> fail_if;
};

// Adds all options to `command`. Parsing sets `options`, which must outlive
// `command`.
void AddBenchOptions(CLI::App& command, BenchOptions* options);

// Throws CLI::ValidationError, with a message that says what to give, if the
// options contradict each other, or the report cannot be written.
void CheckBenchOptions(const BenchOptions& options);

// Makes the requests of checked options, ready to be sent. Reads files. Adds the warnings
// of LoadParameters().
//
// Errors: those of reading files; core's errors if the parameters or the spec do not
// fit the tensors.
absl::StatusOr<Workload> MakeWorkload(const BenchOptions& options,
                                      std::vector<std::string>* warnings);

// Describes the load's tensors in words: "float32 [1024], 8 bits".
std::string DescribeTensors(const BenchOptions& options);

// Returns the loads to run one after another: a single one, or the steps of a
// sweep. For a search, returns one window in a closed loop.
std::vector<LoadPlan> MakePlans(const BenchOptions& options);

// Returns the value of --method: "fake-quantize", "stream-gradient", …
std::string BenchMethodName(const BenchOptions& options);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_BENCH_OPTIONS_H_
