// Measures core's kernels on one thread and compares them with copying the same memory.
//
//   build/release/bin/kernel_benchmark [--benchmark_filter=…] [--simd_target=AVX2]
//
// Every benchmark reads and writes as many bytes as memcpy of a buffer of the named size,
// except that the gradient reads two buffers. Buffers are touched in advance, so that no
// page faults are measured. Machines are noisy, so compare the medians of interleaved
// repetitions
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

#include "bench/aligned_floats.h"
#include "core/fake_quantization.h"
#include "core/simd_target.h"

namespace quantd::core {
namespace {

using bench::AlignedFloats;

constexpr std::int64_t kKiB = 1024;
constexpr std::int64_t kMiB = 1024 * kKiB;

// Returns normally distributed values. The range [-3, 3] clips 0.27 % of them, as a
// trained range would.
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

// Returns how many elements fit into the named size in whole rows of channels.
std::size_t ElementCount(const benchmark::State& state, std::size_t channels) {
  const std::size_t count = static_cast<std::size_t>(state.range(0)) / sizeof(float);
  return count - count % std::max<std::size_t>(1, channels);
}

void CountBytes(benchmark::State& state, std::size_t count, std::size_t buffers) {
  const auto bytes = static_cast<std::int64_t>(count * sizeof(float) * buffers);
  state.SetBytesProcessed(state.iterations() * bytes);
}

// Returns a quantization of `count` elements to 8 bits: per tensor if `channels` is 0,
// otherwise per channel along the last axis.
FakeQuantization Make(std::size_t count, std::size_t channels) {
  const std::size_t ranges = std::max<std::size_t>(1, channels);
  const std::vector<std::int64_t> shape = {static_cast<std::int64_t>(count / ranges),
                                           static_cast<std::int64_t>(ranges)};
  const std::vector<float> min(ranges, -3);
  const std::vector<float> max(ranges, 3);
  const auto axis = channels == 0 ? std::nullopt : std::optional<std::int32_t>(-1);
  return FakeQuantization::Create(shape, {.min = min, .max = max, .axis = axis}, {}).value();
}

void Memcpy(benchmark::State& state) {
  const std::size_t count = ElementCount(state, 0);
  const AlignedFloats input = Normal(count);
  const AlignedFloats output = Zeros(count);
  for ([[maybe_unused]] auto _ : state) {
    std::memcpy(output.get().data(), input.get().data(), count * sizeof(float));
    benchmark::ClobberMemory();
  }
  CountBytes(state, count, 2);
}

void Forward(benchmark::State& state, std::size_t channels) {
  const std::size_t count = ElementCount(state, channels);
  const AlignedFloats input = Normal(count);
  const AlignedFloats output = Zeros(count);
  const FakeQuantization quantization = Make(count, channels);
  for ([[maybe_unused]] auto _ : state) {
    if (!quantization.Apply(input.get(), output.get(), nullptr).ok()) {
      state.SkipWithError("the quantization does not fit the buffers");
    }
  }
  CountBytes(state, count, 2);
}

void Gradient(benchmark::State& state, std::size_t channels) {
  const std::size_t count = ElementCount(state, channels);
  const AlignedFloats gradients = Normal(count);
  const AlignedFloats inputs = Normal(count);
  const AlignedFloats input_gradients = Zeros(count);
  const FakeQuantization quantization = Make(count, channels);
  std::vector<float> min(quantization.channel_count());
  std::vector<float> max(quantization.channel_count());
  const FakeQuantization::Gradients result{.input = input_gradients.get(), .min = min, .max = max};
  for ([[maybe_unused]] auto _ : state) {
    if (!quantization.ApplyGradient(gradients.get(), inputs.get(), result, nullptr).ok()) {
      state.SkipWithError("the quantization does not fit the buffers");
    }
  }
  CountBytes(state, count, 3);
}

void Sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("bytes")->Arg(64 * kKiB)->Arg(kMiB)->Arg(16 * kMiB)->Arg(256 * kMiB);
}

BENCHMARK(Memcpy)->Apply(Sizes);
BENCHMARK_CAPTURE(Forward, per_tensor, 0)->Apply(Sizes);
BENCHMARK_CAPTURE(Forward, 3_channels, 3)->Apply(Sizes);
BENCHMARK_CAPTURE(Forward, 64_channels, 64)->Apply(Sizes);
BENCHMARK_CAPTURE(Forward, 1024_channels, 1024)->Apply(Sizes);
BENCHMARK_CAPTURE(Gradient, per_tensor, 0)->Apply(Sizes);
BENCHMARK_CAPTURE(Gradient, 64_channels, 64)->Apply(Sizes);
BENCHMARK_CAPTURE(Gradient, 1024_channels, 1024)->Apply(Sizes);

// Removes --simd_target=NAME from the arguments and applies it. Returns false if it
// cannot be used.
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
