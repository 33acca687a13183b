// Fake quantization as TensorFlow writes it: Eigen tensor expressions.
//
// They are compiled twice, each time into a shared library of its own that
// hides its symbols: linked into one program, the linker would keep only one of
// the two versions of each of Eigen's templates.

#ifndef QUANTD_BENCH_CONTENDERS_EIGEN_EXPRESSIONS_H_
#define QUANTD_BENCH_CONTENDERS_EIGEN_EXPRESSIONS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "bench/contenders/contender.h"

namespace quantd::bench {

// Forward and gradient, on one thread ("eigen_native") and on Eigen's thread
// pool of `threads` ("eigen_native_threads"). For exactly the kind of machine
// that compiled it.
__attribute__((visibility("default"))) std::vector<Contender> EigenForThisMachine(
    std::size_t threads);

// The same for any machine that has AVX2 and FMA: "eigen_avx2" and
// "eigen_avx2_threads".
__attribute__((visibility("default"))) std::vector<Contender> EigenForAvx2(std::size_t threads);

// Eigen's version, such as "3.4.0".
__attribute__((visibility("default"))) std::string EigenVersion();

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_CONTENDERS_EIGEN_EXPRESSIONS_H_
