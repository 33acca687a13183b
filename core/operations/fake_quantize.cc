#include "core/operations/fake_quantize.h"

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "core/base/element_type.h"
#include "core/base/float16.h"
#include "core/kernels/float64.h"
#include "core/kernels/quantize.h"
#include "core/operations/element_map.h"
#include "core/operations/streaming.h"

namespace quantd::core {
namespace {

constexpr std::size_t kStreamingRunBytes = 12 * kBytesPerMib;
constexpr std::size_t kStreamingColumnBytes = 9 * kBytesPerMib;

// The kernel of MapElements() for floats of type T.
template <typename T>
class FloatKernel {
 public:
  FloatKernel(const QuantizationPlan& plan, std::size_t output_bytes)
      : plan_(plan),
        run_store_(StoreFor(output_bytes, kStreamingRunBytes)),
        column_store_(StoreFor(output_bytes, kStreamingColumnBytes)) {}

  void Run(ElementPointer<T> input, std::size_t count, std::size_t channel, T* output) const {
    kernels::FakeQuantizeRun(kernels::RunArguments<T, T>{.input = input,
                                                         .count = count,
                                                         .channel = &plan_.channel(channel),
                                                         .rules = &plan_.rules(),
                                                         .store = run_store_,
                                                         .output = output});
  }

  void Columns(ElementPointer<T> input, RowsOfColumns rows,
               const kernels::ColumnParameters* parameters, T* output) const {
    kernels::FakeQuantizeColumns(kernels::ColumnsArguments<T, T>{.input = input,
                                                                 .rows = rows.rows,
                                                                 .columns = rows.columns,
                                                                 .stride = rows.stride,
                                                                 .parameters = parameters,
                                                                 .rules = &plan_.rules(),
                                                                 .store = column_store_,
                                                                 .output = output});
  }

  void Zero(T* output, std::size_t count) const { std::fill_n(output, count, T{}); }

 private:
  const QuantizationPlan& plan_;
  kernels::Store run_store_;
  kernels::Store column_store_;
};

template <typename T>
void FakeQuantizeElements(const QuantizationPlan& plan, const ParameterLayout& layout,
                          const TensorView& input, const OutputView& output,
                          const Execution& execution) {
  MapElements(MapArguments<T, T*>{.plan = plan,
                                  .layout = layout,
                                  .input = input.bytes,
                                  .output = output.elements<T>().data(),
                                  .execution = execution},
              FloatKernel<T>(plan, output.size_bytes()));
}

// Fake-quantizes elements of one channel, or one element of each.
void FakeQuantizeDoublesOf(const QuantizationPlan& plan, ElementPointer<double> input,
                           std::size_t count, std::size_t parameter, std::size_t stride,
                           double* output) {
  const kernels::Float64Channel* const channels = &plan.float64_channel(parameter);
  if (plan.nudged_range().has_value()) {
    return kernels::FakeQuantizeFloat64ByRange(input, count, channels, stride, plan.rules().step,
                                               output);
  }
  return kernels::FakeQuantizeFloat64(input, count, channels, stride, output);
}

void FakeQuantizeDoubles(const QuantizationPlan& plan, const ParameterLayout& layout,
                         const TensorView& input, const OutputView& output,
                         const Execution& execution) {
  double* const elements = output.elements<double>().data();
  ForEachParameterRunOf<double, 1>(layout, {&input.bytes}, execution,
                                   [&](const auto& pointers, std::size_t first, std::size_t count,
                                       std::size_t parameter, std::size_t stride) {
                                     FakeQuantizeDoublesOf(plan, pointers[0], count, parameter,
                                                           stride, elements + first);
                                   });
}

}  // namespace

void FakeQuantize(const QuantizationPlan& plan, const ParameterLayout& layout,
                  const TensorView& input, const OutputView& output, const Execution& execution) {
  assert(layout.parameter_count() == plan.channel_count());
  assert(input.type == output.type());
  assert(input.element_count() == layout.element_count());
  assert(output.element_count() == layout.element_count());
  if (layout.element_count() == 0) {
    return;
  }
  switch (input.type) {
    case ElementType::kFloat32:
      return FakeQuantizeElements<float>(plan, layout, input, output, execution);
    case ElementType::kFloat16:
      return FakeQuantizeElements<Float16>(plan, layout, input, output, execution);
    case ElementType::kBFloat16:
      return FakeQuantizeElements<BFloat16>(plan, layout, input, output, execution);
    case ElementType::kFloat64:
      return FakeQuantizeDoubles(plan, layout, input, output, execution);
    default:
      assert(false && "Resolve() refuses other types");
  }
}

}  // namespace quantd::core
