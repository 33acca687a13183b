// The client's codec: core types as messages of quantd.v1, and back. Nothing
// else in the client turns bytes into numbers. Elements are copied once: from
// the caller's memory to where they are sent from, and from where they were
// received to the caller's memory.

#ifndef QUANTD_CLIENT_LIBRARY_MESSAGES_H_
#define QUANTD_CLIENT_LIBRARY_MESSAGES_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "client/library/client.h"
#include "core/base/element_type.h"
#include "core/base/tensor_view.h"
#include "core/parameter_layout.h"
#include "core/quantization.h"
#include "core/quantizer.h"
#include "quantd/v1/quantization_service.pb.h"
#include "wire/methods.h"

namespace quantd::client {

// What a request says besides its tensors. In a stream, a value that is missing
// is that of the request before.
struct RequestParameters {
  // A DataRange only for Quantize.
  std::optional<QuantizeParameters> parameters;
  std::optional<core::QuantizationSpec> spec;
  // Only for operations whose output has another type than their inputs.
  std::optional<core::ElementType> output_type;
};

// Encodes a request of the operation with this index in wire::Operations.
// `inputs` are those of the operation, in their order. Their elements lie in one
// piece or in several. Checks nothing: the server does.
//
// Errors: kResourceExhausted if memory does not suffice, or if a tensor or the
// parameters are larger than a message can be.
absl::StatusOr<grpc::ByteBuffer> EncodeRequest(std::size_t operation,
                                               std::span<const TensorView> inputs,
                                               const RequestParameters& parameters);

// What an answer has to fit.
struct AnswerExpectation {
  // The number of ranges or scales in the request, or of those that the server
  // computes from the data.
  std::size_t parameter_count = 1;
  // Whether the request has scales, so that there are no ranges.
  bool has_scales = false;
  // The numerics of the request; nothing for the server's default.
  std::optional<core::Numerics> numerics;
};

// Returns what the answer to a request has to fit, for a tensor whose parameters lie so.
AnswerExpectation ExpectationOf(const QuantizeParameters& parameters,
                                const core::QuantizationSpec& spec,
                                const core::ParameterLayout& layout);

// What an answer says besides its tensor.
struct AnswerParameters {
  core::Numerics numerics = {};
  // Without values if the numerics takes none, or the request had scales.
  core::NudgedRange nudged_range;
  // Without values unless the operation returns codes. The axis and the size of
  // blocks are the caller's to know.
  core::UsedParameters parameters;
  // The gradients with respect to the range, one per channel. Empty if the
  // operation does not differentiate the range. Values of a unary answer have
  // been rounded to float32; the sums of a stream's answer have not.
  std::vector<double> min_gradient;
  std::vector<double> max_gradient;
};

// Decodes the answer of a call or a stream to a request of the operation, whose
// tensors had as many elements as `output`. Writes the elements there.
//
// Errors: kInternal, naming the field, if the answer is not the expected one, or not
// such a message.
absl::StatusOr<AnswerParameters> DecodeResponse(std::size_t operation, wire::Transfer transfer,
                                                const grpc::ByteBuffer& response,
                                                const AnswerExpectation& expectation,
                                                const core::OutputView& output);

ServerInfo DecodeServerInfo(const v1::GetServerInfoResponse& response);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_MESSAGES_H_
