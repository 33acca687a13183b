// quantd with scales and zero points: codes, and fake quantization of 16-bit floats.

#ifndef QUANTD_BENCH_CONTENDERS_QUANTD_AFFINE_H_
#define QUANTD_BENCH_CONTENDERS_QUANTD_AFFINE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/contenders/contender.h"
#include "core/base/element_type.h"

namespace quantd::bench {

// Returns "quantd", with ONNX's arithmetic, and "quantd_pytorch" and "quantd_xnnpack",
// with that of the peers they are compared with; all on one thread.
std::vector<Contender> QuantdWithScales();

// Returns the zero points of a problem for codes of `type`: those of a signed type are
// 128 lower, and all are within its codes.
std::vector<std::int32_t> ZeroPointsFor(const Problem& problem, core::ElementType type);

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_CONTENDERS_QUANTD_AFFINE_H_
