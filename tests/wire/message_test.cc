#include "wire/message.h"

#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/error.h"
#include "tests/wire/requests.h"

namespace quantd::wire {
namespace {

grpc::ByteBuffer BufferOf(const std::string& bytes, std::size_t slice_size) {
  std::vector<grpc::Slice> slices;
  for (std::size_t i = 0; i < bytes.size(); i += slice_size) {
    slices.emplace_back(bytes.substr(i, slice_size));
  }
  return {slices.data(), slices.size()};
}

TEST(ParseMessage, ParsesAMessageFromAnyNumberOfSlices) {
  const v1::FakeQuantizeRequest request = PerChannelRequest();
  const std::string bytes = request.SerializeAsString();
  for (const std::size_t slice_size : {std::size_t{1}, std::size_t{7}, bytes.size()}) {
    v1::FakeQuantizeRequest parsed;
    const absl::Status status = ParseMessage(BufferOf(bytes, slice_size), parsed);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(parsed.SerializeAsString(), bytes);
  }
}

TEST(ParseMessage, ParsesNoBytesAsAnEmptyMessage) {
  v1::FakeQuantizeRequest parsed;
  EXPECT_TRUE(ParseMessage(grpc::ByteBuffer(nullptr, 0), parsed).ok());
  EXPECT_FALSE(parsed.has_input());
}

TEST(ParseMessage, DoesNotConsumeTheBuffer) {
  const std::string bytes = PerChannelRequest().SerializeAsString();
  const grpc::ByteBuffer buffer = BufferOf(bytes, bytes.size());
  v1::FakeQuantizeRequest parsed;
  ASSERT_TRUE(ParseMessage(buffer, parsed).ok());
  EXPECT_EQ(buffer.Length(), bytes.size());
  EXPECT_TRUE(ParseMessage(buffer, parsed).ok());
}

TEST(ParseMessage, RejectsInvalidMessages) {
  for (const std::string& bytes : {std::string("\xff"), std::string("\x0a\x7f"),
                                   std::string("\x0b"), std::string("\x0a\x02\x08")}) {
    v1::FakeQuantizeRequest parsed;
    const absl::Status status = ParseMessage(BufferOf(bytes, 1), parsed);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    const auto detail = core::GetErrorDetail(status);
    ASSERT_TRUE(detail.has_value()) << status;
    EXPECT_EQ(detail->reason, core::ErrorReasonName(core::ErrorReason::kMalformedMessage));
    EXPECT_EQ(detail->metadata.at("message_type"), "quantd.v1.FakeQuantizeRequest");
  }
}

TEST(SerializeMessage, RoundTripsThroughParseMessage) {
  const v1::FakeQuantizeRequest request = PerTensorRequest(1'000'000);
  const auto buffer = SerializeMessage(request);
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  EXPECT_EQ(buffer->Length(), request.ByteSizeLong());
  v1::FakeQuantizeRequest parsed;
  ASSERT_TRUE(ParseMessage(*buffer, parsed).ok());
  EXPECT_EQ(parsed.SerializeAsString(), request.SerializeAsString());
}

}  // namespace
}  // namespace quantd::wire
