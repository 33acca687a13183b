#include "core/affine_check.h"

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"
#include "core/decimal.h"
#include "core/numerics.h"
#include "core/parameter_layout.h"

namespace quantd::core {
namespace {

absl::Status SizeMismatch(const std::string& field, std::size_t size, std::size_t expected,
                          absl::string_view expectation) {
  return InvalidArgument(
      ErrorReason::kParametersSizeMismatch,
      absl::StrCat(field, " has ", size, " values; expected ", expectation),
      {.field = field,
       .metadata = {{"size", absl::StrCat(size)}, {"expected", absl::StrCat(expected)}}});
}

absl::Status CheckSizes(const AffineParameters& affine) {
  if (!affine.axis.has_value() && affine.scale.size() != 1) {
    return SizeMismatch("affine.scale", affine.scale.size(), 1,
                        "1 for the whole tensor: set affine.axis to have one for each channel");
  }
  if (!affine.zero_point.empty() && affine.zero_point.size() != affine.scale.size()) {
    return SizeMismatch(
        "affine.zero_point", affine.zero_point.size(), affine.scale.size(),
        absl::StrCat(affine.scale.size(), ", as many as affine.scale: send none for zeros"));
  }
  return absl::OkStatus();
}

absl::Status InvalidScale(float scale, std::size_t index, const NumericsRow& row) {
  const AffineArithmetic& arithmetic = *row.affine;
  const bool any = arithmetic.min_scale == std::numeric_limits<float>::denorm_min();
  const std::string expected =
      any ? "a finite scale above 0"
          : absl::StrCat("a scale from ", Decimal(arithmetic.min_scale), " to ",
                         Decimal(arithmetic.max_scale), ", which are those that the numerics ",
                         ToAbsl(row.name), " computes with");
  return InvalidArgument(
      ErrorReason::kInvalidScale,
      absl::StrCat("affine.scale[", index, "] is ", Decimal(scale), "; expected ", expected,
                   ": send the distance between neighbouring codes"),
      {.field = absl::StrCat("affine.scale[", index, "]"),
       .metadata = {{"index", absl::StrCat(index)}, {"scale", Decimal(scale)}}});
}

absl::Status InvalidZeroPoint(std::int32_t zero_point, std::size_t index, CodeRange expected,
                              absl::string_view reason) {
  return InvalidArgument(
      ErrorReason::kInvalidZeroPoint,
      absl::StrCat("affine.zero_point[", index, "] is ", zero_point, "; expected ",
                   expected.min == expected.max ? absl::StrCat(expected.min)
                                                : absl::StrCat(expected.min, "..", expected.max),
                   ", ", reason, ": send the code that stands for 0"),
      {.field = absl::StrCat("affine.zero_point[", index, "]"),
       .metadata = {{"index", absl::StrCat(index)},
                    {"zero_point", absl::StrCat(zero_point)},
                    {"min", absl::StrCat(expected.min)},
                    {"max", absl::StrCat(expected.max)}}});
}

}  // namespace

absl::Status CheckAffineParameters(const AffineParameters& affine, const ResolvedSpec& spec) {
  RETURN_IF_ERROR(CheckBlockSize("affine", affine.axis, affine.block_size));
  RETURN_IF_ERROR(CheckSizes(affine));
  const NumericsRow& row = RowOf(spec.numerics);
  for (std::size_t i = 0; i < affine.scale.size(); ++i) {
    // NaN fails both comparisons.
    if (!(affine.scale[i] >= row.affine->min_scale && affine.scale[i] <= row.affine->max_scale)) {
      return InvalidScale(affine.scale[i], i, row);
    }
  }
  const bool only_zero = row.affine->without_zero_point.contains(spec.code_type);
  const CodeRange zero_points = only_zero ? CodeRange{0, 0} : spec.codes;
  for (std::size_t i = 0; i < affine.zero_point.size(); ++i) {
    const std::int32_t zero_point = affine.zero_point[i];
    if (zero_point < zero_points.min || zero_point > zero_points.max) {
      return InvalidZeroPoint(zero_point, i, zero_points,
                              only_zero ? "because the producer has no other for this type"
                                        : "the codes from quant_min to quant_max");
    }
  }
  return absl::OkStatus();
}

}  // namespace quantd::core
