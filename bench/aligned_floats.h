// Aligned memory for the tensors of benchmarks.

#ifndef QUANTD_BENCH_ALIGNED_FLOATS_H_
#define QUANTD_BENCH_ALIGNED_FLOATS_H_

#include <sys/mman.h>

#include <cstddef>
#include <memory>
#include <new>
#include <span>

namespace quantd::bench {

// Owns floats at an address that is aligned for every vector and cache line. The memory
// is not initialized, so the first write to each page causes a page fault. Large memory has
// huge pages where the system gives them, as most systems do without being asked: otherwise
// it is the walks of page tables that would be measured.
class AlignedFloats {
 public:
  explicit AlignedFloats(std::size_t count)
      : memory_(new (kAlignment) float[count + kReadBeyond], Delete),
        floats_(memory_.get(), count) {
    if (floats_.size_bytes() >= kHugePageBytes) {
      // A system without them refuses, which changes no result.
      static_cast<void>(madvise(memory_.get(), floats_.size_bytes(), MADV_HUGEPAGE));
    }
  }

  std::span<float> get() const { return floats_; }

 private:
  static constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;
  static constexpr std::align_val_t kAlignment{kHugePageBytes};
  // XNNPACK reads some elements beyond the last one.
  static constexpr std::size_t kReadBeyond = 16;
  static void Delete(float* memory) { operator delete[](memory, kAlignment); }

  std::unique_ptr<float[], void (*)(float*)> memory_;
  std::span<float> floats_;
};

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_ALIGNED_FLOATS_H_
