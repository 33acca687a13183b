#include "server/operations/settings_codec.h"

#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"
#include "server/operations/supported.h"
#include "wire/element_type.h"
#include "wire/numerics.h"
#include "wire/rounding.h"

namespace quantd::server {
namespace {

using core::ErrorReason;

// The kinds of parameters that a method takes.
std::vector<std::string> TakenParameters(const MethodTraits& method) {
  std::vector<std::string> names = {"range", "affine"};
  if (method.takes_data_range) {
    names.emplace_back("data_range");
  }
  return names;
}

std::vector<std::string> GivenParameters(const ReceivedSettings& settings) {
  std::vector<std::string> names;
  if (settings.range != nullptr) {
    names.emplace_back("range");
  }
  if (settings.affine != nullptr) {
    names.emplace_back("affine");
  }
  if (settings.data_range != nullptr) {
    names.emplace_back("data_range");
  }
  return names;
}

absl::Status ParametersMismatch(const ReceivedSettings& settings, const MethodTraits& method) {
  const std::vector<std::string> given = GivenParameters(settings);
  const std::vector<std::string> taken = TakenParameters(method);
  const std::string expected = absl::StrJoin(taken, ", ");
  const std::string wrong = given.empty()
                                ? absl::StrCat("none of ", expected,
                                               " is set; expected exactly one of them: "
                                               "set the one that says how to quantize the tensor")
                                : absl::StrCat(absl::StrJoin(given, " and "),
                                               " are set; expected exactly one "
                                               "of ",
                                               expected, ": leave the others out");
  return core::InvalidArgument(
      ErrorReason::kParametersMismatch, wrong,
      {.field = given.empty() ? taken.front() : given.back(),
       .metadata = {{"given", absl::StrJoin(given, ", ")}, {"expected", expected}}});
}

absl::Status DataRangeInStream() {
  return core::InvalidArgument(
      ErrorReason::kParametersMismatch,
      "data_range is set in a stream, where a message may be a part of a tensor; expected range or "
      "affine: send the whole tensor to the unary method, or compute its range first",
      {.field = "data_range",
       .metadata = {{"given", "data_range"}, {"expected", "range, affine"}}});
}

// Checks that there is exactly one kind of parameters.
absl::Status CheckParameters(const ReceivedSettings& settings, const MethodTraits& method) {
  const int given = static_cast<int>(settings.range != nullptr) +
                    static_cast<int>(settings.affine != nullptr) +
                    static_cast<int>(settings.data_range != nullptr);
  if (given != 1) {
    return ParametersMismatch(settings, method);
  }
  return settings.data_range != nullptr && method.transfer == wire::Transfer::kStream
             ? DataRangeInStream()
             : absl::OkStatus();
}

// Returns the field `name` of `message` if it is present.
template <typename Value, typename Message>
std::optional<Value> Optional(const Message& message, bool (Message::*has)() const,
                              Value (Message::*get)() const) {
  return (message.*has)() ? std::optional((message.*get)()) : std::nullopt;
}

core::Range ToRange(const v1::Range& range) {
  return {.min = AsSpan(range.min()),
          .max = AsSpan(range.max()),
          .axis = Optional(range, &v1::Range::has_axis, &v1::Range::axis)};
}

core::AffineParameters ToAffineParameters(const v1::AffineParameters& affine) {
  using Message = v1::AffineParameters;
  return {.scale = AsSpan(affine.scale()),
          .zero_point = AsSpan(affine.zero_point()),
          .axis = Optional(affine, &Message::has_axis, &Message::axis),
          .block_size = Optional(affine, &Message::has_block_size, &Message::block_size)};
}

core::DataRange ToDataRange(const v1::DataRange& data_range) {
  using Message = v1::DataRange;
  return {.symmetric = data_range.symmetric(),
          .axis = Optional(data_range, &Message::has_axis, &Message::axis),
          .block_size = Optional(data_range, &Message::has_block_size, &Message::block_size)};
}

absl::Status UnknownNumerics(v1::Numerics numerics, core::OperationKind operation) {
  const std::string supported = SupportedNumerics(operation);
  return core::InvalidArgument(
      ErrorReason::kUnsupportedNumerics,
      absl::StrCat("spec.numerics is the unknown number ", static_cast<int>(numerics),
                   "; expected one of ", supported,
                   ": choose one of these, or a server that knows this one"),
      {.field = "spec.numerics",
       .metadata = {{"numerics", absl::StrCat(static_cast<int>(numerics))},
                    {"supported", supported}}});
}

absl::StatusOr<core::Numerics> DecodeNumerics(v1::Numerics numerics,
                                              core::OperationKind operation) {
  const std::optional<core::Numerics> known = wire::ToCore(numerics);
  return known.has_value() ? absl::StatusOr<core::Numerics>(*known)
                           : UnknownNumerics(numerics, operation);
}

// The error of a type in the field of this path that is unknown.
absl::Status UnknownType(std::string_view field, v1::DataType type, const std::string& supported) {
  return core::InvalidArgument(
      ErrorReason::kUnsupportedDataType,
      absl::StrCat(core::ToAbsl(field), " is ", DataTypeName(type), "; expected one of ", supported,
                   ": choose one of these"),
      {.field = std::string(field),
       .metadata = {{"data_type", absl::StrCat(static_cast<int>(type))},
                    {"supported", supported}}});
}

absl::StatusOr<core::Rounding> DecodeRounding(v1::Rounding rounding) {
  const std::optional<core::Rounding> known = wire::ToCore(rounding);
  if (known.has_value()) {
    return *known;
  }
  const int number = static_cast<int>(rounding);
  return core::InvalidArgument(
      ErrorReason::kUnsupportedNumerics,
      absl::StrCat("spec.rounding is the unknown number ", number,
                   "; expected ROUNDING_HALF_TO_EVEN, ROUNDING_HALF_UP or "
                   "ROUNDING_HALF_AWAY_FROM_ZERO: choose one of these that the numerics has, or "
                   "leave it out"),
      {.field = "spec.rounding", .metadata = {{"rounding", absl::StrCat(number)}}});
}

absl::StatusOr<core::ElementType> DecodePrecision(v1::DataType type) {
  const std::optional<core::ElementType> known = wire::ToElementType(type);
  return known.has_value() ? absl::StatusOr<core::ElementType>(*known)
                           : UnknownType("spec.precision", type, "float32, float16");
}

// Returns the type of the output, or nothing if it is that of the inputs.
absl::StatusOr<std::optional<core::ElementType>> DecodeOutputType(v1::DataType type,
                                                                  const MethodTraits& method) {
  if (!method.default_output_type.has_value()) {
    return std::optional<core::ElementType>();
  }
  const std::optional<core::ElementType> known =
      wire::ToElementType(type == v1::DATA_TYPE_UNSPECIFIED ? *method.default_output_type : type);
  if (!known.has_value()) {
    return UnknownType("output_type", type, SupportedOutputTypes(method.operation));
  }
  return known;
}

absl::StatusOr<core::QuantizationSpec> DecodeSpec(const v1::QuantizationSpec& message,
                                                  core::OperationKind operation) {
  using Message = v1::QuantizationSpec;
  core::QuantizationSpec spec = {
      .num_bits = Optional(message, &Message::has_num_bits, &Message::num_bits),
      .narrow_range = message.narrow_range(),
      .quant_min = Optional(message, &Message::has_quant_min, &Message::quant_min),
      .quant_max = Optional(message, &Message::has_quant_max, &Message::quant_max),
      .signed_input = message.signed_input()};
  if (message.numerics() != v1::NUMERICS_UNSPECIFIED) {
    ASSIGN_OR_RETURN(spec.numerics, DecodeNumerics(message.numerics(), operation));
  }
  if (message.precision() != v1::DATA_TYPE_UNSPECIFIED) {
    ASSIGN_OR_RETURN(spec.precision, DecodePrecision(message.precision()));
  }
  if (message.rounding() != v1::ROUNDING_UNSPECIFIED) {
    ASSIGN_OR_RETURN(spec.rounding, DecodeRounding(message.rounding()));
  }
  return spec;
}

}  // namespace

absl::StatusOr<DecodedSettings> DecodeSettings(const ReceivedSettings& settings,
                                               const MethodTraits& method) {
  RETURN_IF_ERROR(CheckParameters(settings, method));
  DecodedSettings decoded;
  if (settings.range != nullptr) {
    decoded.parameters = ToRange(*settings.range);
  } else if (settings.affine != nullptr) {
    decoded.parameters = ToAffineParameters(*settings.affine);
  } else {
    decoded.data_range = ToDataRange(*settings.data_range);
  }
  if (settings.spec != nullptr) {
    ASSIGN_OR_RETURN(decoded.spec, DecodeSpec(*settings.spec, method.operation));
  }
  ASSIGN_OR_RETURN(decoded.output_type, DecodeOutputType(settings.output_type, method));
  return decoded;
}

}  // namespace quantd::server
