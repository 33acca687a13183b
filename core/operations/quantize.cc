#include "core/operations/quantize.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/base/element_type.h"
#include "core/base/float16.h"
#include "core/kernels/convert.h"
#include "core/kernels/int32.h"
#include "core/kernels/quantize.h"
#include "core/operations/element_map.h"
#include "core/operations/first_nan.h"
#include "core/operations/staging.h"
#include "core/operations/streaming.h"

namespace quantd::core {
namespace {

constexpr std::size_t kStreamingCodeBytes = 12 * kBytesPerMib;

// The kernel of MapElements() for codes of up to 16 bits. Code is their unsigned type.
template <typename Code>
class CodeKernel {
 public:
  // `output_bytes` is the size of what is written to memory; 0 to keep it in the cache.
  CodeKernel(const QuantizationPlan& plan, std::size_t output_bytes)
      : plan_(plan),
        store_(StoreFor(output_bytes, kStreamingCodeBytes)),
        zero_(static_cast<Code>(plan.spec().codes.min - plan.spec().code_offset)) {}

  void Run(ElementPointer<float> input, std::size_t count, std::size_t channel,
           Code* output) const {
    Note(kernels::QuantizeRun(kernels::RunArguments<float, Code>{.input = input,
                                                                 .count = count,
                                                                 .channel = &plan_.channel(channel),
                                                                 .rules = &plan_.rules(),
                                                                 .store = store_,
                                                                 .output = output}));
  }

  void Columns(ElementPointer<float> input, RowsOfColumns rows,
               const kernels::ColumnParameters* parameters, Code* output) const {
    Note(kernels::QuantizeColumns(kernels::ColumnsArguments<float, Code>{.input = input,
                                                                         .rows = rows.rows,
                                                                         .columns = rows.columns,
                                                                         .stride = rows.stride,
                                                                         .parameters = parameters,
                                                                         .rules = &plan_.rules(),
                                                                         .store = store_,
                                                                         .output = output}));
  }

  // A channel of zeros has the lowest code.
  void Zero(Code* output, std::size_t count) const { std::fill_n(output, count, zero_); }

  // Whether a kernel has seen NaN, which may have been in a channel of zeros.
  bool SeenNan() const { return seen_nan_.load(std::memory_order_relaxed); }

 private:
  void Note(bool seen_nan) const {
    if (seen_nan) {
      seen_nan_.store(true, std::memory_order_relaxed);
    }
  }

  const QuantizationPlan& plan_;
  const kernels::Store store_;
  const Code zero_;
  mutable std::atomic<bool> seen_nan_ = false;
};

// Output is a pointer to codes of 8 or 16 bits, or a PackedPointer.
template <typename In, typename Output>
absl::Status QuantizeToCodes(const QuantizationPlan& plan, const ParameterLayout& layout,
                             const TensorView& input, Output output, const Execution& execution) {
  using Code = typename OutputOf<Output>::KernelType;
  const CodeKernel<Code> kernel(
      plan, OutputOf<Output>::kIsStaged ? 0 : layout.element_count() * sizeof(Code));
  MapStaged(MapArguments<In, Output>{.plan = plan,
                                     .layout = layout,
                                     .input = input.bytes,
                                     .output = output,
                                     .execution = execution},
            kernel);
  if (kernel.SeenNan() && plan.rules().keeps_nan) {
    // A channel of zeros has a code for it.
    const std::optional<std::size_t> index = FirstNan(
        input, [&](std::size_t element) { return !plan.IsZero(layout.ParameterOf(element)); });
    if (index.has_value()) {
      return NanHasNoCode(plan.spec().numerics, *index);
    }
  }
  return absl::OkStatus();
}

template <typename In>
absl::Status QuantizeToInt32(const QuantizationPlan& plan, const ParameterLayout& layout,
                             const TensorView& input, const OutputView& output,
                             const Execution& execution) {
  std::int32_t* const codes = output.elements<std::int32_t>().data();
  const auto quantize = [&](ElementPointer<float> from, std::size_t first, std::size_t count,
                            std::size_t parameter, std::size_t stride) {
    kernels::QuantizeToInt32(from, count,
                             {.parameters = &plan.channel(parameter),
                              .zero_points = &plan.zero_points()[parameter],
                              .stride = stride},
                             plan.rules().step, plan.spec().codes, codes + first);
  };
  ForEachParameterRunOf<In, 1>(
      layout, {&input.bytes}, execution,
      [&](const auto& pointers, std::size_t first, std::size_t count, std::size_t parameter,
          std::size_t stride) {
        ForEachStagedFloat<In>(
            pointers[0], count,
            [&](ElementPointer<float> floats, std::size_t i, std::size_t staged) {
              quantize(floats, first + i, staged, parameter + i * stride, stride);
            });
      });
  return absl::OkStatus();
}

// Whether all elements that a kernel is given at once begin a byte, if it holds `per_byte`.
bool BeginBytes(const ParameterLayout& layout, std::size_t per_byte) {
  const auto [outer, channels, inner] = layout.channels;
  if (layout.has_blocks() && inner == 1) {
    return channels % per_byte == 0 && layout.block_size % per_byte == 0;
  }
  if (layout.has_blocks() || HasLongRuns(layout.channels)) {
    return inner % per_byte == 0 || outer * channels == 1;
  }
  return channels * inner % per_byte == 0;
}

template <typename In>
absl::Status QuantizeToPacked(const QuantizationPlan& plan, const ParameterLayout& layout,
                              const TensorView& input, const OutputView& output,
                              const Execution& execution) {
  const std::span<std::byte> bytes = output.bytes();
  void* const first = bytes.data();
  const std::size_t bits = RowOf(output.type()).bits;
  // Bytes that are not written as a whole are added to. If there are others than the last,
  // then two threads could do so.
  const bool begin_bytes = BeginBytes(layout, 8 / bits);
  std::ranges::fill(begin_bytes ? bytes.last(1) : bytes, std::byte{0});
  return QuantizeToCodes<In>(
      plan, layout, input, PackedPointer{.bytes = static_cast<std::uint8_t*>(first), .bits = bits},
      begin_bytes ? execution : execution.OnCallersThread());
}

template <typename In>
absl::Status QuantizeFrom(const QuantizationPlan& plan, const ParameterLayout& layout,
                          const TensorView& input, const OutputView& output,
                          const Execution& execution) {
  void* const memory = output.bytes().data();
  switch (output.type()) {
    case ElementType::kInt8:
    case ElementType::kUint8:
      return QuantizeToCodes<In>(plan, layout, input, static_cast<std::uint8_t*>(memory),
                                 execution);
    case ElementType::kInt16:
    case ElementType::kUint16:
      return QuantizeToCodes<In>(plan, layout, input, static_cast<std::uint16_t*>(memory),
                                 execution);
    case ElementType::kInt32:
      return QuantizeToInt32<In>(plan, layout, input, output, execution);
    case ElementType::kInt4:
    case ElementType::kUint4:
    case ElementType::kInt2:
    case ElementType::kUint2:
      return QuantizeToPacked<In>(plan, layout, input, output, execution);
    default:
      assert(false && "Resolve() refuses other types");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Quantize(const QuantizationPlan& plan, const ParameterLayout& layout,
                      const TensorView& input, const OutputView& output,
                      const Execution& execution) {
  assert(layout.parameter_count() == plan.channel_count());
  assert(output.element_count() == layout.element_count());
  if (layout.element_count() == 0) {
    return absl::OkStatus();
  }
  switch (input.type) {
    case ElementType::kFloat32:
      return QuantizeFrom<float>(plan, layout, input, output, execution);
    case ElementType::kFloat16:
      return QuantizeFrom<Float16>(plan, layout, input, output, execution);
    case ElementType::kBFloat16:
      return QuantizeFrom<BFloat16>(plan, layout, input, output, execution);
    default:
      assert(false && "Resolve() refuses other types");
  }
  return absl::OkStatus();
}

}  // namespace quantd::core
