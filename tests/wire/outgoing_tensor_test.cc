#include "wire/outgoing_tensor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "quantd/v1/quantization_service.pb.h"
#include "tests/wire/requests.h"
#include "wire/element_type.h"

namespace quantd::wire {
namespace {

std::size_t CountOf(const std::vector<std::int64_t>& shape) {
  return static_cast<std::size_t>(
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>()));
}

v1::FakeQuantizeResponse Rest() {
  v1::FakeQuantizeResponse rest;
  rest.mutable_nudged_range()->add_min(-1);
  rest.mutable_nudged_range()->add_zero_point(200);
  return rest;
}

OutgoingTensor::Layout LayoutOf(std::span<const std::int64_t> shape, std::size_t count) {
  return {.field_number = v1::FakeQuantizeResponse::kOutputFieldNumber,
          .type = core::ElementType::kFloat32,
          .shape = shape,
          .element_count = count};
}

std::string AnswerBytes(OutgoingTensor tensor) {
  const grpc::Slice slice = std::move(tensor).ToSlice();
  return {slice.begin(), slice.end()};
}

TEST(OutgoingTensor, MatchesTheBytesOfTheGeneratedClass) {
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{2, 1}, {}, {0, 1000}, {1, 1, 1, 130}, {300, 100}}) {
    const std::vector<float> elements = Ramp(CountOf(shape));
    auto response = OutgoingTensor::Create(LayoutOf(shape, elements.size()), Rest());
    ASSERT_TRUE(response.ok()) << response.status();
    ASSERT_EQ(response->elements().element_count(), elements.size());
    std::ranges::copy(elements, response->elements().elements<float>().begin());
    response->EncodeRest(Rest());

    v1::FakeQuantizeResponse expected = Rest();
    expected.mutable_output()->set_data_type(v1::DATA_TYPE_FLOAT32);
    expected.mutable_output()->mutable_shape()->Assign(shape.begin(), shape.end());
    expected.mutable_output()->set_data(BytesOf(elements));
    EXPECT_EQ(AnswerBytes(*std::move(response)), expected.SerializeAsString());
  }
}

TEST(OutgoingTensor, HasNoMoreBytesThanPackedElementsTake) {
  const std::int64_t shape[] = {5};
  for (const auto& [type, data] : {std::pair(core::ElementType::kInt4, "\x10\x32\x04"),
                                   std::pair(core::ElementType::kUint2, "\x54\x01")}) {
    OutgoingTensor::Layout layout = LayoutOf(shape, 5);
    layout.type = type;
    auto response = OutgoingTensor::Create(layout, Rest());
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->elements().element_count(), 5U);
    const std::string bytes = data;
    ASSERT_EQ(response->elements().size_bytes(), bytes.size());
    std::ranges::copy(std::as_bytes(std::span(bytes)), response->elements().bytes().begin());
    response->EncodeRest(Rest());

    v1::FakeQuantizeResponse expected = Rest();
    expected.mutable_output()->set_data_type(ToDataType(type));
    expected.mutable_output()->add_shape(5);
    expected.mutable_output()->set_data(bytes);
    EXPECT_EQ(AnswerBytes(*std::move(response)), expected.SerializeAsString());
  }
}

TEST(OutgoingTensor, AlignsItsElementsForWideVectors) {
  for (const std::int64_t count : {1, 100, 1'000'000}) {
    const std::int64_t shape[] = {count};
    auto response =
        OutgoingTensor::Create(LayoutOf(shape, static_cast<std::size_t>(count)), Rest());
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(response->elements().bytes().data()) % 64, 0U)
        << count;
  }
}

TEST(OutgoingTensor, IsRejectedIfProtobufCouldNotParseIt) {
  constexpr std::size_t kTwoGib = std::size_t{1} << 31;
  const std::int64_t shape[] = {kTwoGib / sizeof(float)};
  const auto response = OutgoingTensor::Create(LayoutOf(shape, kTwoGib / sizeof(float)), Rest());
  EXPECT_TRUE(absl::IsResourceExhausted(response.status()));
  EXPECT_EQ(core::GetErrorDetail(response.status())->reason,
            core::ErrorReasonName(core::ErrorReason::kMessageTooLarge));
}

}  // namespace
}  // namespace quantd::wire
