#include "core/support.h"

#include "core/numerics.h"

namespace quantd::core {
namespace {

constexpr ElementTypes kFloats = {ElementType::kFloat32, ElementType::kFloat16,
                                  ElementType::kBFloat16};
constexpr ElementTypes kFloatsAndDouble = {ElementType::kFloat32, ElementType::kFloat16,
                                           ElementType::kBFloat16, ElementType::kFloat64};
// A range gives codes of up to kMaxNumBits bits.
constexpr ElementTypes kCodesOfRanges = {
    ElementType::kInt8, ElementType::kUint8, ElementType::kInt16, ElementType::kUint16,
    ElementType::kInt4, ElementType::kUint4, ElementType::kInt2,  ElementType::kUint2};

// Those of QuantizeV2 and Dequantize fill their type.
constexpr ElementTypes kWholeCodes = {ElementType::kInt8, ElementType::kUint8, ElementType::kInt16,
                                      ElementType::kUint16};

const ElementTypes& CodesOf(const RangeArithmetic& range) {
  return range.rule == RangeRule::kNudged ? kCodesOfRanges : kWholeCodes;
}

bool HasOperation(OperationKind operation, const RangeArithmetic& range) {
  switch (operation) {
    case OperationKind::kFakeQuantize:
      return range.has_fake_quantization;
    case OperationKind::kFakeQuantizeGradient:
      return range.gradient.has_value();
    case OperationKind::kQuantize:
    case OperationKind::kDequantize:
      return range.has_codes;
  }
  return false;
}

Support SupportOfRanges(OperationKind operation, const RangeArithmetic& range) {
  Support support{.per_tensor = true,
                  .per_channel = range.per_channel.has_value(),
                  .input_types = kFloats,
                  .output_types = kFloats};
  if (operation == OperationKind::kQuantize) {
    support.from_data = true;
    support.output_types = CodesOf(range);
  } else if (operation == OperationKind::kDequantize) {
    support.input_types = CodesOf(range);
  } else if (range.has_float64) {
    support.input_types = kFloatsAndDouble;
    support.output_types = kFloatsAndDouble;
  }
  return support;
}

Support SupportOfScales(OperationKind operation, const AffineArithmetic& affine) {
  Support support{.per_tensor = true,
                  .per_channel = affine.has_channels,
                  .blocks = affine.has_blocks,
                  .input_types = kFloats,
                  .output_types = kFloats};
  if (operation == OperationKind::kQuantize) {
    support.from_data = affine.has_dynamic_parameters;
    support.output_types = affine.quantizes_to;
  } else if (operation == OperationKind::kDequantize) {
    support.input_types = affine.dequantizes_from;
  } else if (affine.has_float64) {
    support.input_types = kFloatsAndDouble;
    support.output_types = kFloatsAndDouble;
  }
  return support;
}

}  // namespace

std::optional<Support> SupportOf(OperationKind operation, Numerics numerics,
                                 ParameterSource source) {
  const NumericsRow& row = RowOf(numerics);
  const bool is_gradient = operation == OperationKind::kFakeQuantizeGradient;
  if (source == ParameterSource::kRange) {
    return row.range.has_value() && HasOperation(operation, *row.range)
               ? std::optional(SupportOfRanges(operation, *row.range))
               : std::nullopt;
  }
  return row.affine.has_value() && (!is_gradient || row.affine->has_gradient)
             ? std::optional(SupportOfScales(operation, *row.affine))
             : std::nullopt;
}

}  // namespace quantd::core
