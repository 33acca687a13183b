#include "wire/received_message.h"

#include <gmock/gmock.h>
#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "tests/golden/golden_cases.h"
#include "tests/wire/requests.h"

namespace quantd::wire {
namespace {

using testing::SizeIs;

// Returns `bytes` cut at `cuts`, as the transport may deliver them.
grpc::ByteBuffer CutInto(const std::string& bytes, std::initializer_list<std::size_t> cuts) {
  std::vector<grpc::Slice> slices;
  std::size_t begin = 0;
  for (const std::size_t cut : cuts) {
    slices.emplace_back(bytes.substr(begin, cut - begin));
    begin = cut;
  }
  slices.emplace_back(bytes.substr(begin));
  return {slices.data(), slices.size()};
}

std::string Join(const core::ScatteredBytes& bytes) {
  std::string joined;
  for (const core::ScatteredBytes::Piece piece : bytes.pieces()) {
    const void* const begin = piece.data();
    joined.append(static_cast<const char*>(begin), piece.size());
  }
  return joined;
}

// Returns the bytes of the elements that lie within a parsed message.
std::string ElementsOf(const v1::Tensor& tensor) {
  const auto& values = tensor.float_values().values();
  return tensor.has_float_values() ? Join(core::ScatteredBytes(std::as_bytes(std::span(
                                         values.data(), static_cast<std::size_t>(values.size())))))
                                   : tensor.data();
}

v1::FakeQuantizeRequest WithoutElements(v1::FakeQuantizeRequest request) {
  request.mutable_input()->mutable_data()->clear();
  return request;
}

v1::FakeQuantizeRequest RequestOf(const golden::Case& example) {
  v1::FakeQuantizeRequest request;
  request.mutable_input()->set_data_type(v1::DATA_TYPE_FLOAT32);
  request.mutable_input()->mutable_shape()->Assign(example.shape.begin(), example.shape.end());
  request.mutable_input()->set_data(BytesOf(example.inputs));
  request.mutable_range()->mutable_min()->Assign(example.min.begin(), example.min.end());
  request.mutable_range()->mutable_max()->Assign(example.max.begin(), example.max.end());
  return request;
}

TEST(ReceivedMessage, DoesNotDependOnWhereItIsCut) {
  const v1::FakeQuantizeRequest request = PerChannelRequest();
  const std::string bytes = request.SerializeAsString();
  for (std::size_t first = 0; first <= bytes.size(); ++first) {
    for (std::size_t second = first; second <= bytes.size(); ++second) {
      const auto received =
          ReceivedMessage<v1::FakeQuantizeRequest>::Parse(CutInto(bytes, {first, second}));
      ASSERT_TRUE(received.ok()) << received.status();
      ASSERT_EQ(received->message().SerializeAsString(),
                WithoutElements(request).SerializeAsString());
      ASSERT_EQ(Join(received->elements(0)), request.input().data());
    }
  }
}

TEST(ReceivedMessage, ContainsBothTensorsOfAGradientRequest) {
  const v1::FakeQuantizeGradientRequest request = PerChannelGradientRequest();
  const std::string bytes = request.SerializeAsString();
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    const auto received =
        ReceivedMessage<v1::FakeQuantizeGradientRequest>::Parse(CutInto(bytes, {cut}));
    ASSERT_TRUE(received.ok()) << received.status();
    ASSERT_EQ(Join(received->elements(0)), request.gradients().data());
    ASSERT_EQ(Join(received->elements(1)), request.inputs().data());
  }
}

TEST(ReceivedMessage, ContainsEveryGoldenCaseCutAtEveryOffset) {
  for (const golden::Case& example : golden::LoadCases()) {
    const v1::FakeQuantizeRequest request = RequestOf(example);
    const std::string bytes = request.SerializeAsString();
    const std::string rest = WithoutElements(request).SerializeAsString();
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      const auto received = ReceivedMessage<v1::FakeQuantizeRequest>::Parse(CutInto(bytes, {cut}));
      ASSERT_TRUE(received.ok()) << received.status();
      ASSERT_EQ(Join(received->elements(0)), request.input().data()) << example.name;
      ASSERT_EQ(received->message().SerializeAsString(), rest) << example.name;
    }
  }
}

TEST(ReceivedMessage, DoesNotCopyTheElements) {
  const grpc::Slice slice(PerTensorRequest(1000).SerializeAsString());
  const auto received =
      ReceivedMessage<v1::FakeQuantizeRequest>::Parse(grpc::ByteBuffer(&slice, 1));
  ASSERT_TRUE(received.ok()) << received.status();
  ASSERT_THAT(received->elements(0).pieces(), SizeIs(1));
  const void* const elements = received->elements(0).pieces()[0].data();
  EXPECT_GE(elements, static_cast<const void*>(slice.begin()));
  EXPECT_LT(elements, static_cast<const void*>(slice.end()));
}

TEST(ReceivedMessage, OutlivesTheBuffer) {
  const v1::FakeQuantizeRequest request = PerTensorRequest(1000);
  grpc::ByteBuffer buffer = CutInto(request.SerializeAsString(), {77, 2000});
  auto received = ReceivedMessage<v1::FakeQuantizeRequest>::Parse(buffer);
  ASSERT_TRUE(received.ok()) << received.status();
  buffer.Clear();
  const ReceivedMessage<v1::FakeQuantizeRequest> moved = *std::move(received);
  EXPECT_EQ(Join(moved.elements(0)), request.input().data());
}

// Forms that serializers do not write, but parsers must accept.
class RareForms : public testing::Test {
 protected:
  static std::string Field(int number, const std::string& content) {
    std::string field(1, static_cast<char>(number << 3 | 2));
    field += static_cast<char>(content.size());
    return field + content;
  }

  // Expects the same result as protobuf's for `bytes`.
  static void ExpectAsGenerated(const std::string& bytes) {
    v1::FakeQuantizeRequest expected;
    const bool valid = expected.ParseFromString(bytes);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      const auto received = ReceivedMessage<v1::FakeQuantizeRequest>::Parse(CutInto(bytes, {cut}));
      ASSERT_EQ(received.ok(), valid) << received.status();
      if (valid) {
        EXPECT_EQ(Join(received->elements(0)), ElementsOf(expected.input()));
        EXPECT_EQ(received->message().input().storage_case(), expected.input().storage_case());
        EXPECT_EQ(received->message().input().shape_size(), expected.input().shape_size());
      }
    }
  }
};

TEST_F(RareForms, NumbersInsteadOfBytes) {
  v1::FakeQuantizeRequest request = PerTensorRequest(2);
  request.mutable_input()->mutable_float_values()->add_values(0.5F);
  request.mutable_input()->mutable_float_values()->add_values(-7);
  ExpectAsGenerated(request.SerializeAsString());
}

TEST_F(RareForms, UnpackedNumbers) {
  ExpectAsGenerated(Field(1, Field(4, std::string("\x0d\0\0\x80\x3f\x0d\0\0\0\x40", 10))));
}

TEST_F(RareForms, NumbersInSeveralRuns) {
  const std::string stretch = Field(1, std::string(8, 'x'));
  ExpectAsGenerated(Field(1, Field(4, stretch + stretch)));
  ExpectAsGenerated(Field(1, Field(4, stretch) + Field(4, stretch)));
}

TEST_F(RareForms, ShapeAfterTheElements) {
  ExpectAsGenerated(Field(1, Field(3, "abcdefgh") + Field(2, "\x02") + "\x08\x01"));
}

TEST_F(RareForms, RangeBeforeTheTensor) {
  ExpectAsGenerated(Field(2, Field(1, std::string(4, '\0'))) + Field(1, Field(3, "abcd")));
}

TEST_F(RareForms, TensorsThatAreMerged) {
  ExpectAsGenerated(Field(1, Field(3, "abcd")) + Field(1, Field(2, "\x01")));
  ExpectAsGenerated(Field(1, Field(2, "\x01")) + Field(1, Field(3, "abcd")));
}

TEST_F(RareForms, ElementsThatReplaceOthers) {
  ExpectAsGenerated(Field(1, Field(3, "abcd") + Field(3, "efghijkl")));
  ExpectAsGenerated(Field(1, Field(3, "abcd") + Field(4, Field(1, "efgh"))));
  ExpectAsGenerated(Field(1, Field(3, "abcd") + Field(5, "\x08\x01")));
}

TEST_F(RareForms, UnknownFields) {
  ExpectAsGenerated(Field(9, "??") + Field(1, Field(3, "abcd") + Field(12, "?") + "\x70\x05"));
  // These are groups, which have long been deprecated.
  ExpectAsGenerated("\x63\x08\x01\x64" + Field(1, Field(3, "abcd")));
  ExpectAsGenerated(Field(1, "\x63\x64" + Field(3, "abcd")));
}

TEST_F(RareForms, TagsAndLengthsLongerThanNecessary) {
  ExpectAsGenerated("\x8a" + std::string("\0\x04", 2) + Field(3, "ab"));
  ExpectAsGenerated("\x0a" + std::string("\x84\0", 2) + Field(3, "ab"));
}

TEST_F(RareForms, NumbersOfMoreThan64Bits) {
  const std::string beyond = "\x82\x80\x80\x80\x80\x80\x80\x80\x80\x04";
  ExpectAsGenerated(beyond + std::string(1, '\0') + Field(1, Field(3, "ab")));
  ExpectAsGenerated("\x48" + beyond + Field(1, Field(3, "ab")));
  ExpectAsGenerated("\x0a" + beyond + Field(3, "ab"));
  ExpectAsGenerated(Field(1, "\x1a" + beyond + "ab"));
  ExpectAsGenerated(Field(1, "\x08" + beyond + Field(3, "ab")));
}

TEST_F(RareForms, KnownFieldsOfAnotherWireType) {
  ExpectAsGenerated("\x08\x07" + Field(1, "\x18\x07" + Field(3, "abcd")));
}

TEST_F(RareForms, InvalidMessages) {
  for (const std::string& bytes :
       {std::string("\xff"), std::string("\x0a\x7f"), std::string("\x0b"),
        std::string("\x0a\x02\x08"), std::string("\x0a\x03\x1a\x02x"), std::string("\x00\x01", 2),
        std::string("\x0a\x05\x22\x03\x0a\x01x"), std::string("\x0a\x02\x1a\x01x"),
        Field(1, Field(3, "abcd")) + "\x12\x01\xff"}) {
    ExpectAsGenerated(bytes);
  }
}

TEST_F(RareForms, ManySmallRunsOfNumbers) {
  const std::string unpacked("\x0d\0\0\x80\x3f", 5);
  const std::string stretch = Field(1, std::string(8, 'x'));
  ExpectAsGenerated(Field(1, Field(4, stretch + unpacked + stretch + unpacked)));
  ExpectAsGenerated(Field(1, Field(4, unpacked + stretch)) + Field(1, Field(4, unpacked)));
  ExpectAsGenerated(Field(1, Field(4, unpacked + Field(1, "")) + Field(3, "") + Field(4, stretch)));
  ExpectAsGenerated(Field(1, Field(4, unpacked) + Field(5, "\x08\x01") + Field(4, stretch)));
}

TEST_F(RareForms, UnknownFieldsWithinMessages) {
  const std::string group("\x63\x08\x01\x64");
  const std::string bounds = Field(1, std::string(4, '\0')) + Field(2, std::string(4, '\0'));
  ExpectAsGenerated(Field(2, group + bounds + Field(12, "?") + "\x70\x05"));
  ExpectAsGenerated(Field(1, Field(4, group + Field(1, "abcd") + "\x70\x05") + "\x0d" + "abcd"));
  ExpectAsGenerated(Field(1, Field(5, group + "\x08\x01")));
  ExpectAsGenerated(Field(3, group + "\x08\x04" + group));
}

TEST_F(RareForms, GroupsWithinEachOther) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '\x63') + std::string(depth, '\x64');
  };
  for (const std::size_t depth : {1, 2, 97, 98, 99, 100, 101}) {
    ExpectAsGenerated(nested(depth));
  }
  // A message around them counts as well.
  for (const std::size_t depth : {10, 60, 61}) {
    ExpectAsGenerated(Field(1, nested(depth)));
  }
  for (const std::string& bytes :
       {std::string("\x63"), std::string("\x63\x6c"), std::string("\x63\x08\x64"),
        std::string("\x63\x64\x64"), Field(1, "\x63") + "\x64", std::string("\x63\x00\x64", 3)}) {
    ExpectAsGenerated(bytes);
  }
}

// Returns a request that has `fields` beside a good tensor.
grpc::ByteBuffer RequestWith(const std::string& fields) {
  return CutInto(PerTensorRequest(4).SerializeAsString() + fields, {});
}

TEST(ReceivedMessage, DropsUnknownFields) {
  // An unknown field, a group, and a spec with an unknown field.
  const auto received = ReceivedMessage<v1::FakeQuantizeRequest>::Parse(
      RequestWith("\x60\x01\x63\x64\x1a\x04\x08\x08\x60\x01"));
  ASSERT_TRUE(received.ok()) << received.status();
  v1::FakeQuantizeRequest expected = WithoutElements(PerTensorRequest(4));
  expected.mutable_spec()->set_num_bits(8);
  EXPECT_EQ(received->message().SerializeAsString(), expected.SerializeAsString());
}

TEST(ReceivedMessage, KeepsOneDimensionMoreThanATensorMayHave) {
  for (const std::size_t rank : {kMaxRank, kMaxRank + 1, std::size_t{1000}}) {
    v1::FakeQuantizeRequest request;
    for (std::size_t i = 0; i < rank; ++i) {
      request.mutable_input()->add_shape(static_cast<std::int64_t>(i) - 2);
    }
    const auto received =
        ReceivedMessage<v1::FakeQuantizeRequest>::Parse(CutInto(request.SerializeAsString(), {9}));
    ASSERT_TRUE(received.ok()) << received.status();
    request.mutable_input()->mutable_shape()->Truncate(
        static_cast<int>(std::min(rank, kMaxRank + 1)));
    EXPECT_EQ(received->message().SerializeAsString(), request.SerializeAsString());
  }
}

TEST(ReceivedMessage, CountsTheDimensionsOfEachTensorOnItsOwn) {
  v1::FakeQuantizeGradientRequest request;
  for (std::size_t i = 0; i < kMaxRank; ++i) {
    request.mutable_gradients()->add_shape(1);
    request.mutable_inputs()->add_shape(2);
  }
  const auto received = ReceivedMessage<v1::FakeQuantizeGradientRequest>::Parse(
      CutInto(request.SerializeAsString(), {}));
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_EQ(received->message().SerializeAsString(), request.SerializeAsString());
}

TEST(ReceivedMessage, ErrorsNameTheMessageType) {
  const auto received = ReceivedMessage<v1::FakeQuantizeRequest>::Parse(CutInto("\xff", {0}));
  EXPECT_EQ(received.status().code(), absl::StatusCode::kInvalidArgument);
  const auto detail = core::GetErrorDetail(received.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, core::ErrorReasonName(core::ErrorReason::kMalformedMessage));
  EXPECT_EQ(detail->metadata.at("message_type"), "quantd.v1.FakeQuantizeRequest");
}

TEST(ReceivedMessage, IsEmptyWithoutBytes) {
  const auto received =
      ReceivedMessage<v1::FakeQuantizeRequest>::Parse(grpc::ByteBuffer(nullptr, 0));
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_FALSE(received->message().has_input());
  EXPECT_EQ(received->elements(0).size(), 0U);
}

}  // namespace
}  // namespace quantd::wire
