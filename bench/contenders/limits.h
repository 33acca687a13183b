// Contenders that only move bytes. No kernel that moves the same bytes can be much faster.

#ifndef QUANTD_BENCH_CONTENDERS_LIMITS_H_
#define QUANTD_BENCH_CONTENDERS_LIMITS_H_

#include <vector>

#include "bench/contenders/contender.h"

namespace quantd::bench {

// Returns "memcpy" and "streaming_copy", which copy, and "cached_add" and "streaming_add",
// which read two arrays and write one, like a gradient. The streaming ones bypass the cache
// when they write.
std::vector<Contender> Limits();

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_CONTENDERS_LIMITS_H_
