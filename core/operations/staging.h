// Kernels for tensors of other types than their own: elements are converted piece by
// piece, in memory that stays in the first-level cache.

#ifndef QUANTD_CORE_OPERATIONS_STAGING_H_
#define QUANTD_CORE_OPERATIONS_STAGING_H_

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>

#include "core/base/element_pointer.h"
#include "core/base/float16.h"
#include "core/kernels/convert.h"
#include "core/kernels/packed_codes.h"
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

// Codes of less than a byte in memory: the place of one of them.
struct PackedPointer {
  PackedPointer operator+(std::size_t elements) const { return {bytes, bits, element + elements}; }

  std::uint8_t* bytes;
  std::size_t bits;
  std::size_t element = 0;
};

// Writes what a kernel has computed at an output.
inline void StoreStaged(const float* values, std::size_t count, Float16* output) {
  kernels::Narrow(values, count, output);
}
inline void StoreStaged(const float* values, std::size_t count, BFloat16* output) {
  kernels::Narrow(values, count, output);
}
inline void StoreStaged(const std::uint8_t* codes, std::size_t count, PackedPointer output) {
  kernels::PackAt(codes, count, output.bits, output.element, output.bytes);
}

// What a kernel writes to for an output: elements of what type, and whether they are staged.
template <typename Output>
struct OutputOf;
template <typename T>
struct OutputOf<T*> {
  using KernelType = typename core::KernelType<T>::Type;
  static constexpr bool kIsStaged = StagedFloat<T>;
};
template <>
struct OutputOf<PackedPointer> {
  using KernelType = std::uint8_t;
  static constexpr bool kIsStaged = true;
};

// A kernel, as MapElements() takes one, for inputs of type In and an Output, made of a kernel
// for other types.
template <typename In, typename Output, class Kernel>
class StagedKernel {
 public:
  using KernelIn = typename KernelType<In>::Type;
  using KernelOut = typename OutputOf<Output>::KernelType;

  explicit StagedKernel(const Kernel& kernel) : kernel_(kernel) {}

  void Run(ElementPointer<In> input, std::size_t count, std::size_t channel, Output output) const {
    for (std::size_t i = 0; i < count; i += kStagedElements) {
      const std::size_t staged = std::min(kStagedElements, count - i);
      Compute(input + i, staged, output + i,
              [&](auto from, KernelOut* to) { kernel_.Run(from, staged, channel, to); });
    }
  }

  template <typename Parameters>
  void Columns(ElementPointer<In> input, RowsOfColumns rows, const Parameters* parameters,
               Output output) const {
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

  void Zero(Output output, std::size_t count) const {
    for (std::size_t i = 0; i < count; i += kStagedElements) {
      const std::size_t staged = std::min(kStagedElements, count - i);
      StoreComputed(staged, output + i, [&](KernelOut* to) { kernel_.Zero(to, staged); });
    }
  }

 private:
  // Calls compute(input, output) with elements of the kernel's types.
  template <typename Function>
  void Compute(ElementPointer<In> input, std::size_t count, Output output, Function compute) const {
    if constexpr (StagedFloat<In>) {
      Stage<KernelIn> wide;
      kernels::Widen(input, count, wide.elements);
      const ElementPointer<KernelIn> from(wide.elements);
      StoreComputed(count, output, [&](KernelOut* to) { compute(from, to); });
    } else {
      StoreComputed(count, output, [&](KernelOut* to) { compute(input, to); });
    }
  }

  // Calls compute(output) with memory for elements of the kernel's type.
  template <typename Function>
  static void StoreComputed(std::size_t count, Output output, Function compute) {
    if constexpr (OutputOf<Output>::kIsStaged) {
      Stage<KernelOut> stage;
      compute(stage.elements);
      StoreStaged(stage.elements, count, output);
    } else {
      compute(output);
    }
  }

  const Kernel& kernel_;
};

// Maps with `kernel`, staged if a type asks for it.
template <typename In, typename Output, class Kernel>
void MapStaged(const MapArguments<In, Output>& arguments, const Kernel& kernel) {
  if constexpr (StagedFloat<In> || OutputOf<Output>::kIsStaged) {
    MapElements(arguments, StagedKernel<In, Output, Kernel>(kernel));
  } else {
    MapElements(arguments, kernel);
  }
}

}  // namespace quantd::core

#endif  // QUANTD_CORE_OPERATIONS_STAGING_H_
