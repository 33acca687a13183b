// Which inputs of a fake quantization by scale pass their gradients.

#ifndef QUANTD_CORE_OPERATIONS_PASSING_INPUTS_H_
#define QUANTD_CORE_OPERATIONS_PASSING_INPUTS_H_

#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <numeric>
#include <type_traits>

namespace quantd::core {

// The values from `lower` to `upper`; none if lower > upper.
template <std::floating_point T>
struct Interval {
  T lower;
  T upper;
};

namespace internal {

// Floats as integers in the same order, and back. -0 comes before +0.
template <std::floating_point T>
auto OrderOf(T value) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  const auto bits = std::bit_cast<Bits>(value);
  return bits < 0 ? static_cast<Bits>(std::numeric_limits<Bits>::min() - bits - 1) : bits;
}
template <std::floating_point T>
T AtOrder(decltype(OrderOf(T{})) order) {
  using Bits = decltype(order);
  return std::bit_cast<T>(
      order < 0 ? static_cast<Bits>(std::numeric_limits<Bits>::min() - order - 1) : order);
}

}  // namespace internal

// Returns the interval of the finite values for which CodeOf(x), which must not
// decrease with x, lies from `lowest` to `highest`.
template <std::floating_point T, typename CodeOf>
Interval<T> ValuesWithCodes(T lowest, T highest, CodeOf code_of) {
  using internal::AtOrder;
  using internal::OrderOf;
  using Bits = decltype(OrderOf(T{}));
  // The first value in the order for which `is_beyond` is true; it never turns false
  // again. One beyond the largest if there is none.
  const auto first = [](auto is_beyond) {
    Bits low = OrderOf(std::numeric_limits<T>::lowest());
    Bits high = OrderOf(std::numeric_limits<T>::max()) + 1;
    while (low < high) {
      const Bits middle = std::midpoint(low, high);
      if (is_beyond(AtOrder<T>(middle))) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  };
  const Bits lower = first([&](T x) { return code_of(x) >= lowest; });
  const Bits above = first([&](T x) { return code_of(x) > highest; });
  if (lower >= above) {
    return {.lower = std::numeric_limits<T>::infinity(),
            .upper = -std::numeric_limits<T>::infinity()};
  }
  return {.lower = AtOrder<T>(lower), .upper = AtOrder<T>(above - 1)};
}

}  // namespace quantd::core

#endif  // QUANTD_CORE_OPERATIONS_PASSING_INPUTS_H_
