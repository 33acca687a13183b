// Sums of gradients in an order that no vector's width changes.

#ifndef QUANTD_CORE_KERNELS_PARTIAL_SUMS_H_
#define QUANTD_CORE_KERNELS_PARTIAL_SUMS_H_

#include <cstddef>

#include "core/kernels/parameters.h"

namespace quantd::core::kernels {

// The sums of the gradients whose inputs lie below and above the nudged range.
struct OutsideSums {
  double below = 0;
  double above = 0;
};

// The number of partial sums of a run.
inline constexpr std::size_t kPartialSums = kMaxLanes;

// The sums of a run while it is worked on. Partial sum l takes, in order, the
// elements whose index within the run is l modulo kPartialSums, so that vectors
// of any width up to kPartialSums lanes keep to the same order.
struct alignas(kPartialSums * sizeof(float)) PartialSums {
  double below[kPartialSums] = {};
  double above[kPartialSums] = {};
};

// Returns the sums of a run that is complete: adds partial sums l and l + 8, then
// l and l + 4, l and l + 2, and l and l + 1.
OutsideSums AddPartialSums(const PartialSums& partial_sums);

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_PARTIAL_SUMS_H_
