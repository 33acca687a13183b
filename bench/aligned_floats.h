// Memory for tensors whose speed is measured.

#ifndef QUANTD_BENCH_ALIGNED_FLOATS_H_
#define QUANTD_BENCH_ALIGNED_FLOATS_H_

#include <cstddef>
#include <memory>
#include <new>
#include <span>

namespace quantd::bench {

// Floats at an address that suits every vector and every cache line. They are
// not touched: the first write to each page costs a page fault.
class AlignedFloats {
 public:
  explicit AlignedFloats(std::size_t count)
      : memory_(new (kAlignment) float[count], Delete), floats_(memory_.get(), count) {}

  std::span<float> get() const { return floats_; }

 private:
  static constexpr std::align_val_t kAlignment{4096};
  static void Delete(float* memory) { operator delete[](memory, kAlignment); }

  std::unique_ptr<float[], void (*)(float*)> memory_;
  std::span<float> floats_;
};

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_ALIGNED_FLOATS_H_
