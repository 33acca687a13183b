// Runs the contenders that are C++, one call after another, on request.
// bench/contest.py sends requests through the standard input, and sends others to
// the runners of the other peers, so that all of them take turns.
//
//   kernel_runner FOLDER
//
// FOLDER holds the tensors and ranges that all runners work on, as plain float32:
// inputs.f32 and gradients.f32 (of one size), min.f32, max.f32, scale.f32 and
// zero_point.f32 (one value per channel of the widest problem); and codes.bin, which
// has two bytes for each element. Smaller tensors, and fewer channels, are the first
// elements of these.
//
// The first line of output is JSON that lists the contenders, their operations and
// their versions. Each line
//
//   time CONTENDER OPERATION CHANNELS BYTES MILLISECONDS
//
// is answered by `ok SECONDS`, the median duration of the calls within at least
// MILLISECONDS, or that of a single call if it takes as long. Each line
//
//   write CONTENDER OPERATION CHANNELS BYTES PATH
//
// writes the results of a call to PATH, as plain elements, and is answered by `ok`:
// the outputs and, of a gradient, those with respect to min and max. BYTES is the size
// of a float32 tensor with as many elements. CHANNELS are along the last axis; -n
// stands for n along the first one (with codes and 16-bit floats), and 0 for one range
// for the whole tensor. A request that fails is answered by `error MESSAGE`.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <ios>
#include <iostream>
#include <iterator>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "bench/aligned_floats.h"
#include "bench/contenders/contender.h"
#include "bench/contenders/limits.h"
#include "bench/contenders/quantd_affine.h"
#include "bench/contenders/throw_if_error.h"
#include "core/base/element_type.h"
#include "core/base/tensor_view.h"
#include "core/fake_quantization.h"
#include "core/quantization.h"
#include "core/simd_target.h"
#include "core/worker_pool.h"
#ifdef QUANTD_BENCH_EIGEN
#include "bench/contenders/eigen_expressions.h"
#endif
#ifdef QUANTD_BENCH_XNNPACK
#include "bench/contenders/xnnpack_operators.h"
#endif

namespace quantd::bench {
namespace {

constexpr std::uint32_t kNumBits = 8;

AlignedFloats ReadFloats(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff bytes = file.tellg();
  if (!file || bytes <= 0) {
    throw std::runtime_error("cannot read " + path + ": expected a file of float32 values");
  }
  AlignedFloats floats(static_cast<std::size_t>(bytes) / sizeof(float));
  file.seekg(0);
  if (!file.read(reinterpret_cast<char*>(floats.get().data()), bytes)) {
    throw std::runtime_error("cannot read all of " + path);
  }
  return floats;
}

void WriteBytes(std::ofstream& file, std::span<const std::byte> bytes) {
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

// Returns the type of the outputs of an operation.
core::ElementType OutputType(std::string_view operation) {
  for (const core::ElementTypeRow& row : core::kElementTypeTable) {
    const std::string name(row.name);
    if (operation == "quantize_" + name || operation == "forward_" + name) {
      return row.type;
    }
  }
  return core::ElementType::kFloat32;
}

// A quantization, and the shape of the tensors of a problem.
struct Quantization {
  explicit Quantization(const Problem& problem)
      : shape{static_cast<std::int64_t>(problem.inputs.size() / problem.min.size()),
              static_cast<std::int64_t>(problem.min.size())},
        plan(Make(core::FakeQuantization::Create, problem)),
        gradient(Make(core::FakeQuantization::CreateForGradient, problem)) {}

  core::TensorView View(std::span<const float> elements) const { return {shape, elements}; }

  std::vector<std::int64_t> shape;
  core::FakeQuantization plan;
  core::FakeQuantization gradient;

 private:
  template <typename Create>
  static core::FakeQuantization Make(Create create, const Problem& problem) {
    const auto axis = problem.per_channel ? std::optional<std::int32_t>(1) : std::nullopt;
    return ValueOrThrow(create(core::Range{.min = problem.min, .max = problem.max, .axis = axis},
                               {.num_bits = kNumBits}, core::ElementType::kFloat32));
  }
};

// Adds the library under test, on one thread if `pool` is null.
void AddQuantd(const std::string& name, const std::shared_ptr<core::WorkerPool>& pool,
               std::vector<Contender>& contenders) {
  contenders.push_back({.name = name, .operation = "forward", .prepare = [=](const Problem& p) {
                          return [=, quantization = Quantization(p)] {
                            ThrowIfError(quantization.plan.Apply(quantization.View(p.inputs),
                                                                 p.outputs, pool.get()));
                          };
                        }});
  contenders.push_back(
      {.name = name, .operation = "gradient", .prepare = [=](const Problem& p) {
         const core::FakeQuantization::Gradients result{
             .input = p.outputs, .min = p.min_gradients, .max = p.max_gradients};
         return [=, quantization = Quantization(p)] {
           ThrowIfError(quantization.gradient.ApplyGradient(
               quantization.View(p.gradients), quantization.View(p.inputs), result, pool.get()));
         };
       }});
}

std::vector<NudgedChannel> Nudge(std::span<const float> min, std::span<const float> max) {
  const auto quantization = ValueOrThrow(core::FakeQuantization::Create(
      core::Range{.min = min, .max = max, .axis = 0}, {.num_bits = kNumBits}));
  const core::NudgedRange* const range = quantization.nudged_range();
  constexpr auto kLevels = static_cast<float>((1U << kNumBits) - 1);
  std::vector<NudgedChannel> nudged;
  for (std::size_t i = 0; i < min.size(); ++i) {
    const float inverse_scale = kLevels / (max[i] - min[i]);
    nudged.push_back({.nudged_min = range->min[i],
                      .nudged_max = range->max[i],
                      .scale = range->scale[i],
                      .inverse_scale = inverse_scale,
                      .quant_zero = std::floor(-range->min[i] * inverse_scale + 0.5F)});
  }
  return nudged;
}

#ifdef QUANTD_BENCH_EIGEN_AVX2
bool HasAvx2() {
  return static_cast<bool>(__builtin_cpu_supports("avx2")) &&
         static_cast<bool>(__builtin_cpu_supports("fma"));
}
#endif

std::vector<Contender> AllContenders() {
  const std::size_t threads = std::max(1U, std::thread::hardware_concurrency());
  std::vector<Contender> contenders;
  const auto add = [&](std::vector<Contender> more) {
    std::ranges::move(more, std::back_inserter(contenders));
  };
  add(Limits());
  AddQuantd("quantd", nullptr, contenders);
  AddQuantd("quantd_threads", std::make_shared<core::WorkerPool>(threads), contenders);
  add(QuantdWithScales());
#ifdef QUANTD_BENCH_EIGEN
  add(EigenForThisMachine(threads));
#endif
#ifdef QUANTD_BENCH_XNNPACK
  add(XnnpackOperators());
#endif
#ifdef QUANTD_BENCH_EIGEN_AVX2
  if (HasAvx2()) {
    add(EigenForAvx2(threads));
  }
#endif
  return contenders;
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

// Returns the median duration of a call, in which calls that were interrupted weigh
// little.
double SecondsPerCall(const Call& call, double least_seconds) {
  using Clock = std::chrono::steady_clock;
  const auto seconds_of = [&](std::int64_t calls) {
    const Clock::time_point start = Clock::now();
    for (std::int64_t i = 0; i < calls; ++i) {
      call();
    }
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const double warm_up = seconds_of(1);
  if (warm_up >= least_seconds) {
    return warm_up;
  }
  // Several short calls for each look at the clock, which takes time itself.
  const auto calls_per_look = static_cast<std::int64_t>(std::max(1.0, 1e-4 / warm_up));
  std::vector<double> durations;
  for (double seconds = 0; seconds < least_seconds;) {
    const double duration = seconds_of(calls_per_look);
    seconds += duration;
    durations.push_back(duration / static_cast<double>(calls_per_look));
  }
  return Median(std::move(durations));
}

class Runner {
 public:
  explicit Runner(const std::string& folder)
      : inputs_(ReadFloats(folder + "/inputs.f32")),
        gradients_(ReadFloats(folder + "/gradients.f32")),
        min_(ReadFloats(folder + "/min.f32")),
        max_(ReadFloats(folder + "/max.f32")),
        scale_(ReadFloats(folder + "/scale.f32")),
        codes_(ReadFloats(folder + "/codes.bin")),
        outputs_(inputs_.get().size()),
        min_gradients_(min_.get().size()),
        max_gradients_(min_.get().size()),
        contenders_(AllContenders()) {
    const AlignedFloats zero_point = ReadFloats(folder + "/zero_point.f32");
    zero_point_.assign(zero_point.get().begin(), zero_point.get().end());
    if (gradients_.get().size() != inputs_.get().size() ||
        2 * codes_.get().size() != inputs_.get().size() || max_.get().size() != min_.get().size() ||
        scale_.get().size() != min_.get().size() || zero_point_.size() != min_.get().size()) {
      throw std::runtime_error("the tensors, or the parameters, in " + folder +
                               " differ in their number of elements");
    }
    nudged_ = Nudge(min_.get(), max_.get());
    ForgetResults();
  }

  std::string Greeting() const {
    nlohmann::json contenders = nlohmann::json::array();
    for (const Contender& contender : contenders_) {
      contenders.push_back({contender.name, contender.operation});
    }
    nlohmann::json versions = {{"SIMD target", core::ActiveSimdTarget()}};
#ifdef QUANTD_BENCH_EIGEN
    versions["Eigen"] = EigenVersion();
#endif
    return nlohmann::json{{"contenders", contenders}, {"versions", versions}}.dump();
  }

  // Returns the answer to a line of input.
  std::string Answer(const std::string& line) {
    try {
      return Execute(line);
    } catch (const std::exception& error) {
      return std::string("error ") + error.what();
    }
  }

 private:
  std::string Execute(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    std::string name;
    std::string operation;
    std::string argument;
    std::ptrdiff_t channels = 0;
    std::size_t bytes = 0;
    if (!(words >> command >> name >> operation >> channels >> bytes >> std::ws) ||
        !std::getline(words, argument)) {
      throw std::runtime_error("\"" + line +
                               "\" is not a valid command; expected COMMAND CONTENDER OPERATION "
                               "CHANNELS BYTES and MILLISECONDS or PATH");
    }
    const Problem problem = MakeProblem(channels, bytes);
    const Call call = Find(name, operation).prepare(problem);
    if (command == "time") {
      std::ostringstream answer;
      answer << "ok " << SecondsPerCall(call, std::stod(argument) / 1000);
      return answer.str();
    }
    if (command == "write") {
      Write(problem, operation, call, argument);
      return "ok";
    }
    throw std::runtime_error("the command \"" + command + "\" is neither time nor write");
  }

  Problem MakeProblem(std::ptrdiff_t channels, std::size_t bytes) const {
    const std::size_t count = bytes / sizeof(float);
    const auto ranges = static_cast<std::size_t>(std::max<std::ptrdiff_t>(1, std::abs(channels)));
    if (count == 0 || count > inputs_.get().size() || count % ranges != 0 ||
        ranges > min_.get().size()) {
      throw std::runtime_error(std::to_string(bytes) + " bytes in " + std::to_string(channels) +
                               " channels are not whole rows within the tensors");
    }
    return {.per_channel = channels != 0,
            .along_first_axis = channels < 0,
            .inputs = inputs_.get().first(count),
            .gradients = gradients_.get().first(count),
            .outputs = outputs_.get().first(count),
            .min = min_.get().first(ranges),
            .max = max_.get().first(ranges),
            .nudged = std::span(nudged_).first(ranges),
            .min_gradients = min_gradients_.get().first(ranges),
            .max_gradients = max_gradients_.get().first(ranges),
            .scale = scale_.get().first(ranges),
            .zero_point = std::span(zero_point_).first(ranges),
            .codes = std::as_bytes(codes_.get()).first(2 * count)};
  }

  const Contender& Find(std::string_view name, std::string_view operation) const {
    const auto found = std::ranges::find_if(contenders_, [=](const Contender& contender) {
      return contender.name == name && contender.operation == operation;
    });
    if (found == contenders_.end()) {
      throw std::runtime_error("there is no contender " + std::string(name) +
                               " with the operation " + std::string(operation));
    }
    return *found;
  }

  // Overwrites the results, so that no contender is credited with those of another.
  void ForgetResults() const {
    for (const AlignedFloats* floats : {&outputs_, &min_gradients_, &max_gradients_}) {
      std::ranges::fill(floats->get(), std::numeric_limits<float>::quiet_NaN());
    }
  }

  void Write(const Problem& problem, std::string_view operation, const Call& call,
             const std::string& path) const {
    ForgetResults();
    call();
    std::ofstream file(path, std::ios::binary);
    WriteBytes(file, std::as_bytes(problem.outputs)
                         .first(core::ElementBytes(OutputType(operation), problem.outputs.size())));
    if (operation == "gradient") {
      WriteBytes(file, std::as_bytes(problem.min_gradients));
      WriteBytes(file, std::as_bytes(problem.max_gradients));
    }
    if (!file.flush()) {
      throw std::runtime_error("cannot write " + path);
    }
  }

  AlignedFloats inputs_;
  AlignedFloats gradients_;
  AlignedFloats min_;
  AlignedFloats max_;
  AlignedFloats scale_;
  std::vector<std::int32_t> zero_point_;
  // Only its bytes are used.
  AlignedFloats codes_;
  AlignedFloats outputs_;
  AlignedFloats min_gradients_;
  AlignedFloats max_gradients_;
  std::vector<NudgedChannel> nudged_;
  std::vector<Contender> contenders_;
};

}  // namespace
}  // namespace quantd::bench

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: kernel_runner FOLDER\n";
    return 2;
  }
  try {
    quantd::bench::Runner runner(argv[1]);
    std::cout << runner.Greeting() << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
      std::cout << runner.Answer(line) << std::endl;
    }
  } catch (const std::exception& error) {
    std::cerr << "kernel_runner: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
