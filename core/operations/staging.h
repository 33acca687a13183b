// Kernels for tensors of other types than their own: elements are converted piece by
// piece, in memory that stays in the first-level cache.

#ifndef QUANTD_CORE_OPERATIONS_STAGING_H_
#define QUANTD_CORE_OPERATIONS_STAGING_H_

#include <algorithm>
#include <concepts>
#include <cstddef>

#include "core/base/element_pointer.h"
#include "core/base/float16.h"
#include "core/kernels/convert.h"
#include "core/operations/element_map.h"

namespace quantd::core {

// The 16-bit floats.
template <typename T>
concept StagedFloat = std::same_as<T, Float16> || std::same_as<T, BFloat16>;

// The type in which kernels take or give elements of type T.
template <typename T>
struct KernelType {
  using Type = T;
};
template <StagedFloat T>
struct KernelType<T> {
  using Type = float;
};

// Memory for elements of type T.
template <typename T>
struct Stage {
  alignas(64) T elements[kStagedElements];
};

// Calls function(floats, first, count) for `count` elements, in order, as float32.
template <typename In, typename Function>
void ForEachStagedFloat(ElementPointer<In> input, std::size_t count, Function function) {
  if constexpr (StagedFloat<In>) {
    Stage<float> stage;
    for (std::size_t i = 0; i < count; i += kStagedElements) {
      const std::size_t staged = std::min(kStagedElements, count - i);
      kernels::Widen(input + i, staged, stage.elements);
      function(ElementPointer<float>(stage.elements), i, staged);
    }
  } else {
    function(input, std::size_t{0}, count);
  }
}

// A kernel, as MapElements() takes one, for inputs of type In and outputs of type Out,
// made of a kernel for float32.
template <typename In, typename Out, class Kernel>
class StagedKernel {
 public:
  using KernelIn = typename KernelType<In>::Type;
  using KernelOut = typename KernelType<Out>::Type;

  explicit StagedKernel(const Kernel& kernel) : kernel_(kernel) {}

  void Run(ElementPointer<In> input, std::size_t count, std::size_t channel, Out* output) const {
    for (std::size_t i = 0; i < count; i += kStagedElements) {
      const std::size_t staged = std::min(kStagedElements, count - i);
      Compute(input + i, staged, output + i,
              [&](auto from, KernelOut* to) { kernel_.Run(from, staged, channel, to); });
    }
  }

  template <typename Parameters>
  void Columns(ElementPointer<In> input, RowsOfColumns rows, const Parameters* parameters,
               Out* output) const {
    // Rows that lie one behind another are converted together.
    const std::size_t together =
        rows.columns == rows.stride ? std::max<std::size_t>(1, kStagedElements / rows.columns) : 1;
    for (std::size_t row = 0; row < rows.rows; row += together) {
      const std::size_t staged = std::min(together, rows.rows - row);
      Compute(input + row * rows.stride, staged * rows.columns, output + row * rows.stride,
              [&](auto from, KernelOut* to) {
                kernel_.Columns(from, {staged, rows.columns, rows.columns}, parameters, to);
              });
    }
  }

  void Zero(Out* output, std::size_t count) const { std::fill_n(output, count, Out{}); }

 private:
  // Calls compute(input, output) with elements of the kernel's types.
  template <typename Function>
  void Compute(ElementPointer<In> input, std::size_t count, Out* output, Function compute) const {
    Stage<KernelIn> wide_input;
    Stage<KernelOut> wide_output;
    ElementPointer<KernelIn> from;
    if constexpr (StagedFloat<In>) {
      kernels::Widen(input, count, wide_input.elements);
      from = ElementPointer<KernelIn>(wide_input.elements);
    } else {
      from = input;
    }
    if constexpr (StagedFloat<Out>) {
      compute(from, wide_output.elements);
      kernels::Narrow(wide_output.elements, count, output);
    } else {
      compute(from, output);
    }
  }

  const Kernel& kernel_;
};

// Maps with `kernel`, staged if a type asks for it.
template <typename In, typename Out, class Kernel>
void MapStaged(const MapArguments<In, Out>& arguments, const Kernel& kernel) {
  if constexpr (StagedFloat<In> || StagedFloat<Out>) {
    MapElements(arguments, StagedKernel<In, Out, Kernel>(kernel));
  } else {
    MapElements(arguments, kernel);
  }
}

}  // namespace quantd::core

#endif  // QUANTD_CORE_OPERATIONS_STAGING_H_
