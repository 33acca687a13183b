// Everything of a request but its tensors, as core's types.

#ifndef QUANTD_SERVER_OPERATIONS_SETTINGS_CODEC_H_
#define QUANTD_SERVER_OPERATIONS_SETTINGS_CODEC_H_

#include <google/protobuf/repeated_field.h>

#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "core/base/element_type.h"
#include "core/quantization.h"
#include "core/support.h"
#include "quantd/v1/quantization.pb.h"
#include "quantd/v1/tensor.pb.h"
#include "server/operations/operation_kind.h"
#include "wire/methods.h"
#include "wire/operations.h"

namespace quantd::server {

// What a request says besides its tensors, before it is checked. Null is what it does
// not have.
struct ReceivedSettings {
  const v1::Range* range = nullptr;
  const v1::AffineParameters* affine = nullptr;
  const v1::DataRange* data_range = nullptr;
  const v1::QuantizationSpec* spec = nullptr;
  v1::DataType output_type = v1::DATA_TYPE_UNSPECIFIED;
};

// What a method takes, as far as it does not depend on the numerics.
struct MethodTraits {
  core::OperationKind operation = core::OperationKind::kFakeQuantize;
  wire::Transfer transfer = wire::Transfer::kUnary;
  bool takes_data_range = false;
  // The type of the output if a request does not say it. Nothing for an operation whose
  // output is of the type of its inputs.
  std::optional<v1::DataType> default_output_type = {};
};

// What a request asks for besides its tensors. Refers to the messages that it was
// decoded from.
struct DecodedSettings {
  // Have no meaning if there is a data range.
  core::QuantizationParameters parameters;
  std::optional<core::DataRange> data_range;
  core::QuantizationSpec spec;
  // Nothing if it is the type of the inputs.
  std::optional<core::ElementType> output_type;
};

// The traits of the method of `Operation`.
template <typename Operation>
constexpr MethodTraits TraitsOf(wire::Transfer transfer) {
  using Request = typename Operation::Request;
  MethodTraits traits{.operation = kOperationKind<Operation>,
                      .transfer = transfer,
                      .takes_data_range = wire::TakesDataRange<Request>};
  if constexpr (wire::TakesOutputType<Request>) {
    traits.default_output_type = Operation::kDefaultOutputType;
  }
  return traits;
}

// What `request` says besides its tensors.
template <typename Request>
ReceivedSettings SettingsOf(const Request& request) {
  ReceivedSettings settings{.spec = request.has_spec() ? &request.spec() : nullptr};
  if constexpr (wire::TakesRange<Request>) {
    settings.range = request.has_range() ? &request.range() : nullptr;
  }
  if constexpr (wire::TakesAffine<Request>) {
    settings.affine = request.has_affine() ? &request.affine() : nullptr;
  }
  if constexpr (wire::TakesDataRange<Request>) {
    settings.data_range = request.has_data_range() ? &request.data_range() : nullptr;
  }
  if constexpr (wire::TakesOutputType<Request>) {
    settings.output_type = request.output_type();
  }
  return settings;
}

// Checks what core does not check:
//   PARAMETERS_MISMATCH    no parameters, or of several kinds; a data range in a stream
//   UNSUPPORTED_NUMERICS   numerics that this server does not know
//   UNSUPPORTED_DATA_TYPE  types that it does not know
absl::StatusOr<DecodedSettings> DecodeSettings(const ReceivedSettings& settings,
                                               const MethodTraits& method);

// The values of a repeated field.
template <typename T>
std::span<const T> AsSpan(const google::protobuf::RepeatedField<T>& field) {
  return {field.data(), static_cast<std::size_t>(field.size())};
}

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_SETTINGS_CODEC_H_
