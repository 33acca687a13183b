// Special floats, for tests.

#ifndef QUANTD_TESTS_CORE_SPECIAL_VALUES_H_
#define QUANTD_TESTS_CORE_SPECIAL_VALUES_H_

#include <limits>

namespace quantd::core {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

}  // namespace quantd::core

#endif  // QUANTD_TESTS_CORE_SPECIAL_VALUES_H_
