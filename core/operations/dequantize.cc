#include "core/operations/dequantize.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "core/base/element_type.h"
#include "core/base/float16.h"
#include "core/kernels/convert.h"
#include "core/kernels/dequantize.h"
#include "core/kernels/int32.h"
#include "core/kernels/packed_codes.h"
#include "core/kernels/quantize.h"
#include "core/operations/element_map.h"
#include "core/operations/staging.h"
#include "core/operations/streaming.h"

namespace quantd::core {
namespace {

constexpr std::size_t kStreamingBytes = 12 * kBytesPerMib;

// The kernel of MapElements() from codes of up to 16 bits to float32.
template <typename Code>
class ValueKernel {
 public:
  // `output_bytes` is the size of what is written to memory; 0 to keep it in the cache.
  ValueKernel(const QuantizationPlan& plan, std::size_t output_bytes)
      : plan_(plan), store_(StoreFor(output_bytes, kStreamingBytes)) {}

  void Run(ElementPointer<Code> input, std::size_t count, std::size_t channel,
           // NOLINTNEXTLINE(readability-non-const-parameter): the kernel writes to it.
           float* output) const {
    kernels::DequantizeRun(kernels::RunArguments<Code, float>{.input = input,
                                                              .count = count,
                                                              .channel = &plan_.channel(channel),
                                                              .rules = &plan_.rules(),
                                                              .store = store_,
                                                              .output = output});
  }

  void Columns(ElementPointer<Code> input, RowsOfColumns rows,
               const kernels::ColumnParameters* parameters,
               // NOLINTNEXTLINE(readability-non-const-parameter): the kernel writes to it.
               float* output) const {
    kernels::DequantizeColumns(kernels::ColumnsArguments<Code, float>{.input = input,
                                                                      .rows = rows.rows,
                                                                      .columns = rows.columns,
                                                                      .stride = rows.stride,
                                                                      .parameters = parameters,
                                                                      .rules = &plan_.rules(),
                                                                      .store = store_,
                                                                      .output = output});
  }

  void Zero(float* output, std::size_t count) const { std::fill_n(output, count, 0.0F); }

 private:
  const QuantizationPlan& plan_;
  const kernels::Store store_;
};

template <typename Code, typename Out>
void DequantizeCodes(const QuantizationPlan& plan, const ParameterLayout& layout,
                     const ScatteredBytes& input, const OutputView& output,
                     const Execution& execution) {
  const ValueKernel<Code> kernel(plan, StagedFloat<Out> ? 0 : output.size_bytes());
  MapStaged(MapArguments<Code, Out*>{.plan = plan,
                                     .layout = layout,
                                     .input = input,
                                     .output = output.elements<Out>().data(),
                                     .execution = execution},
            kernel);
}

template <typename Out>
void DequantizeInt32(const QuantizationPlan& plan, const ParameterLayout& layout,
                     const ScatteredBytes& input, const OutputView& output,
                     const Execution& execution) {
  Out* const elements = output.elements<Out>().data();
  const auto dequantize = [&](ElementPointer<std::int32_t> from, std::size_t count,
                              std::size_t parameter, std::size_t stride, float* to) {
    kernels::DequantizeFromInt32(from, count,
                                 {.parameters = &plan.channel(parameter),
                                  .zero_points = &plan.zero_points()[parameter],
                                  .stride = stride},
                                 plan.int32_difference(), to);
  };
  ForEachParameterRunOf<std::int32_t, 1>(
      layout, {&input}, execution,
      [&](const auto& pointers, std::size_t first, std::size_t count, std::size_t parameter,
          std::size_t stride) {
        if constexpr (StagedFloat<Out>) {
          Stage<float> stage;
          for (std::size_t i = 0; i < count; i += kStagedElements) {
            const std::size_t staged = std::min(kStagedElements, count - i);
            dequantize(pointers[0] + i, staged, parameter + i * stride, stride, stage.elements);
            kernels::Narrow(stage.elements, staged, elements + first + i);
          }
        } else {
          dequantize(pointers[0], count, parameter, stride, elements + first);
        }
      });
}

// Packed codes become codes of 8 bits first.
template <typename Out>
void DequantizePacked(const QuantizationPlan& plan, const ParameterLayout& layout,
                      const TensorView& input, const OutputView& output,
                      const Execution& execution) {
  const std::size_t packed_size = input.bytes.size();
  std::unique_ptr<std::byte[]> joined;
  if (!input.bytes.in_one_piece()) {
    joined = std::make_unique_for_overwrite<std::byte[]>(packed_size);
    input.bytes.CopyTo(0, std::span(joined.get(), packed_size));
  }
  const ElementPointer<std::uint8_t> packed(joined == nullptr ? input.bytes.front() : joined.get());
  const std::size_t count = layout.element_count();
  const auto codes = std::make_unique_for_overwrite<std::uint8_t[]>(count);
  const ElementTypeRow& row = RowOf(input.type);
  // A block begins with a byte.
  for (std::size_t first = 0; first < count && !execution.IsCancelled(); first += kBlockElements) {
    kernels::Unpack(packed + first * row.bits / 8, std::min(kBlockElements, count - first),
                    row.bits, row.lowest < 0, codes.get() + first);
  }
  const ScatteredBytes bytes(std::as_bytes(std::span(codes.get(), count)));
  row.lowest < 0 ? DequantizeCodes<std::int8_t, Out>(plan, layout, bytes, output, execution)
                 : DequantizeCodes<std::uint8_t, Out>(plan, layout, bytes, output, execution);
}

template <typename Out>
void DequantizeTo(const QuantizationPlan& plan, const ParameterLayout& layout,
                  const TensorView& input, const OutputView& output, const Execution& execution) {
  switch (input.type) {
    case ElementType::kInt8:
      return DequantizeCodes<std::int8_t, Out>(plan, layout, input.bytes, output, execution);
    case ElementType::kUint8:
      return DequantizeCodes<std::uint8_t, Out>(plan, layout, input.bytes, output, execution);
    case ElementType::kInt16:
      return DequantizeCodes<std::int16_t, Out>(plan, layout, input.bytes, output, execution);
    case ElementType::kUint16:
      return DequantizeCodes<std::uint16_t, Out>(plan, layout, input.bytes, output, execution);
    case ElementType::kInt32:
      return DequantizeInt32<Out>(plan, layout, input.bytes, output, execution);
    case ElementType::kInt4:
    case ElementType::kUint4:
    case ElementType::kInt2:
    case ElementType::kUint2:
      return DequantizePacked<Out>(plan, layout, input, output, execution);
    default:
      assert(false && "Resolve() refuses other types");
  }
}

}  // namespace

void Dequantize(const QuantizationPlan& plan, const ParameterLayout& layout,
                const TensorView& input, const OutputView& output, const Execution& execution) {
  assert(layout.parameter_count() == plan.channel_count());
  assert(output.element_count() == layout.element_count());
  if (layout.element_count() == 0) {
    return;
  }
  switch (output.type()) {
    case ElementType::kFloat32:
      return DequantizeTo<float>(plan, layout, input, output, execution);
    case ElementType::kFloat16:
      return DequantizeTo<Float16>(plan, layout, input, output, execution);
    case ElementType::kBFloat16:
      return DequantizeTo<BFloat16>(plan, layout, input, output, execution);
    default:
      assert(false && "Resolve() refuses other types");
  }
}

}  // namespace quantd::core
