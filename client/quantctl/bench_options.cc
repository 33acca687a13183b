#include "client/quantctl/bench_options.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "client/library/atomic_file.h"
#include "client/library/npy.h"
#include "client/load/format.h"
#include "client/load/request.h"
#include "client/quantctl/tensor_files.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"
#include "core/numerics.h"
#include "core/parameter_layout.h"
#include "core/tensor_shape.h"
#include "wire/operations.h"

namespace quantd::client {
namespace {

constexpr std::size_t kClosedLoopConcurrency = 8;
constexpr std::size_t kOpenLoopConcurrency = 128;
constexpr std::size_t kMaxConnections = 4096;

constexpr std::chrono::seconds kDuration{10};
constexpr std::chrono::seconds kSweepStepDuration{3};
constexpr std::chrono::seconds kSearchWindow{1};

// Three in a thousand of the normally distributed values lie outside this range.
constexpr float kRangeEnd = 3;
constexpr std::uint64_t kTensorSeed = 1;

constexpr ParameterSources kBenchSources{.from_data = true};

// Returns the name by which --method chooses a method of an operation.
std::string ChoiceOf(const wire::Method& method) {
  const std::string name = wire::VisitOperation(
      method.operation, []<typename Operation>() { return std::string(Operation::kCommand); });
  return method.transfer == wire::Transfer::kStream ? absl::StrCat("stream-", name) : name;
}

// The methods that can be chosen, by their names, in their order.
std::vector<std::pair<std::string, wire::Method>> MethodChoices() {
  std::vector<std::pair<std::string, wire::Method>> choices;
  for (const wire::Method& method : wire::kMethods) {
    if (method.operation != wire::kOperationCount) {
      choices.emplace_back(ChoiceOf(method), method);
    }
  }
  return choices;
}

// Adds an option whose text is parsed by `read`, which may throw.
template <typename Read>
CLI::Option* AddOption(CLI::App& command, const std::string& name, const std::string& type,
                       const std::string& description, Read read) {
  return command.add_option_function<std::string>(name, std::move(read), description)
      ->type_name(type);
}

void AddContentOptions(CLI::App& command, BenchOptions* options) {
  std::vector<std::string> names;
  std::ranges::transform(MethodChoices(), std::back_inserter(names),
                         [](const auto& choice) { return choice.first; });
  AddOption(command, "--method", absl::StrJoin(names, "|"), "The method to call",
            [options](const std::string& name) {
              for (const auto& [choice, method] : MethodChoices()) {
                if (choice == name) {
                  options->method = method;
                }
              }
            })
      ->check(CLI::IsMember(names).description(""))
      ->default_str(names.front());
  AddOption(command, "--shape", "N,…", "Dimensions of the tensors, which have random values",
            [options](const std::string& text) { options->shape = ReadShape(text); })
      ->default_str(absl::StrJoin(options->shape, ","));
  AddOption(command, "--mix", "WEIGHT:SIZE,…",
            "Tensors of several sizes, with their relative frequencies: 90:4KiB,9:1MiB,1:64MiB",
            [options](const std::string& text) { options->mix = ReadMix(text); });
  command.add_option("--input", options->input, ".npy file: the tensor to send")->type_name("FILE");
  std::vector<core::ElementType> types = FloatTypes();
  const std::vector<core::ElementType> code_types = CodeTypes();
  types.insert(types.end(), code_types.begin(), code_types.end());
  AddTypeOption(command, "--type", types,
                "Element type of the tensors. Default: float32, and uint8 for dequantize; with "
                "--input, that of the file",
                [options](core::ElementType type) { options->type = type; });
  AddTypeOption(command, "--output-type", types,
                "Element type of the answers. Default: uint8 for quantize, float32 for dequantize; "
                "other methods keep that of the tensors",
                [options](core::ElementType type) { options->output_type = type; });
  AddParameterOptions(command, kBenchSources, &options->parameters);
  AddSpecOptions(command, &options->spec);
}

void AddLoadOptions(CLI::App& command, BenchOptions* options) {
  AddOption(command, "--rate", "R",
            "Open loop: R calls per second are due, regardless of earlier calls, and latencies are "
            "measured from when a call was due. Default: a closed loop, where each answer starts "
            "the next call",
            [options](const std::string& text) { options->rate = ReadRate("--rate", text); });
  AddOption(command, "--arrivals", "constant|poisson",
            "How the due times of an open loop are distributed",
            [options](const std::string& name) {
              options->arrivals =
                  name == "poisson" ? ArrivalProcess::kPoisson : ArrivalProcess::kConstant;
            })
      ->check(CLI::IsMember(std::vector<std::string>{"constant", "poisson"}).description(""))
      ->default_str("constant");
  AddOption(command, "--concurrency", "N",
            absl::StrCat("Number of calls under way: the exact number in a closed loop (default ",
                         kClosedLoopConcurrency, "), the maximum in an open loop (default ",
                         kOpenLoopConcurrency, ")"),
            [options](const std::string& text) {
              options->concurrency = ReadCount("--concurrency", text, kMaxConcurrency);
            });
  AddOption(command, "--connections", "N",
            "Number of connections, which share the calls equally; stream methods use one stream "
            "per connection",
            [options](const std::string& text) {
              options->connections = ReadCount("--connections", text, kMaxConnections);
            })
      ->default_str("1");
  AddOption(
      command, "--duration", "TIME",
      "How long to send calls: in total (default 10s), per step of a sweep (3s), or per window "
      "of a search (1s)",
      [options](const std::string& text) {
        options->duration = ReadDuration("--duration", text);
        if (options->duration->count() == 0) {
          Refuse("--duration is 0", "a time above 0, such as 10s");
        }
      });
  AddOption(command, "--requests", "N",
            "Number of calls to make; with --duration, whichever limit is reached first applies",
            [options](const std::string& text) {
              constexpr std::uint64_t kMaxRequests = 1'000'000'000'000;
              options->requests = ReadCount("--requests", text, kMaxRequests);
            });
  AddOption(
      command, "--warmup", "TIME", "How long to run the same load first, without counting it",
      [options](const std::string& text) { options->warmup = ReadDuration("--warmup", text); })
      ->default_str("1s");
  command.add_option("--seed", options->seed, "Seed of random arrivals and mixes")
      ->type_name("N")
      ->capture_default_str();
}

void AddSeriesOptions(CLI::App& command, BenchOptions* options) {
  AddOption(command, "--sweep-rate", "A..B:STEP", "Runs open loops at increasing rates",
            [options](const std::string& text) { options->sweep_rates = ReadRates(text); });
  AddOption(command, "--sweep-concurrency", "A..B[:STEP]",
            "Runs closed loops with more and more calls under way: doubled each time, or raised by "
            "STEP",
            [options](const std::string& text) {
              options->sweep_concurrencies = ReadConcurrencies(text);
            });
  command.add_flag("--find-max-rate", options->find_max_rate,
                   "Finds the highest rate that meets --latency-target; a rate is given up after "
                   "three trials");
  AddOption(command, "--latency-target", "FIGURE=TIME",
            "The latency that --find-max-rate has to meet, such as p99=5ms",
            [options](const std::string& text) {
              absl::StatusOr<LatencyTarget> target = ParseLatencyTarget(text);
              if (!target.ok()) {
                throw CLI::ValidationError(std::string(target.status().message()));
              }
              options->latency_target = *target;
              options->latency_target_text = text;
            });
}

void AddReportOptions(CLI::App& command, BenchOptions* options) {
  AddOption(command, "--verify", "[SHARE]",
            "Compares all answers, or a share of them (--verify=5%), with a locally computed "
            "reference",
            [options](const std::string& text) { options->verified_share = ReadShare(text); })
      ->expected(0, 1);
  command
      .add_option("--metrics-url", options->metrics_url,
                  "The server's metrics page, such as http://localhost:9464/metrics; adds the "
                  "server's own view to the report")
      ->type_name("URL");
  AddOption(command, "--output", "text|json|csv", "Format of the printed result",
            [options](const std::string& name) {
              options->output = name == "json"  ? LoadOutput::kJson
                                : name == "csv" ? LoadOutput::kCsv
                                                : LoadOutput::kText;
            })
      ->check(CLI::IsMember(std::vector<std::string>{"text", "json", "csv"}).description(""))
      ->default_str("text");
  command
      .add_option("--report", options->report,
                  "HTML file to write, or - for the standard output: a page with charts")
      ->type_name("FILE");
  command
      .add_option_function<std::vector<std::string>>(
          "--fail-if",
          [options](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) {
              absl::StatusOr<Condition> condition = Condition::Parse(text);
              if (!condition.ok()) {
                throw CLI::ValidationError(std::string(condition.status().message()));
              }
              options->fail_if.push_back(*std::move(condition));
            }
          },
          "Exits with code 3 if this condition holds, such as 'p99>10ms', 'error_rate>0.1%', "
          "'calls_per_second<1000' or 'saturated'; a call that failed counts as infinitely late; "
          "may be repeated")
      ->type_name("CONDITION")
      ->allow_extra_args(false);
}

// Whether the method takes codes, or gives them.
bool TakesCodes(const BenchOptions& options) {
  return options.method.operation == wire::kOperationIndex<wire::Dequantize>;
}
bool GivesCodes(const BenchOptions& options) {
  return options.method.operation == wire::kOperationIndex<wire::Quantize>;
}

core::ElementType InputType(const BenchOptions& options) {
  return options.type.value_or(TakesCodes(options) ? core::ElementType::kUint8
                                                   : core::ElementType::kFloat32);
}

core::ElementType OutputType(const BenchOptions& options) {
  return options.output_type.value_or(GivesCodes(options) ? core::ElementType::kUint8
                                                          : core::ElementType::kFloat32);
}

// Whether the parameters are scales if none are given: some numerics take no range, and
// only scales have blocks.
bool HasScales(const BenchOptions& options) {
  return options.parameters.block_size.has_value() ||
         (options.spec.numerics.has_value() &&
          !core::RowOf(*options.spec.numerics).range.has_value());
}

// Returns scales of which the codes represent about what the range of random data is,
// the same for all channels or blocks.
absl::StatusOr<ParameterValues> ScalesFor(const BenchOptions& options, const NpyArray& tensor) {
  const core::ElementTypeRow& codes =
      core::RowOf(TakesCodes(options)   ? tensor.elements.type()
                  : GivesCodes(options) ? OutputType(options)
                                        : core::ElementType::kUint8);
  const double levels = static_cast<double>(codes.highest) - codes.lowest;
  AffineValues values{.scale = {},
                      .zero_point = {},
                      .axis = options.parameters.axis,
                      .block_size = options.parameters.block_size};
  ASSIGN_OR_RETURN(const core::ParameterLayout layout,
                   core::MakeParameterLayout(tensor.shape, values.view()));
  values.scale.assign(layout.parameter_count(), static_cast<float>(2 * kRangeEnd / levels));
  values.zero_point.assign(layout.parameter_count(),
                           codes.lowest == 0 ? static_cast<std::int32_t>((levels + 1) / 2) : 0);
  return values;
}

// Returns the same range for all channels.
absl::StatusOr<ParameterValues> RangesFor(const BenchOptions& options, const NpyArray& tensor) {
  ASSIGN_OR_RETURN(const core::ChannelLayout layout,
                   core::MakeChannelLayout(tensor.shape, options.parameters.axis));
  return RangeValues{.min = std::vector<float>(layout.channels, -kRangeEnd),
                     .max = std::vector<float>(layout.channels, kRangeEnd),
                     .axis = options.parameters.axis};
}

// If no parameters are given, real data is quantized with its own range, and anything
// else with parameters that fit random data.
absl::StatusOr<ParameterValues> ParametersFor(const BenchOptions& options, const NpyArray& tensor,
                                              std::vector<std::string>* warnings) {
  const core::QuantizationSpec spec =
      GivesCodes(options) ? WithBitsOf(OutputType(options), options.spec) : options.spec;
  if (options.parameters.AreGiven()) {
    return LoadParameters(options.parameters, tensor, spec, warnings);
  }
  if (HasScales(options)) {
    return ScalesFor(options, tensor);
  }
  if (options.input.empty() || TakesCodes(options)) {
    return RangesFor(options, tensor);
  }
  ParameterOptions from_data = options.parameters;
  from_data.from_data = true;
  return LoadParameters(from_data, tensor, spec, warnings);
}

absl::StatusOr<Request> MakeRequest(const BenchOptions& options, NpyArray tensor,
                                    std::vector<std::string>* warnings) {
  ASSIGN_OR_RETURN(ParameterValues parameters, ParametersFor(options, tensor, warnings));
  return Request::Create({.operation = options.method.operation,
                          .tensor = std::move(tensor),
                          .parameters = std::move(parameters),
                          .spec = options.spec,
                          .output_type = OutputType(options)},
                         options.verified_share > 0);
}

absl::StatusOr<NpyArray> MakeTensor(const BenchOptions& options) {
  if (options.input.empty()) {
    return RandomTensor(options.shape, InputType(options), kTensorSeed);
  }
  ASSIGN_OR_RETURN(NpyArray tensor, ReadNpy(options.input));
  return options.type.has_value()
             ? Interpret(std::move(tensor), {.type = *options.type}, options.input)
             : tensor;
}

// Returns what distinguishes the answers from the tensors: "8 bits", "uint8".
std::string DescribeAnswer(const BenchOptions& options) {
  const std::string bits =
      options.spec.num_bits.has_value() ? absl::StrCat(", ", *options.spec.num_bits, " bits") : "";
  if (TakesCodes(options) || GivesCodes(options)) {
    return absl::StrCat(" to ", core::ToAbsl(core::RowOf(OutputType(options)).name), bits);
  }
  return bits.empty() ? absl::StrCat(", ", core::kDefaultNumBits, " bits") : bits;
}

// Checks before a long run that the report can be written after it.
void CheckReport(const std::filesystem::path& report) {
  if (report.empty() || IsStandardOutput(report)) {
    return;
  }
  const std::filesystem::path folder = report.has_parent_path() ? report.parent_path() : ".";
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    Refuse(absl::StrCat("--report: there is no folder ", folder.string()),
           "an existing one: create it, or choose another path");
  }
  const absl::Status status = CheckCanBeWritten(report);
  if (!status.ok()) {
    Refuse(absl::StrCat("--report: ", report.string(), " cannot be written (",
                        std::string(status.message()), ")"),
           "a file in a folder where files can be made: choose another path");
  }
}

}  // namespace

void AddBenchOptions(CLI::App& command, BenchOptions* options) {
  AddContentOptions(command, options);
  AddLoadOptions(command, options);
  AddSeriesOptions(command, options);
  AddReportOptions(command, options);
}

void CheckBenchOptions(const BenchOptions& options) {
  CheckReport(options.report);
  const int kinds = static_cast<int>(options.rate.has_value()) +
                    static_cast<int>(!options.sweep_rates.empty()) +
                    static_cast<int>(!options.sweep_concurrencies.empty()) +
                    static_cast<int>(options.find_max_rate);
  if (kinds > 1) {
    Refuse("the load is given twice",
           "only one of --rate, --sweep-rate, --sweep-concurrency and --find-max-rate");
  }
  if (!options.sweep_concurrencies.empty() && options.concurrency.has_value()) {
    Refuse("--sweep-concurrency and --concurrency are both given", "only one of them");
  }
  if (options.find_max_rate != options.latency_target.has_value()) {
    Refuse("--find-max-rate and --latency-target belong together",
           "both, such as --find-max-rate --latency-target p99=5ms, or neither");
  }
  if (options.find_max_rate && options.requests.has_value()) {
    Refuse("--requests cannot be used with --find-max-rate", "--duration, the length of a window");
  }
  if (!options.mix.empty() && !options.input.empty()) {
    Refuse("the tensors are given twice", "only one of --shape, --mix and --input");
  }
  if (!options.mix.empty() && options.parameters.axis.has_value()) {
    Refuse("--axis cannot be used with --mix, whose tensors have one dimension",
           "--shape with --axis");
  }
  if (options.parameters.AreGiven()) {
    CheckParameterOptions(options.parameters, kBenchSources);
  }
  if (options.output_type.has_value() && !TakesCodes(options) && !GivesCodes(options)) {
    Refuse(absl::StrCat("--output-type is given, but ", ChoiceOf(options.method),
                        " keeps the type of its tensors"),
           "it only with quantize or dequantize");
  }
  if (options.parameters.from_data && TakesCodes(options)) {
    Refuse("--range-from-data is given for codes", "the range that the codes were made with");
  }
  if (options.method.transfer == wire::Transfer::kStream) {
    for (const LoadPlan& plan : MakePlans(options)) {
      if (plan.concurrency < options.connections) {
        Refuse(absl::StrCat("--connections is ", options.connections, ", but only ",
                            plan.concurrency, " messages are under way"),
               "at least one message per connection: raise --concurrency or lower --connections");
      }
    }
  }
}

absl::StatusOr<Workload> MakeWorkload(const BenchOptions& options,
                                      std::vector<std::string>* warnings) {
  std::vector<Workload::Part> parts;
  if (options.mix.empty()) {
    ASSIGN_OR_RETURN(NpyArray tensor, MakeTensor(options));
    ASSIGN_OR_RETURN(Request request, MakeRequest(options, std::move(tensor), warnings));
    parts.push_back({.request = std::move(request)});
  }
  for (const MixPart& part : options.mix) {
    const core::ElementType type = InputType(options);
    const std::array shape = {static_cast<std::int64_t>(core::ElementsIn(type, part.bytes))};
    ASSIGN_OR_RETURN(Request request,
                     MakeRequest(options, RandomTensor(shape, type, kTensorSeed), warnings));
    parts.push_back({.request = std::move(request), .weight = part.weight});
  }
  return Workload(options.method, std::move(parts));
}

std::string DescribeTensors(const BenchOptions& options) {
  const absl::string_view type = core::ToAbsl(core::RowOf(InputType(options)).name);
  std::string tensors = absl::StrCat(type, " [", absl::StrJoin(options.shape, ","), "]");
  if (!options.input.empty()) {
    tensors = options.input;
  } else if (!options.mix.empty()) {
    tensors = absl::StrCat(
        type, ", ", absl::StrJoin(options.mix, " + ", [](std::string* text, const MixPart& part) {
          absl::StrAppend(text, part.weight, " × ", FormatBytes(static_cast<double>(part.bytes)));
        }));
  }
  tensors += DescribeAnswer(options);
  if (options.spec.numerics.has_value()) {
    absl::StrAppend(&tensors, ", ", OptionText(*options.spec.numerics));
  }
  if (options.parameters.axis.has_value()) {
    absl::StrAppend(&tensors, ", per ",
                    options.parameters.block_size.has_value() ? "block" : "channel", " of axis ",
                    *options.parameters.axis);
  }
  return tensors;
}

std::vector<LoadPlan> MakePlans(const BenchOptions& options) {
  const bool is_sweep = !options.sweep_rates.empty() || !options.sweep_concurrencies.empty();
  const bool is_open =
      options.rate.has_value() || !options.sweep_rates.empty() || options.find_max_rate;
  LoadPlan plan{
      .rate = options.rate,
      .arrivals = options.arrivals,
      .concurrency =
          options.concurrency.value_or(is_open ? kOpenLoopConcurrency : kClosedLoopConcurrency),
      .duration = options.duration,
      .calls = options.requests,
      .verified_share = options.verified_share,
      .seed = options.seed,
  };
  if (!plan.duration.has_value() && !plan.calls.has_value()) {
    plan.duration =
        is_sweep ? kSweepStepDuration : (options.find_max_rate ? kSearchWindow : kDuration);
  }
  if (!is_sweep) {
    return {plan};
  }
  std::vector<LoadPlan> plans;
  for (const double rate : options.sweep_rates) {
    plans.push_back(plan);
    plans.back().rate = rate;
  }
  for (const std::size_t concurrency : options.sweep_concurrencies) {
    plans.push_back(plan);
    plans.back().concurrency = concurrency;
  }
  return plans;
}

std::string BenchMethodName(const BenchOptions& options) { return ChoiceOf(options.method); }

}  // namespace quantd::client
