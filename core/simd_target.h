// The SIMD instruction set of the kernels. It changes their speed, never their
// results.

#ifndef QUANTD_CORE_SIMD_TARGET_H_
#define QUANTD_CORE_SIMD_TARGET_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace quantd::core {

// Returns the targets that the kernels were compiled for and that this machine can
// run, best first, by Highway's names: "AVX3", "AVX2", "SSE4", "NEON", "SCALAR", …
std::vector<std::string> SupportedSimdTargets();

// Returns the target in use: the best one unless ForceSimdTarget() chose another.
std::string ActiveSimdTarget();

// Makes the kernels of the whole process use `name`, one of SupportedSimdTargets(),
// or the best target if it is empty. For tests and support. Must not be called
// while another thread computes.
//
// Errors: kInvalidArgument for any other name; the message lists the valid ones.
absl::Status ForceSimdTarget(std::string_view name);

}  // namespace quantd::core

#endif  // QUANTD_CORE_SIMD_TARGET_H_
