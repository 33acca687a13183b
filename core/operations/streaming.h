// From which size of an output on stores bypass the cache.

#ifndef QUANTD_CORE_OPERATIONS_STREAMING_H_
#define QUANTD_CORE_OPERATIONS_STREAMING_H_

#include <cstddef>

#include "core/kernels/parameters.h"

namespace quantd::core {

inline constexpr std::size_t kBytesPerMib = std::size_t{1} << 20;

// Returns the store for an output of `bytes`. Outputs from `streaming_bytes` on do
// not stay in the cache (docs/experiments.md has the figures).
inline kernels::Store StoreFor(std::size_t bytes, std::size_t streaming_bytes) {
  return bytes >= streaming_bytes ? kernels::Store::kStreaming : kernels::Store::kCached;
}

}  // namespace quantd::core

#endif  // QUANTD_CORE_OPERATIONS_STREAMING_H_
