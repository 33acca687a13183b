// The backward kernels: the gradient of fake quantization. See quantize.h for
// what all kernels have in common.

#ifndef QUANTD_CORE_KERNELS_GRADIENT_H_
#define QUANTD_CORE_KERNELS_GRADIENT_H_

#include <cstddef>

#include "core/base/element_pointer.h"
#include "core/kernels/parameters.h"
#include "core/kernels/partial_sums.h"
#include "core/numerics.h"

namespace quantd::core::kernels {

// `count` contiguous elements of one channel. Nothing overlaps.
struct GradientRunArguments {
  ElementPointer<float> gradients;
  ElementPointer<float> inputs;
  std::size_t count;
  ChannelBounds bounds;
  GradientMask mask;
  bool flushes_subnormals;
  Store store;
  float* input_gradients;
  // The sums of the run so far, which the kernel adds to. A run may be worked on
  // part by part if each part but the last has a multiple of kPartialSums elements.
  PartialSums* sums;
};

// `rows` rows of `columns` elements. Rows begin `stride` elements apart, in each
// of the tensors. Nothing overlaps.
struct GradientColumnsArguments {
  ElementPointer<float> gradients;
  ElementPointer<float> inputs;
  std::size_t rows;
  std::size_t columns;
  std::size_t stride;
  // Column j has the bounds j % kMaxLanes of block j / kMaxLanes.
  const ColumnBounds* bounds;
  GradientMask mask;
  bool flushes_subnormals;
  Store store;
  float* input_gradients;
  // A sum for each column, to which its elements are added row by row: of the
  // gradients whose inputs lie below the bounds, and of those above them.
  double* sums_below;
  double* sums_above;
};

// Differentiates a run: writes the input gradients, and adds to the sums.
void GradientRun(const GradientRunArguments& arguments);

// Differentiates rows of columns.
void GradientColumns(const GradientColumnsArguments& arguments);

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_GRADIENT_H_
