// Which SIMD instruction set the kernels use. It changes their speed, never
// their results.

#ifndef QUANTD_CORE_SIMD_TARGET_H_
#define QUANTD_CORE_SIMD_TARGET_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace quantd::core {

// The targets that the kernels were compiled for and this machine can run, best
// first, as Highway names them: "AVX3", "AVX2", "SSE4", "NEON", "SCALAR", …
std::vector<std::string> SupportedSimdTargets();

// The target in use; the best one unless ForceSimdTarget() chose another.
std::string ActiveSimdTarget();

// Makes the kernels use `name`, one of SupportedSimdTargets(); for tests and
// support. An empty name returns to the best one. For the whole process: not to
// be called while another thread computes.
//
// Errors: kInvalidArgument, with the names that would do.
absl::Status ForceSimdTarget(std::string_view name);

}  // namespace quantd::core

#endif  // QUANTD_CORE_SIMD_TARGET_H_
