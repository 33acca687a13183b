// Fake quantization with Eigen's tensor expressions, as in TensorFlow's source.
//
// The code is compiled twice, into two shared libraries that hide their symbols. If both
// versions were linked into one program directly, the linker would keep only one version of
// each of Eigen's templates.

#ifndef QUANTD_BENCH_CONTENDERS_EIGEN_EXPRESSIONS_H_
#define QUANTD_BENCH_CONTENDERS_EIGEN_EXPRESSIONS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "bench/contenders/contender.h"

namespace quantd::bench {

// Returns contenders for forward and gradient, on one thread ("eigen_native") and on
// Eigen's thread pool with `threads` threads ("eigen_native_threads"). They are compiled for
// exactly the kind of machine that they were built on.
__attribute__((visibility("default"))) std::vector<Contender> EigenForThisMachine(
    std::size_t threads);

// Returns the same for any machine with AVX2 and FMA: "eigen_avx2" and
// "eigen_avx2_threads".
__attribute__((visibility("default"))) std::vector<Contender> EigenForAvx2(std::size_t threads);

// Returns Eigen's version, such as "3.4.0".
__attribute__((visibility("default"))) std::string EigenVersion();

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_CONTENDERS_EIGEN_EXPRESSIONS_H_
