#include "core/resolved_spec.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"

namespace quantd::core {
namespace {

absl::string_view NameOf(Numerics numerics) { return ToAbsl(RowOf(numerics).name); }
absl::string_view NameOf(ElementType type) { return ToAbsl(RowOf(type).name); }
absl::string_view NameOf(Rounding rounding) {
  return ToAbsl(kRoundingTable[static_cast<std::size_t>(rounding)].name);
}

absl::string_view NameOf(OperationKind operation) {
  switch (operation) {
    case OperationKind::kFakeQuantize:
      return "FakeQuantize";
    case OperationKind::kFakeQuantizeGradient:
      return "FakeQuantizeGradient";
    case OperationKind::kQuantize:
      return "Quantize";
    case OperationKind::kDequantize:
      return "Dequantize";
  }
  return "";
}

ParameterSource SourceOf(const QuantizationParameters& parameters) {
  return std::holds_alternative<Range>(parameters) ? ParameterSource::kRange
                                                   : ParameterSource::kAffine;
}

// Returns what the operation takes with parameters like these; nothing if it does not
// take these.
std::optional<Support> SupportFor(OperationKind operation, Numerics numerics,
                                  const QuantizationParameters& parameters) {
  std::optional<Support> support = SupportOf(operation, numerics, SourceOf(parameters));
  const auto* affine = std::get_if<AffineParameters>(&parameters);
  const bool has_blocks = affine != nullptr && affine->block_size.has_value();
  const bool has_axis =
      std::visit([](const auto& given) { return given.axis.has_value(); }, parameters);
  if (support.has_value() &&
      ((has_axis && !support->per_channel) || (has_blocks && !support->blocks))) {
    support.reset();
  }
  return support;
}

std::string KindOf(const QuantizationParameters& parameters) {
  const auto* affine = std::get_if<AffineParameters>(&parameters);
  if (affine == nullptr) {
    return std::get<Range>(parameters).axis.has_value() ? "a range per channel" : "a range";
  }
  return absl::StrCat("scale and zero point", affine->block_size.has_value() ? " in blocks"
                                              : affine->axis.has_value()     ? " per channel"
                                                                             : "");
}

absl::Status UnsupportedNumerics(OperationKind operation, Numerics numerics,
                                 const QuantizationParameters& parameters) {
  std::vector<absl::string_view> supported;
  for (const NumericsRow& row : kNumericsTable) {
    if (SupportFor(operation, row.numerics, parameters).has_value()) {
      supported.push_back(ToAbsl(row.name));
    }
  }
  const std::string list = absl::StrJoin(supported, ", ");
  return InvalidArgument(
      ErrorReason::kUnsupportedNumerics,
      absl::StrCat("the numerics ", NameOf(numerics), " does not have ", NameOf(operation),
                   " with ", KindOf(parameters), "; expected one of ", list,
                   ": choose one of these, or send other parameters"),
      {.field = "spec.numerics",
       .metadata = {{"numerics", std::string(NameOf(numerics))}, {"supported", list}}});
}

absl::Status UnsupportedType(const std::string& field, OperationKind operation, Numerics numerics,
                             ElementType type, const ElementTypes& types) {
  std::vector<absl::string_view> supported;
  for (const ElementTypeRow& row : kElementTypeTable) {
    if (types.contains(row.type)) {
      supported.push_back(ToAbsl(row.name));
    }
  }
  const std::string list = absl::StrJoin(supported, ", ");
  return InvalidArgument(
      ErrorReason::kUnsupportedDataType,
      absl::StrCat(field, " is ", NameOf(type), ", which ", NameOf(operation),
                   " with the numerics ", NameOf(numerics), " does not have; expected one of ",
                   list, ": convert the elements, or choose another numerics"),
      {.field = field,
       .metadata = {{"data_type", std::string(NameOf(type))}, {"supported", list}}});
}

// The field of a request that has the type of the input.
std::string InputTypeField(OperationKind operation) {
  return operation == OperationKind::kFakeQuantizeGradient ? "inputs.data_type" : "input.data_type";
}

absl::Status CheckTypes(OperationKind operation, Numerics numerics, const Support& support,
                        const ConversionTypes& types) {
  if (!support.input_types.contains(types.input)) {
    return UnsupportedType(InputTypeField(operation), operation, numerics, types.input,
                           support.input_types);
  }
  if (!support.output_types.contains(types.output)) {
    return UnsupportedType("output_type", operation, numerics, types.output, support.output_types);
  }
  return absl::OkStatus();
}

absl::Status InvalidNumBits(std::uint32_t num_bits) {
  return InvalidArgument(
      ErrorReason::kInvalidNumBits,
      absl::StrCat("num_bits is ", num_bits, "; expected ", kMinNumBits, "..", kMaxNumBits,
                   ": choose a number of bits in this range, or leave it out for the default"),
      {.field = "spec.num_bits",
       .metadata = {{"num_bits", absl::StrCat(num_bits)},
                    {"min", absl::StrCat(kMinNumBits)},
                    {"max", absl::StrCat(kMaxNumBits)}}});
}

absl::Status InvalidQuantRange(const std::string& field, const std::string& complaint,
                               const QuantizationSpec& spec) {
  std::map<std::string, std::string> metadata;
  if (spec.quant_min.has_value()) {
    metadata["quant_min"] = absl::StrCat(*spec.quant_min);
  }
  if (spec.quant_max.has_value()) {
    metadata["quant_max"] = absl::StrCat(*spec.quant_max);
  }
  return InvalidArgument(ErrorReason::kInvalidQuantRange, complaint,
                         {.field = field, .metadata = std::move(metadata)});
}

// The codes that a tensor can hold: those of the type, or without a type those of any
// type of up to 16 bits.
CodeRange CodesOf(std::optional<ElementType> code_type) {
  if (!code_type.has_value()) {
    return {RowOf(ElementType::kInt16).lowest, RowOf(ElementType::kUint16).highest};
  }
  return {RowOf(*code_type).lowest, RowOf(*code_type).highest};
}

absl::StatusOr<CodeRange> ExplicitCodes(const QuantizationSpec& spec,
                                        std::optional<ElementType> code_type) {
  if (!spec.quant_min.has_value() || !spec.quant_max.has_value()) {
    return InvalidQuantRange(
        spec.quant_min.has_value() ? "spec.quant_max" : "spec.quant_min",
        "only one of quant_min and quant_max is set; expected both or neither: set the other one",
        spec);
  }
  if (spec.num_bits.has_value() || spec.narrow_range) {
    return InvalidQuantRange("spec.quant_min",
                             "quant_min and quant_max are set beside num_bits or narrow_range; "
                             "expected one of the two ways: leave one out",
                             spec);
  }
  const CodeRange possible = CodesOf(code_type);
  const CodeRange codes{*spec.quant_min, *spec.quant_max};
  if (codes.min >= codes.max) {
    return InvalidQuantRange("spec.quant_min",
                             absl::StrCat("quant_min is ", codes.min, " and quant_max is ",
                                          codes.max, "; expected quant_min < quant_max: swap them"),
                             spec);
  }
  if (codes.min < possible.min || codes.max > possible.max) {
    return InvalidQuantRange(
        codes.min < possible.min ? "spec.quant_min" : "spec.quant_max",
        absl::StrCat("the codes ", codes.min, "..", codes.max,
                     " do not fit; expected codes within ", possible.min, "..", possible.max,
                     ": choose fewer codes, or a type that holds them"),
        spec);
  }
  return codes;
}

// Returns the width of a code.
absl::StatusOr<std::uint32_t> NumBits(const QuantizationSpec& spec,
                                      std::optional<ElementType> code_type) {
  const auto type_bits =
      code_type.has_value() ? static_cast<std::uint32_t>(RowOf(*code_type).bits) : kDefaultNumBits;
  if (!spec.num_bits.has_value()) {
    return type_bits;
  }
  if (*spec.num_bits < kMinNumBits || *spec.num_bits > kMaxNumBits) {
    return InvalidNumBits(*spec.num_bits);
  }
  if (code_type.has_value() && *spec.num_bits > type_bits) {
    return InvalidQuantRange("spec.num_bits",
                             absl::StrCat("codes of ", *spec.num_bits, " bits do not fit into ",
                                          NameOf(*code_type), "; expected at most ", type_bits,
                                          " bits: choose fewer bits, or a type that holds them"),
                             spec);
  }
  return *spec.num_bits;
}

absl::Status NotAllBits(Numerics numerics, std::uint32_t num_bits, std::uint32_t type_bits) {
  return InvalidArgument(
      ErrorReason::kInvalidNumBits,
      absl::StrCat("num_bits is ", num_bits, ", and the codes have ", type_bits,
                   " bits; expected as many with the numerics ", NameOf(numerics),
                   ", whose codes fill their type: leave it out"),
      {.field = "spec.num_bits",
       .metadata = {{"num_bits", absl::StrCat(num_bits)},
                    {"min", absl::StrCat(type_bits)},
                    {"max", absl::StrCat(type_bits)}}});
}

absl::Status ResolveCodes(bool by_range, const QuantizationSpec& spec,
                          std::optional<ElementType> code_type, ResolvedSpec& resolved) {
  if (spec.quant_min.has_value() || spec.quant_max.has_value()) {
    if (by_range) {
      return InvalidQuantRange("spec.quant_min",
                               "quant_min or quant_max is set with a range; expected them only "
                               "with scale and zero point: set num_bits and narrow_range instead",
                               spec);
    }
    ASSIGN_OR_RETURN(resolved.codes, ExplicitCodes(spec, code_type));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::uint32_t num_bits, NumBits(spec, code_type));
  const bool is_signed =
      code_type.has_value() ? RowOf(*code_type).lowest < 0 : by_range && spec.signed_input;
  const RangeRule rule = by_range ? resolved.range().rule : RangeRule::kNudged;
  if (rule != RangeRule::kNudged && code_type.has_value() && num_bits != RowOf(*code_type).bits) {
    return NotAllBits(resolved.numerics, num_bits,
                      static_cast<std::uint32_t>(RowOf(*code_type).bits));
  }
  // QuantizeAndDequantize ignores it where codes have one sign.
  const bool is_narrow =
      spec.narrow_range && (rule != RangeRule::kQuantizeAndDequantize || is_signed);
  const std::int64_t unsigned_min = is_narrow ? 1 : 0;
  const std::int64_t unsigned_max = (std::int64_t{1} << num_bits) - 1;
  const std::int64_t offset = is_signed ? std::int64_t{1} << (num_bits - 1) : 0;
  const std::int64_t shift = by_range ? 0 : offset;
  resolved.codes = {static_cast<std::int32_t>(unsigned_min - shift),
                    static_cast<std::int32_t>(unsigned_max - shift)};
  resolved.code_offset = by_range ? static_cast<std::int32_t>(offset) : 0;
  return absl::OkStatus();
}

// Returns kDivideHalfEven, or its variant for the precision that was asked for.
absl::StatusOr<StepFormula> WithPrecision(const QuantizationSpec& spec, StepFormula step,
                                          ElementType input) {
  if (!spec.precision.has_value()) {
    return step;
  }
  const ElementType precision = *spec.precision;
  if (step == StepFormula::kDivideHalfEven) {
    if (precision == ElementType::kFloat32) {
      return step;
    }
    if (precision == input && input == ElementType::kFloat16) {
      return StepFormula::kDivideHalfEvenFloat16;
    }
    if (precision == input && input == ElementType::kBFloat16) {
      return StepFormula::kDivideHalfEvenBFloat16;
    }
  }
  return InvalidArgument(
      ErrorReason::kUnsupportedDataType,
      absl::StrCat("spec.precision is ", NameOf(precision),
                   "; expected it only with the numerics ONNX, where it is float32, or the type of "
                   "an input of float16 or bfloat16: leave it out"),
      {.field = "spec.precision", .metadata = {{"precision", std::string(NameOf(precision))}}});
}

// The names of the roundings, or "none" without any.
std::string NamesOf(const Roundings& roundings) {
  std::vector<absl::string_view> names;
  for (const RoundingRow& row : kRoundingTable) {
    if (roundings.contains(row.rounding)) {
      names.push_back(ToAbsl(row.name));
    }
  }
  return names.empty() ? "none" : absl::StrJoin(names, ", ");
}

absl::Status NoSuchRounding(Numerics numerics, Rounding rounding, const Roundings& roundings) {
  const std::string supported = NamesOf(roundings);
  return InvalidArgument(
      ErrorReason::kUnsupportedNumerics,
      absl::StrCat("rounding is ", NameOf(rounding), ", which the numerics ", NameOf(numerics),
                   " does not have",
                   roundings.empty() ? " a choice of; expected none"
                                     : absl::StrCat("; expected one of ", supported),
                   ": leave it out, or choose another numerics"),
      {.field = "spec.rounding",
       .metadata = {{"numerics", std::string(NameOf(numerics))},
                    {"rounding", std::string(NameOf(rounding))},
                    {"supported", supported}}});
}

absl::Status NoSignedInput(Numerics numerics) {
  return InvalidArgument(
      ErrorReason::kUnsupportedNumerics,
      absl::StrCat("signed_input is set, which the numerics ", NameOf(numerics),
                   " does not have; expected it only with TENSORFLOW_QUANTIZE_AND_DEQUANTIZE: "
                   "leave it out"),
      {.field = "spec.signed_input", .metadata = {{"numerics", std::string(NameOf(numerics))}}});
}

// Checks what only some numerics leave to their callers. `range` is null with scales.
absl::Status CheckChoices(Numerics numerics, const RangeArithmetic* range,
                          const QuantizationSpec& spec) {
  const Roundings roundings = range == nullptr ? Roundings() : range->roundings;
  if (spec.rounding.has_value() && !roundings.contains(*spec.rounding)) {
    return NoSuchRounding(numerics, *spec.rounding, roundings);
  }
  if (spec.signed_input && (range == nullptr || !range->has_signed_input)) {
    return NoSignedInput(numerics);
  }
  return absl::OkStatus();
}

StepFormula ClampedWith(Rounding rounding) {
  switch (rounding) {
    case Rounding::kHalfToEven:
      return StepFormula::kClampedHalfEven;
    case Rounding::kHalfUp:
      return StepFormula::kClampedHalfUp;
    case Rounding::kHalfAwayFromZero:
      return StepFormula::kClampedHalfAway;
  }
  return StepFormula::kClampedHalfEven;
}

// Returns the formula of a range, which follows from the choices of `spec` and from the
// type of the codes as well.
StepFormula StepOf(OperationKind operation, const RangeArithmetic& arithmetic, bool has_axis,
                   const QuantizationSpec& spec, std::int32_t code_offset) {
  const StepFormula step = has_axis ? *arithmetic.per_channel : arithmetic.per_tensor;
  if (arithmetic.rule == RangeRule::kMinFirst && operation == OperationKind::kDequantize) {
    return StepFormula::kFromLowerEnd;
  }
  if (arithmetic.rule == RangeRule::kMinCombined && code_offset != 0) {
    return StepFormula::kFromLowerEndCentred;
  }
  return arithmetic.roundings.empty()
             ? step
             : ClampedWith(spec.rounding.value_or(arithmetic.roundings.default_rounding()));
}

absl::Status NoNarrowRange(Numerics numerics) {
  return InvalidArgument(
      ErrorReason::kUnsupportedNumerics,
      absl::StrCat("narrow_range is set, which the numerics ", NameOf(numerics),
                   " does not have with a range; expected all codes: leave it out"),
      {.field = "spec.narrow_range", .metadata = {{"numerics", std::string(NameOf(numerics))}}});
}

}  // namespace

absl::StatusOr<ResolvedSpec> Resolve(OperationKind operation,
                                     const QuantizationParameters& parameters,
                                     const QuantizationSpec& spec, const ConversionTypes& types) {
  const auto* range = std::get_if<Range>(&parameters);
  const Numerics numerics =
      spec.numerics.value_or(range != nullptr ? Numerics::kTensorFlow : Numerics::kOnnx);
  const std::optional<Support> support = SupportFor(operation, numerics, parameters);
  if (!support.has_value()) {
    return UnsupportedNumerics(operation, numerics, parameters);
  }
  RETURN_IF_ERROR(CheckTypes(operation, numerics, *support, types));
  const std::optional<ElementType> code_type =
      operation == OperationKind::kQuantize     ? std::optional(types.output)
      : operation == OperationKind::kDequantize ? std::optional(types.input)
                                                : std::nullopt;
  ResolvedSpec resolved{.numerics = numerics, .codes = {}, .step = {}};
  resolved.code_type = code_type.value_or(ElementType::kUint8);
  RETURN_IF_ERROR(CheckChoices(numerics, range != nullptr ? &resolved.range() : nullptr, spec));
  RETURN_IF_ERROR(ResolveCodes(range != nullptr, spec, code_type, resolved));
  if (range == nullptr) {
    ASSIGN_OR_RETURN(resolved.step, WithPrecision(spec, resolved.affine().step, types.input));
    return resolved;
  }
  const RangeArithmetic& arithmetic = resolved.range();
  if (spec.narrow_range && !arithmetic.has_narrow_range) {
    return NoNarrowRange(numerics);
  }
  resolved.step =
      StepOf(operation, arithmetic, range->axis.has_value(), spec, resolved.code_offset);
  RETURN_IF_ERROR(WithPrecision(spec, resolved.step, types.input).status());
  return resolved;
}

absl::Status NanHasNoCode(Numerics numerics, std::size_t index) {
  return InvalidArgument(
      ErrorReason::kInvalidValue,
      absl::StrCat("element ", index, " of input is NaN, for which the numerics ", NameOf(numerics),
                   " has no code; expected numbers: replace NaN before quantizing, or choose a "
                   "numerics that gives it a code"),
      {.field = "input.data",
       .metadata = {{"index", absl::StrCat(index)}, {"numerics", std::string(NameOf(numerics))}}});
}

}  // namespace quantd::core
