// What becomes of values halfway between two codes: the names, which all rooms share.

#ifndef QUANTD_CORE_BASE_ROUNDING_H_
#define QUANTD_CORE_BASE_ROUNDING_H_

namespace quantd::core {

// What becomes of a value halfway between two codes.
enum class Rounding {
  // To the even one.
  kHalfToEven,
  // To the higher one.
  kHalfUp,
  // To the one that is farther from zero.
  kHalfAwayFromZero,
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_ROUNDING_H_
