// Whose arithmetic, as a table: one row of decisions for each Numerics. The
// kernels, the nudging and the reference all read it, so that a decision is made
// here and nowhere else. The formulas themselves are in docs/design.md.

#ifndef QUANTD_CORE_NUMERICS_H_
#define QUANTD_CORE_NUMERICS_H_

#include <array>
#include <cstddef>

#include "core/quantization.h"

namespace quantd::core {

// How a shifted value, x - nudged_min, becomes a number of steps. The last bits
// of the two quotients differ.
enum class Quotient { kDivideByScale, kMultiplyByInverseScale };

// Which step a value takes that lies halfway between two.
enum class TieRule {
  // floor(q + 0.5), with both operations rounded.
  kHalfUp,
};

// How the code of zero, which is seldom a whole number, becomes one.
enum class ZeroPointRule {
  // To the nearest code; ties away from zero; then held to the codes there are.
  kHalfAwayFromZero,
};

// How the gradient of an input outside the nudged range is suppressed.
enum class GradientMask {
  // Times 1 or 0, so that -1 becomes -0, and infinity and NaN become NaN.
  kProduct,
};

// The decisions of one numerics.
struct NumericsRow {
  Numerics numerics;
  Quotient per_tensor;
  Quotient per_channel;
  TieRule ties;
  ZeroPointRule zero_point;
  GradientMask mask;

  // The quotient for `range`: per channel if it has an axis.
  constexpr Quotient quotient(const Range& range) const {
    return range.axis.has_value() ? per_channel : per_tensor;
  }
};

// The rows in the order of the enum.
inline constexpr std::array kNumericsTable = {
    NumericsRow{.numerics = Numerics::kTensorFlow,
                .per_tensor = Quotient::kDivideByScale,
                .per_channel = Quotient::kMultiplyByInverseScale,
                .ties = TieRule::kHalfUp,
                .zero_point = ZeroPointRule::kHalfAwayFromZero,
                .mask = GradientMask::kProduct},
    NumericsRow{.numerics = Numerics::kTensorFlowArgs,
                .per_tensor = Quotient::kMultiplyByInverseScale,
                .per_channel = Quotient::kMultiplyByInverseScale,
                .ties = TieRule::kHalfUp,
                .zero_point = ZeroPointRule::kHalfAwayFromZero,
                .mask = GradientMask::kProduct},
};

static_assert(
    [] {
      for (std::size_t i = 0; i < kNumericsTable.size(); ++i) {
        if (static_cast<std::size_t>(kNumericsTable[i].numerics) != i) {
          return false;
        }
      }
      return static_cast<std::size_t>(Numerics::kTensorFlowArgs) == kNumericsTable.size() - 1;
    }(),
    "kNumericsTable lists every numerics once, in the order of the enum");

constexpr const NumericsRow& RowOf(Numerics numerics) {
  return kNumericsTable[static_cast<std::size_t>(numerics)];
}

}  // namespace quantd::core

#endif  // QUANTD_CORE_NUMERICS_H_
