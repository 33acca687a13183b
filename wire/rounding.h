// Roundings in the schema.

#ifndef QUANTD_WIRE_ROUNDING_H_
#define QUANTD_WIRE_ROUNDING_H_

#include <array>
#include <optional>

#include "core/base/rounding.h"
#include "quantd/v1/quantization.pb.h"

namespace quantd::wire {

struct RoundingMapping {
  core::Rounding rounding;
  v1::Rounding number;
};

// Every rounding that core has.
inline constexpr std::array kRoundings = {
    RoundingMapping{core::Rounding::kHalfToEven, v1::ROUNDING_HALF_TO_EVEN},
    RoundingMapping{core::Rounding::kHalfUp, v1::ROUNDING_HALF_UP},
    RoundingMapping{core::Rounding::kHalfAwayFromZero, v1::ROUNDING_HALF_AWAY_FROM_ZERO},
};

constexpr v1::Rounding ToSchema(core::Rounding rounding) {
  for (const RoundingMapping& mapping : kRoundings) {
    if (mapping.rounding == rounding) {
      return mapping.number;
    }
  }
  return v1::ROUNDING_UNSPECIFIED;
}

// Returns nothing for ROUNDING_UNSPECIFIED and for numbers that the schema does not have.
constexpr std::optional<core::Rounding> ToCore(v1::Rounding number) {
  for (const RoundingMapping& mapping : kRoundings) {
    if (mapping.number == number) {
      return mapping.rounding;
    }
  }
  return std::nullopt;
}

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_ROUNDING_H_
