// XNNPACK's operators that convert between float32 and codes.

#ifndef QUANTD_BENCH_CONTENDERS_XNNPACK_OPERATORS_H_
#define QUANTD_BENCH_CONTENDERS_XNNPACK_OPERATORS_H_

#include <vector>

#include "bench/contenders/contender.h"

namespace quantd::bench {

// Returns "xnnpack", on one thread: codes of int8 and uint8, per tensor.
std::vector<Contender> XnnpackOperators();

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_CONTENDERS_XNNPACK_OPERATORS_H_
