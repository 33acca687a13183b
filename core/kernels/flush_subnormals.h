// The floating-point mode in which TensorFlow, XLA and JAX compute.

#ifndef QUANTD_CORE_KERNELS_FLUSH_SUBNORMALS_H_
#define QUANTD_CORE_KERNELS_FLUSH_SUBNORMALS_H_

#include <atomic>
#include <cstdint>

#include "hwy/detect_targets.h"

#if HWY_ARCH_X86
#include <xmmintrin.h>
#endif

namespace quantd::core::kernels {

// While it lives, this thread's float operations take subnormal operands for zeros
// of their sign, and give such zeros instead of subnormal results. Comparisons do so,
// too. Loads, stores and bitwise operations, such as a selection, do not.
//
// Make it in the function that loads and stores the elements: the compiler keeps the
// two, and so what is computed in between, inside of its scope.
class ScopedFlushSubnormals {
 public:
  ScopedFlushSubnormals() : saved_(Mode()) { SetMode(saved_ | kFlush); }
  ~ScopedFlushSubnormals() { SetMode(saved_); }

  ScopedFlushSubnormals(const ScopedFlushSubnormals&) = delete;
  ScopedFlushSubnormals& operator=(const ScopedFlushSubnormals&) = delete;

 private:
#if HWY_ARCH_X86
  using ModeBits = std::uint32_t;
  // Flush to zero, and denormals are zeros.
  static constexpr ModeBits kFlush = 0x8040;
  static ModeBits Mode() { return _mm_getcsr(); }
  static void Write(ModeBits mode) { _mm_setcsr(mode); }
#elif HWY_ARCH_ARM_A64
  using ModeBits = std::uint64_t;
  // FZ, for operands and results.
  static constexpr ModeBits kFlush = ModeBits{1} << 24;
  static ModeBits Mode() {
    ModeBits mode;
    asm volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
  }
  static void Write(ModeBits mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
#else
#error "add how this processor flushes subnormal numbers"
#endif

  static void SetMode(ModeBits mode) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    Write(mode);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }

  const ModeBits saved_;
};

// Returns 1 where the compiler cannot see that it is 1. It would replace the product
// of x and 1 by x, which is not flushed.
inline float UnfoldedOne() {
  float one = 1;
#if HWY_ARCH_X86
  asm("" : "+x"(one));
#else
  asm("" : "+w"(one));
#endif
  return one;
}

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_FLUSH_SUBNORMALS_H_
