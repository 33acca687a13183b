// What no kernel that moves the same bytes can be expected to beat by much.

#ifndef QUANTD_BENCH_CONTENDERS_LIMITS_H_
#define QUANTD_BENCH_CONTENDERS_LIMITS_H_

#include <vector>

#include "bench/contenders/contender.h"

namespace quantd::bench {

// "memcpy" and "streaming_copy" copy; "cached_add" and "streaming_add" read two
// arrays and write one, as a gradient does. The streaming ones write past the
// cache.
std::vector<Contender> Limits();

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_CONTENDERS_LIMITS_H_
