// Requests for the load tester's tests, and the answers of a server.

#ifndef QUANTD_TESTS_CLIENT_LOAD_SMALL_REQUESTS_H_
#define QUANTD_TESTS_CLIENT_LOAD_SMALL_REQUESTS_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "client/load/request.h"
#include "quantd/v1/quantization_service.pb.h"
#include "tests/client/test_server.h"
#include "wire/methods.h"
#include "wire/operations.h"

namespace quantd::client {

inline constexpr std::size_t kFakeQuantize = wire::kOperationIndex<wire::FakeQuantize>;
inline constexpr std::size_t kFakeQuantizeGradient =
    wire::kOperationIndex<wire::FakeQuantizeGradient>;
inline constexpr std::size_t kQuantize = wire::kOperationIndex<wire::Quantize>;
inline constexpr std::size_t kDequantize = wire::kOperationIndex<wire::Dequantize>;

inline const wire::Method& MethodOf(std::size_t operation, wire::Transfer transfer) {
  return wire::kMethods[wire::MethodIndex(operation, transfer)];
}

// Twelve values in three channels, within the range and outside, and a NaN.
inline RequestContent SmallContent(std::size_t operation) {
  return {.operation = operation,
          .tensor = FloatArray({4, 3}, std::vector<float>{0, -0.4F, 0.7F, 1.6F, -2.5F, 9, -9, NAN,
                                                          0.1F, 5, -0.1F, -0.2F}),
          .parameters = RangeValues{.min = {-1, -2, -3}, .max = {1.5F, 2, 4}, .axis = 1},
          .spec = {.num_bits = 4, .narrow_range = true}};
}

// The same values as 4-bit codes of three channels.
inline RequestContent SmallQuantizeContent() {
  RequestContent content = SmallContent(kQuantize);
  content.parameters = AffineValues{
      .scale = {0.5F, 0.25F, 1}, .zero_point = {0, 1, -2}, .axis = 1, .block_size = {}};
  content.spec = {};
  content.output_type = core::ElementType::kInt4;
  return content;
}

// Twelve 4-bit codes, to become float16.
inline RequestContent SmallDequantizeContent() {
  RequestContent content = SmallQuantizeContent();
  content.operation = kDequantize;
  content.tensor.elements = FromCodes(
      std::vector<std::int32_t>{-8, 7, 0, 1, 2, 3, -1, -2, -3, 4, 5, 6}, core::ElementType::kInt4);
  content.output_type = core::ElementType::kFloat16;
  return content;
}

inline Request MakeRequest(const RequestContent& content, bool verified = true) {
  absl::StatusOr<Request> request = Request::Create(content, verified);
  EXPECT_TRUE(request.ok()) << request.status();
  return *std::move(request);
}

inline grpc::ByteBuffer BytesOf(const std::string& text) {
  const grpc::Slice slice(text);
  return {&slice, 1};
}

inline grpc::ByteBuffer Encode(const google::protobuf::MessageLite& message) {
  return BytesOf(message.SerializeAsString());
}

template <typename Message>
Message Decode(const grpc::ByteBuffer& bytes) {
  grpc::Slice slice;
  EXPECT_TRUE(bytes.DumpToSingleSlice(&slice).ok());
  Message message;
  EXPECT_TRUE(message.ParseFromArray(slice.begin(), static_cast<int>(slice.size())));
  return message;
}

inline v1::FakeQuantizeResponse AnswerTo(const Request& request) {
  const auto message = Decode<v1::FakeQuantizeRequest>(request.bytes());
  v1::FakeQuantizeResponse answer;
  EXPECT_TRUE(TestService().FakeQuantize(nullptr, &message, &answer).ok());
  return answer;
}

inline v1::FakeQuantizeGradientResponse GradientAnswerTo(const Request& request) {
  const auto message = Decode<v1::FakeQuantizeGradientRequest>(request.bytes());
  v1::FakeQuantizeGradientResponse answer;
  EXPECT_TRUE(TestService().FakeQuantizeGradient(nullptr, &message, &answer).ok());
  return answer;
}

inline v1::QuantizeResponse QuantizeAnswerTo(const Request& request) {
  const auto message = Decode<v1::QuantizeRequest>(request.bytes());
  v1::QuantizeResponse answer;
  EXPECT_TRUE(TestService().Quantize(nullptr, &message, &answer).ok());
  return answer;
}

inline v1::DequantizeResponse DequantizeAnswerTo(const Request& request) {
  const auto message = Decode<v1::DequantizeRequest>(request.bytes());
  v1::DequantizeResponse answer;
  EXPECT_TRUE(TestService().Dequantize(nullptr, &message, &answer).ok());
  return answer;
}

// Sets element `index` of a tensor to `value`.
inline void SetElement(v1::Tensor* tensor, std::size_t index, float value) {
  tensor->mutable_data()->replace(index * sizeof(value), sizeof(value),
                                  reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace quantd::client

#endif  // QUANTD_TESTS_CLIENT_LOAD_SMALL_REQUESTS_H_
