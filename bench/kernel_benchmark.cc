// Measures core's operations next to a copy of the same memory, on one thread.
//
//   build/release/bin/kernel_benchmark [--benchmark_filter=…] [--simd_target=AVX2]
//
// Each benchmark moves as many bytes in and out as memcpy of a buffer of the named
// size, except for the gradient, which reads two buffers. All pages are touched in
// advance, so that no page fault is measured. Machines are noisy: compare the
// medians of interleaved repetitions
// (--benchmark_enable_random_interleaving=true --benchmark_repetitions=9
// --benchmark_report_aggregates_only=true).

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <optional>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "bench/aligned_floats.h"
#include "core/base/tensor_view.h"
#include "core/fake_quantization.h"
#include "core/quantizer.h"
#include "core/simd_target.h"

namespace quantd::core {
namespace {

using bench::AlignedFloats;

constexpr std::int64_t kKiB = 1024;
constexpr std::int64_t kMiB = 1024 * kKiB;

// Returns a bell curve. [-3, 3] clips 0.27 % of it, as a trained range would.
AlignedFloats Normal(std::size_t count) {
  AlignedFloats floats(count);
  std::minstd_rand random(1);
  std::normal_distribution<float> normal;
  for (float& value : floats.get()) {
    value = normal(random);
  }
  return floats;
}

AlignedFloats Zeros(std::size_t count) {
  AlignedFloats floats(count);
  std::ranges::fill(floats.get(), 0.0F);
  return floats;
}

// How the channels of a tensor lie: `inner` elements of each, one after another. A
// quantization per tensor has no channels.
struct Channels {
  std::size_t count = 0;
  std::size_t inner = 1;

  std::size_t range_count() const { return std::max<std::size_t>(1, count); }
};

constexpr Channels kPerTensor = {};

// Returns the number of elements that fit into the named size in whole rows.
std::size_t ElementCount(const benchmark::State& state, const Channels& channels) {
  const std::size_t count = static_cast<std::size_t>(state.range(0)) / sizeof(float);
  return count - count % (channels.range_count() * channels.inner);
}

void CountBytes(benchmark::State& state, std::size_t count, std::size_t buffers) {
  const auto bytes = static_cast<std::int64_t>(count * sizeof(float) * buffers);
  state.SetBytesProcessed(state.iterations() * bytes);
}

std::vector<std::int64_t> MakeShape(std::size_t element_count, const Channels& channels) {
  const std::size_t outer = element_count / (channels.range_count() * channels.inner);
  return {static_cast<std::int64_t>(outer), static_cast<std::int64_t>(channels.range_count()),
          static_cast<std::int64_t>(channels.inner)};
}

// Two tensors of float32, or the memory of two of other types.
struct Tensors {
  Tensors(std::size_t element_count, const Channels& channels)
      : count(element_count),
        input(Normal(count)),
        output(Zeros(count)),
        shape(MakeShape(count, channels)) {}
  Tensors(const benchmark::State& state, const Channels& channels)
      : Tensors(ElementCount(state, channels), channels) {}

  TensorView View(const AlignedFloats& floats) const {
    return {shape, std::span<const float>(floats.get())};
  }
  // As many elements of another type, from the beginning of the input's memory.
  TensorView InputAs(ElementType type) const {
    const auto bytes = std::as_bytes(std::span(input.get())).first(ElementBytes(type, count));
    return {type, shape, ScatteredBytes(bytes)};
  }
  OutputView OutputAs(ElementType type) const { return {type, output.get().data(), count}; }

  std::size_t count;
  AlignedFloats input;
  AlignedFloats output;
  std::vector<std::int64_t> shape;
};

// The same parameters in every channel: the range [-3, 3], or a scale and a zero point
// of codes of 8 bits or fewer.
class Parameters {
 public:
  explicit Parameters(const Channels& channels)
      : min_(channels.range_count(), -3),
        max_(channels.range_count(), 3),
        scale_(channels.range_count(), 6.0F / 255),
        zero_point_(channels.range_count(), 3),
        axis_(channels.count == 0 ? std::nullopt : std::optional<std::int32_t>(1)) {}

  Range range() const { return {.min = min_, .max = max_, .axis = axis_}; }
  AffineParameters affine() const {
    return {.scale = scale_, .zero_point = zero_point_, .axis = axis_};
  }

 private:
  std::vector<float> min_;
  std::vector<float> max_;
  std::vector<float> scale_;
  std::vector<std::int32_t> zero_point_;
  std::optional<std::int32_t> axis_;
};

// Makes a quantization to 8 bits.
FakeQuantization MakeQuantization(const Channels& channels) {
  return FakeQuantization::Create(Parameters(channels).range(), {}).value();
}

void Check(const absl::Status& status, benchmark::State& state) {
  if (!status.ok()) {
    state.SkipWithError("the quantization does not fit the buffers");
  }
}

void Memcpy(benchmark::State& state) {
  const Tensors tensors(state, kPerTensor);
  const std::size_t bytes = tensors.input.get().size_bytes();
  for ([[maybe_unused]] auto _ : state) {
    std::memcpy(tensors.output.get().data(), tensors.input.get().data(), bytes);
    benchmark::ClobberMemory();
  }
  CountBytes(state, tensors.count, 2);
}

// Fake quantization of float32 with whatever quantization.
void Apply(benchmark::State& state, const FakeQuantization& quantization,
           const Channels& channels) {
  const Tensors tensors(state, channels);
  for ([[maybe_unused]] auto _ : state) {
    Check(quantization.Apply(tensors.View(tensors.input), tensors.output.get(), nullptr), state);
  }
  CountBytes(state, tensors.count, 2);
}

void Forward(benchmark::State& state, const Channels& channels) {
  Apply(state, MakeQuantization(channels), channels);
}

// Fake quantization with another numerics by range.
void ForwardAs(benchmark::State& state, Numerics numerics) {
  const auto quantization =
      FakeQuantization::Create(Parameters(kPerTensor).range(), {.numerics = numerics}).value();
  Apply(state, quantization, kPerTensor);
}

// The work of a single call, which makes its quantization and applies it once.
void SingleForward(benchmark::State& state, const Channels& channels) {
  const Tensors tensors(state, channels);
  for ([[maybe_unused]] auto _ : state) {
    Check(MakeQuantization(channels).Apply(tensors.View(tensors.input), tensors.output.get(),
                                           nullptr),
          state);
  }
  CountBytes(state, tensors.count, 2);
}

// Fake quantization of 16-bit floats. The size is that of one tensor.
void Forward16(benchmark::State& state, ElementType type) {
  const Tensors tensors(static_cast<std::size_t>(state.range(0)) / 2, kPerTensor);
  const auto quantization =
      FakeQuantization::Create(Parameters(kPerTensor).range(), {}, type).value();
  for ([[maybe_unused]] auto _ : state) {
    Check(quantization.Apply(tensors.InputAs(type), tensors.OutputAs(type), nullptr), state);
  }
  state.SetBytesProcessed(state.iterations() * 2 * state.range(0));
}

void Gradient(benchmark::State& state, const Channels& channels) {
  const Tensors tensors(state, channels);
  const AlignedFloats gradients = Normal(tensors.count);
  const auto quantization =
      FakeQuantization::CreateForGradient(Parameters(channels).range(), {}).value();
  std::vector<float> min(quantization.channel_count());
  std::vector<float> max(quantization.channel_count());
  const FakeQuantization::Gradients result{.input = tensors.output.get(), .min = min, .max = max};
  for ([[maybe_unused]] auto _ : state) {
    Check(quantization.ApplyGradient(tensors.View(gradients), tensors.View(tensors.input), result,
                                     nullptr),
          state);
  }
  CountBytes(state, tensors.count, 3);
}

// Sets the bytes of `count` floats and as many codes.
void CountFloatsAndCodes(benchmark::State& state, std::size_t count, ElementType code_type) {
  const std::size_t bytes = count * sizeof(float) + ElementBytes(code_type, count);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

// Quantizes with whatever parameters.
void QuantizeWith(benchmark::State& state, const QuantizationParameters& parameters,
                  Numerics numerics, ElementType type, const Channels& channels) {
  const Tensors tensors(state, channels);
  const auto quantizer =
      Quantizer::Create(parameters, {.numerics = numerics}, {ElementType::kFloat32, type}).value();
  for ([[maybe_unused]] auto _ : state) {
    Check(quantizer.Apply(tensors.View(tensors.input), tensors.OutputAs(type), nullptr), state);
  }
  CountFloatsAndCodes(state, tensors.count, type);
}

void Quantize(benchmark::State& state, Numerics numerics, ElementType type,
              const Channels& channels) {
  QuantizeWith(state, Parameters(channels).affine(), numerics, type, channels);
}

void QuantizeByRange(benchmark::State& state, Numerics numerics, ElementType type) {
  QuantizeWith(state, Parameters(kPerTensor).range(), numerics, type, kPerTensor);
}

void Dequantize(benchmark::State& state, Numerics numerics, ElementType type,
                const Channels& channels) {
  const Tensors tensors(state, channels);
  const auto dequantizer =
      Dequantizer::Create(Parameters(channels).affine(), {.numerics = numerics},
                          {type, ElementType::kFloat32})
          .value();
  for ([[maybe_unused]] auto _ : state) {
    Check(dequantizer.Apply(tensors.InputAs(type), tensors.output.get(), nullptr), state);
  }
  CountFloatsAndCodes(state, tensors.count, type);
}

void Sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("bytes")->Arg(64 * kKiB)->Arg(kMiB)->Arg(16 * kMiB)->Arg(256 * kMiB);
}

void SmallSizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("bytes")->Arg(kKiB)->Arg(16 * kKiB)->Arg(64 * kKiB);
}

BENCHMARK(Memcpy)->Apply(Sizes);
BENCHMARK_CAPTURE(Forward, per_tensor, Channels{})->Apply(Sizes);
BENCHMARK_CAPTURE(Forward, 3_channels, Channels{.count = 3})->Apply(Sizes);
BENCHMARK_CAPTURE(Forward, 64_channels, Channels{.count = 64})->Apply(Sizes);
BENCHMARK_CAPTURE(Forward, 1024_channels, Channels{.count = 1024})->Apply(Sizes);
BENCHMARK_CAPTURE(Forward, runs_of_64, (Channels{.count = 64, .inner = 64}))->Apply(Sizes);
BENCHMARK_CAPTURE(SingleForward, per_tensor, Channels{})->Apply(SmallSizes);
BENCHMARK_CAPTURE(SingleForward, 64_channels, Channels{.count = 64})->Apply(SmallSizes);
BENCHMARK_CAPTURE(Gradient, per_tensor, Channels{})->Apply(Sizes);
BENCHMARK_CAPTURE(Gradient, 64_channels, Channels{.count = 64})->Apply(Sizes);
BENCHMARK_CAPTURE(Gradient, 1024_channels, Channels{.count = 1024})->Apply(Sizes);
BENCHMARK_CAPTURE(Gradient, runs_of_64, (Channels{.count = 64, .inner = 64}))->Apply(Sizes);

BENCHMARK_CAPTURE(ForwardAs, xla, Numerics::kTensorFlowXla)->Apply(Sizes);
BENCHMARK_CAPTURE(ForwardAs, xla_unfused, Numerics::kTensorFlowXlaUnfused)->Apply(Sizes);
BENCHMARK_CAPTURE(ForwardAs, keras_jit, Numerics::kKerasJaxJit)->Apply(Sizes);
BENCHMARK_CAPTURE(ForwardAs, keras_jit_unfused, Numerics::kKerasJaxJitUnfused)->Apply(Sizes);
BENCHMARK_CAPTURE(ForwardAs, quantize_and_dequantize, Numerics::kTensorFlowQuantizeAndDequantize)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Forward16, float16, ElementType::kFloat16)->Apply(Sizes);
BENCHMARK_CAPTURE(Forward16, bfloat16, ElementType::kBFloat16)->Apply(Sizes);

constexpr Channels kColumns = {.count = 1024};
constexpr Channels kRuns = {.count = 64, .inner = 1024};
BENCHMARK_CAPTURE(Quantize, onnx_int8, Numerics::kOnnx, ElementType::kInt8, kPerTensor)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Quantize, onnx_uint8, Numerics::kOnnx, ElementType::kUint8, kPerTensor)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Quantize, onnx_int8_columns, Numerics::kOnnx, ElementType::kInt8, kColumns)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Quantize, onnx_int8_runs, Numerics::kOnnx, ElementType::kInt8, kRuns)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Quantize, onnx_int16, Numerics::kOnnx, ElementType::kInt16, kPerTensor)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Quantize, onnx_int4, Numerics::kOnnx, ElementType::kInt4, kPerTensor)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Quantize, pytorch_int8, Numerics::kPyTorch, ElementType::kInt8, kPerTensor)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Quantize, litert_int8, Numerics::kLiteRt, ElementType::kInt8, kPerTensor)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Quantize, xnnpack_int8, Numerics::kLiteRtXnnpack, ElementType::kInt8, kPerTensor)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Quantize, xnnpack_uint8, Numerics::kLiteRtXnnpack, ElementType::kUint8,
                  kPerTensor)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(QuantizeByRange, tensorflow_uint8, Numerics::kTensorFlow, ElementType::kUint8)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(QuantizeByRange, min_combined_uint8, Numerics::kTensorFlowQuantizeV2MinCombined,
                  ElementType::kUint8)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(QuantizeByRange, min_first_uint8, Numerics::kTensorFlowQuantizeV2MinFirst,
                  ElementType::kUint8)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(QuantizeByRange, scaled_uint8, Numerics::kTensorFlowQuantizeV2Scaled,
                  ElementType::kUint8)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Dequantize, int8, Numerics::kOnnx, ElementType::kInt8, kPerTensor)->Apply(Sizes);
BENCHMARK_CAPTURE(Dequantize, uint8, Numerics::kOnnx, ElementType::kUint8, kPerTensor)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Dequantize, int8_columns, Numerics::kOnnx, ElementType::kInt8, kColumns)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Dequantize, int8_runs, Numerics::kOnnx, ElementType::kInt8, kRuns)->Apply(Sizes);
BENCHMARK_CAPTURE(Dequantize, int16, Numerics::kOnnx, ElementType::kInt16, kPerTensor)
    ->Apply(Sizes);
BENCHMARK_CAPTURE(Dequantize, int4, Numerics::kOnnx, ElementType::kInt4, kPerTensor)->Apply(Sizes);

// Removes --simd_target=NAME from the arguments and forces that target. Returns
// false if it cannot be used.
bool ForceTargetFromArguments(int& argc, char** argv) {
  constexpr std::string_view kFlag = "--simd_target=";
  int kept = 0;
  for (int i = 0; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with(kFlag)) {
      argv[kept++] = argv[i];
    } else if (auto status = ForceSimdTarget(argument.substr(kFlag.size())); !status.ok()) {
      std::cerr << status.message() << "\n";
      return false;
    }
  }
  argc = kept;
  return true;
}

}  // namespace
}  // namespace quantd::core

int main(int argc, char** argv) {
  if (!quantd::core::ForceTargetFromArguments(argc, argv)) {
    return 2;
  }
  benchmark::AddCustomContext("simd_target", quantd::core::ActiveSimdTarget());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
