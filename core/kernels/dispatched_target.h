// The SIMD target that calls of kernels are dispatched to.

#ifndef QUANTD_CORE_KERNELS_DISPATCHED_TARGET_H_
#define QUANTD_CORE_KERNELS_DISPATCHED_TARGET_H_

#include <cstdint>

namespace quantd::core::kernels {

// Returns the target as one of Highway's HWY_… bits. Is itself a kernel, so that
// it reports what the others run on.
std::int64_t DispatchedTarget();

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_DISPATCHED_TARGET_H_
