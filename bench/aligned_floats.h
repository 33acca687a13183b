// Aligned memory for the tensors of benchmarks.

#ifndef QUANTD_BENCH_ALIGNED_FLOATS_H_
#define QUANTD_BENCH_ALIGNED_FLOATS_H_

#include <cstddef>
#include <memory>
#include <new>
#include <span>

namespace quantd::bench {

// Owns floats at an address that is aligned for every vector and cache line. The memory
// is not initialized, so the first write to each page causes a page fault.
class AlignedFloats {
 public:
  explicit AlignedFloats(std::size_t count)
      : memory_(new (kAlignment) float[count + kReadBeyond], Delete),
        floats_(memory_.get(), count) {}

  std::span<float> get() const { return floats_; }

 private:
  static constexpr std::align_val_t kAlignment{4096};
  // XNNPACK reads some elements beyond the last one.
  static constexpr std::size_t kReadBeyond = 16;
  static void Delete(float* memory) { operator delete[](memory, kAlignment); }

  std::unique_ptr<float[], void (*)(float*)> memory_;
  std::span<float> floats_;
};

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_ALIGNED_FLOATS_H_
