#include "core/kernels/partial_sums.h"

namespace quantd::core::kernels {

OutsideSums AddPartialSums(const PartialSums& partial_sums) {
  PartialSums sums = partial_sums;
  for (std::size_t distance = kPartialSums / 2; distance > 0; distance /= 2) {
    for (std::size_t i = 0; i < distance; ++i) {
      sums.below[i] += sums.below[i + distance];
      sums.above[i] += sums.above[i + distance];
    }
  }
  return {.below = sums.below[0], .above = sums.above[0]};
}

}  // namespace quantd::core::kernels
