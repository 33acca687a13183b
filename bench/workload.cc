#include "bench/workload.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/slice.h>

#include <random>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/base/tensor_view.h"
#include "core/fake_quantization.h"

namespace quantd::bench {
namespace {

constexpr float kRangeEnd = 3.0F;
// Outside of the range, so that some values are clipped.
constexpr float kLargestValue = 3.5F;

std::vector<float> RandomValues(std::size_t count) {
  std::vector<float> values(count);
  std::minstd_rand random(1);
  for (float& value : values) {
    value = (static_cast<float>(random()) / static_cast<float>(std::minstd_rand::max()) * 2 - 1) *
            kLargestValue;
  }
  return values;
}

std::string_view BytesOf(std::span<const float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

std::string BytesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (buffer.Valid() && buffer.Dump(&slices).ok()) {
    bytes.reserve(buffer.Length());
    for (const grpc::Slice& slice : slices) {
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
  }
  return bytes;
}

absl::Status CheckBytes(std::string_view bytes, std::string_view expected) {
  if (bytes == expected) {
    return absl::OkStatus();
  }
  return absl::DataLossError(
      absl::StrCat("the answer is wrong: it has ", bytes.size(), " bytes; expected ",
                   expected.size(), bytes.size() == expected.size() ? " with other values" : "",
                   ": check that the server is of the kind that the case names"));
}

}  // namespace

absl::StatusOr<Workload> Workload::Create(std::size_t tensor_bytes) {
  Workload workload;
  workload.values_ = RandomValues(tensor_bytes / sizeof(float));
  workload.shape_ = {static_cast<std::int64_t>(workload.values_.size())};
  workload.min_ = {-kRangeEnd};
  workload.max_ = {kRangeEnd};

  v1::Tensor& input = *workload.request_.mutable_input();
  input.set_data_type(v1::DATA_TYPE_FLOAT32);
  input.add_shape(workload.shape_.front());
  input.set_data(workload.values_.data(), tensor_bytes);
  workload.request_.mutable_range()->add_min(-kRangeEnd);
  workload.request_.mutable_range()->add_max(kRangeEnd);

  bool own_buffer = false;
  const grpc::Status serialized = grpc::SerializationTraits<v1::FakeQuantizeRequest>::Serialize(
      workload.request_, &workload.raw_request_, &own_buffer);
  if (!serialized.ok()) {
    return absl::InternalError(absl::StrCat("a request with a tensor of ", tensor_bytes,
                                            " bytes cannot be sent: ", serialized.error_message()));
  }
  ASSIGN_OR_RETURN(const core::FakeQuantization quantization,
                   core::FakeQuantization::Create(workload.range(), workload.spec_));
  workload.expected_.resize(workload.values_.size());
  RETURN_IF_ERROR(quantization.Apply(core::TensorView(workload.shape_, workload.values_),
                                     std::span(workload.expected_), /*execution=*/nullptr));
  return workload;
}

absl::Status Workload::Check(const grpc::ByteBuffer& response, Answer answer) const {
  if (answer == Answer::kEcho) {
    return CheckBytes(BytesOf(response), BytesOf(raw_request_));
  }
  // Parsing empties the buffer, so this parses a copy, which shares the bytes.
  grpc::ByteBuffer bytes(response);
  v1::FakeQuantizeResponse message;
  const grpc::Status parsed =
      grpc::SerializationTraits<v1::FakeQuantizeResponse>::Deserialize(&bytes, &message);
  if (!parsed.ok()) {
    return absl::DataLossError(
        absl::StrCat("the answer is not a FakeQuantizeResponse: ", parsed.error_message()));
  }
  return Check(message, answer);
}

absl::Status Workload::Check(const v1::FakeQuantizeResponse& response, Answer answer) const {
  if (response.output().shape_size() != 1 || response.output().shape(0) != shape_.front() ||
      response.nudged_range().min_size() != 1) {
    return absl::DataLossError(
        absl::StrCat("the answer does not have the shape [", shape_.front(), "] and one range"));
  }
  return CheckBytes(response.output().data(),
                    BytesOf(answer == Answer::kEcho ? values_ : expected_));
}

absl::Status Workload::Check(std::span<const float> output, Answer answer) const {
  return CheckBytes(BytesOf(output), BytesOf(answer == Answer::kEcho ? values_ : expected_));
}

absl::Status AnswerCheck::CheckSize(std::size_t size) const {
  if (size == *size_) {
    return absl::OkStatus();
  }
  return absl::DataLossError(
      absl::StrCat("an answer has ", size, " bytes; expected ", *size_, ", like the first one"));
}

}  // namespace quantd::bench
