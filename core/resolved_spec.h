// A spec with everything that it leaves out, for an operation on tensors of known
// types.

#ifndef QUANTD_CORE_RESOLVED_SPEC_H_
#define QUANTD_CORE_RESOLVED_SPEC_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/element_type.h"
#include "core/numerics.h"
#include "core/quantization.h"
#include "core/support.h"

namespace quantd::core {

// The types of a tensor before and after an operation.
struct ConversionTypes {
  ElementType input;
  ElementType output;
};

struct ResolvedSpec {
  Numerics numerics;
  // With a range, codes count from 0 or 1: those of an unsigned type.
  CodeRange codes;
  // What a code of that kind is more than a code in a tensor: 2^(num_bits-1) with a
  // range and a signed type or signed_input, and otherwise 0.
  std::int32_t code_offset = 0;
  // The type of the codes: kUint8 for a fake quantization, which has none.
  ElementType code_type = ElementType::kUint8;
  // How values become steps; the one of channels if the parameters have an axis.
  StepFormula step;

  const RangeArithmetic& range() const { return *RowOf(numerics).range; }
  const AffineArithmetic& affine() const { return *RowOf(numerics).affine; }
};

// Errors: UNSUPPORTED_NUMERICS if the numerics does not have the operation with such
// parameters, or not the narrow range, signed input or rounding of `spec`;
// UNSUPPORTED_DATA_TYPE if it does not have the types; INVALID_NUM_BITS;
// INVALID_QUANT_RANGE.
absl::StatusOr<ResolvedSpec> Resolve(OperationKind operation,
                                     const QuantizationParameters& parameters,
                                     const QuantizationSpec& spec, const ConversionTypes& types);

// Returns INVALID_VALUE for element `index`, which is NaN: `numerics` has no code for
// it.
absl::Status NanHasNoCode(Numerics numerics, std::size_t index);

}  // namespace quantd::core

#endif  // QUANTD_CORE_RESOLVED_SPEC_H_
