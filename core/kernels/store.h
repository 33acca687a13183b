// How results reach memory.

#ifndef QUANTD_CORE_KERNELS_STORE_H_
#define QUANTD_CORE_KERNELS_STORE_H_

namespace quantd::core::kernels {

// Streaming stores bypass the cache: faster for outputs much larger than it,
// slower for smaller ones.
enum class Store { kCached, kStreaming };

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_STORE_H_
