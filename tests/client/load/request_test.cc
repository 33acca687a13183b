#include "client/load/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/base/error.h"
#include "core/base/float16.h"
#include "tests/client/load/small_requests.h"
#include "tests/core/same_bits.h"

namespace quantd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class FakeQuantizeRequest : public ::testing::Test {
 protected:
  // Returns the error message for the answer, or an empty one.
  std::string Check() const { return std::string(Status().message()); }
  absl::Status Status() const { return request_.Check(Encode(answer_)); }

  const Request request_ = MakeRequest(SmallContent(kFakeQuantize));
  v1::FakeQuantizeResponse answer_ = AnswerTo(request_);
};

TEST_F(FakeQuantizeRequest, SerializesItsContent) {
  const auto message = Decode<v1::FakeQuantizeRequest>(request_.bytes());
  EXPECT_THAT(message.input().shape(), ElementsAre(4, 3));
  EXPECT_EQ(message.input().data().size(), 48U);
  EXPECT_THAT(message.range().min(), ElementsAre(-1, -2, -3));
  EXPECT_THAT(message.range().max(), ElementsAre(1.5F, 2, 4));
  EXPECT_EQ(message.range().axis(), 1);
  EXPECT_EQ(message.spec().num_bits(), 4);
  EXPECT_TRUE(message.spec().narrow_range());
}

TEST_F(FakeQuantizeRequest, ReportsTheSizeOfItsTensors) {
  EXPECT_EQ(request_.element_count(), 12U);
  EXPECT_EQ(request_.tensor_bytes(), 12 * sizeof(float) * 2);
}

TEST_F(FakeQuantizeRequest, AcceptsTheCorrectAnswer) { EXPECT_TRUE(Status().ok()) << Status(); }

TEST_F(FakeQuantizeRequest, NamesTheFirstElementThatIsWrong) {
  SetElement(answer_.mutable_output(), 11, 0.5F);
  SetElement(answer_.mutable_output(), 3, 0.25F);
  EXPECT_TRUE(absl::IsDataLoss(Status())) << Status();
  EXPECT_THAT(Check(), HasSubstr("output: element 3 is 0.25; expected 1.42857146"));
}

TEST_F(FakeQuantizeRequest, RejectsAnElementThatIsWrongInItsLastBit) {
  SetElement(answer_.mutable_output(), 3, std::nextafter(1.42857146F, 0.0F));
  EXPECT_THAT(Check(), HasSubstr("output: element 3 is 1.42857134; expected 1.42857146"));
}

TEST_F(FakeQuantizeRequest, DistinguishesZeroFromNegativeZero) {
  SetElement(answer_.mutable_output(), 0, -0.0F);
  EXPECT_THAT(Check(), HasSubstr("output: element 0 is -0; expected 0"));
}

TEST_F(FakeQuantizeRequest, TreatsAllNansAsEqual) {
  SetElement(answer_.mutable_output(), 7, std::bit_cast<float>(0xFFC01234U));
  EXPECT_TRUE(Status().ok()) << Status();
  SetElement(answer_.mutable_output(), 7, 0);
  EXPECT_THAT(Check(), HasSubstr("output: element 7 is 0; expected nan"));
}

TEST_F(FakeQuantizeRequest, NamesWhatIsWrongInTheNudgedRange) {
  const v1::NudgedRange right = answer_.nudged_range();
  v1::NudgedRange& range = *answer_.mutable_nudged_range();
  range.set_min(2, 5);
  EXPECT_THAT(Check(), HasSubstr("nudged_range.min: element 2 is 5"));
  range = right;
  range.set_max(1, 5);
  EXPECT_THAT(Check(), HasSubstr("nudged_range.max: element 1 is 5"));
  range = right;
  range.set_scale(0, 5);
  EXPECT_THAT(Check(), HasSubstr("nudged_range.scale: element 0 is 5"));
  range = right;
  range.set_zero_point(0, 5);
  EXPECT_THAT(Check(), HasSubstr("nudged_range.zero_point"));
  EXPECT_TRUE(absl::IsDataLoss(Status())) << Status();
}

TEST_F(FakeQuantizeRequest, RejectsAnAnswerOfTheWrongSize) {
  answer_.mutable_output()->mutable_data()->resize(44);
  EXPECT_TRUE(absl::IsInternal(Status())) << Status();
  EXPECT_THAT(Check(), HasSubstr("output has 44 bytes; expected 48"));
  answer_.Clear();
  EXPECT_THAT(Check(), HasSubstr("output has"));
}

TEST_F(FakeQuantizeRequest, RejectsANudgedRangeOfTheWrongSize) {
  answer_.mutable_nudged_range()->mutable_max()->RemoveLast();
  EXPECT_TRUE(absl::IsInternal(Status())) << Status();
  EXPECT_THAT(Check(), HasSubstr("nudged_range.max has 2 values; expected 3"));
}

TEST_F(FakeQuantizeRequest, RejectsInvalidMessages) {
  EXPECT_TRUE(absl::IsInternal(request_.Check(BytesOf("\xFF\xFF"))));
}

class FakeQuantizeGradientRequest : public ::testing::Test {
 protected:
  absl::Status Status() const { return request_.Check(Encode(answer_)); }
  std::string Check() const { return std::string(Status().message()); }

  const Request request_ = MakeRequest(SmallContent(kFakeQuantizeGradient));
  v1::FakeQuantizeGradientResponse answer_ = GradientAnswerTo(request_);
};

TEST_F(FakeQuantizeGradientRequest, HasRandomGradientsInTheShapeOfItsInputs) {
  const auto message = Decode<v1::FakeQuantizeGradientRequest>(request_.bytes());
  EXPECT_THAT(message.gradients().shape(), ElementsAre(4, 3));
  EXPECT_THAT(message.inputs().shape(), ElementsAre(4, 3));
  EXPECT_EQ(message.gradients().data().size(), 48U);
  EXPECT_NE(message.gradients().data(), message.inputs().data());
}

TEST_F(FakeQuantizeGradientRequest, ReportsTheSizeOfItsTensors) {
  EXPECT_EQ(request_.element_count(), 12U);
  EXPECT_EQ(request_.tensor_bytes(), 12 * sizeof(float) * 3);
}

TEST_F(FakeQuantizeGradientRequest, AcceptsTheCorrectAnswer) {
  EXPECT_TRUE(Status().ok()) << Status();
}

TEST_F(FakeQuantizeGradientRequest, AcceptsSumsThatAreOneUlpOff) {
  const v1::FakeQuantizeGradientResponse right = answer_;
  for (const float direction : {-kInfinity, kInfinity}) {
    answer_ = right;
    for (float& sum : *answer_.mutable_min_gradient()) {
      sum = std::nextafter(sum, direction);
    }
    for (float& sum : *answer_.mutable_max_gradient()) {
      sum = std::nextafter(sum, direction);
    }
    EXPECT_TRUE(Status().ok()) << Status();
  }
}

TEST_F(FakeQuantizeGradientRequest, NamesASumThatIsTwoUlpsOff) {
  const v1::FakeQuantizeGradientResponse right = answer_;
  for (const float direction : {-kInfinity, kInfinity}) {
    const auto two_ulps_off = [&](float sum) {
      return std::nextafter(std::nextafter(sum, direction), direction);
    };
    answer_ = right;
    answer_.set_min_gradient(1, two_ulps_off(right.min_gradient(1)));
    EXPECT_TRUE(absl::IsDataLoss(Status())) << Status();
    EXPECT_THAT(Check(), HasSubstr("min_gradient: element 1 is"));
    answer_ = right;
    answer_.set_max_gradient(2, two_ulps_off(right.max_gradient(2)));
    EXPECT_TRUE(absl::IsDataLoss(Status())) << Status();
    EXPECT_THAT(Check(), HasSubstr("max_gradient: element 2 is"));
  }
}

TEST_F(FakeQuantizeGradientRequest, RejectsASumThatIsNan) {
  answer_.set_min_gradient(0, NAN);
  EXPECT_THAT(Check(), HasSubstr("min_gradient: element 0 is nan"));
}

TEST_F(FakeQuantizeGradientRequest, NamesTheFirstElementThatIsWrong) {
  SetElement(answer_.mutable_input_gradients(), 11, 7);
  SetElement(answer_.mutable_input_gradients(), 5, 7);
  EXPECT_THAT(Check(), HasSubstr("input_gradients: element 5 is 7; expected 0"));
}

TEST_F(FakeQuantizeGradientRequest, NamesWhatIsWrongInTheNudgedRange) {
  answer_.mutable_nudged_range()->set_scale(1, 5);
  EXPECT_THAT(Check(), HasSubstr("nudged_range.scale: element 1 is 5"));
}

TEST_F(FakeQuantizeGradientRequest, RejectsAnAnswerOfTheWrongSize) {
  const v1::FakeQuantizeGradientResponse right = answer_;
  answer_.mutable_max_gradient()->RemoveLast();
  EXPECT_TRUE(absl::IsInternal(Status())) << Status();
  EXPECT_THAT(Check(), HasSubstr("max_gradient has 2 values; expected 3"));
  answer_ = right;
  answer_.mutable_input_gradients()->mutable_data()->append("more");
  EXPECT_THAT(Check(), HasSubstr("input_gradients has 52 bytes; expected 48"));
}

class QuantizeRequest : public ::testing::Test {
 protected:
  absl::Status Status() const { return request_.Check(Encode(answer_)); }
  std::string Check() const { return std::string(Status().message()); }

  const Request request_ = MakeRequest(SmallQuantizeContent());
  v1::QuantizeResponse answer_ = QuantizeAnswerTo(request_);
};

TEST_F(QuantizeRequest, SerializesItsContent) {
  const auto message = Decode<v1::QuantizeRequest>(request_.bytes());
  EXPECT_EQ(message.input().data().size(), 48U);
  EXPECT_THAT(message.affine().scale(), ElementsAre(0.5F, 0.25F, 1));
  EXPECT_THAT(message.affine().zero_point(), ElementsAre(0, 1, -2));
  EXPECT_EQ(message.affine().axis(), 1);
  EXPECT_FALSE(message.affine().has_block_size());
  EXPECT_EQ(message.output_type(), v1::DATA_TYPE_INT4);
  EXPECT_FALSE(message.has_range());
}

TEST_F(QuantizeRequest, ReportsTheSizeOfItsTensors) {
  EXPECT_EQ(request_.element_count(), 12U);
  EXPECT_EQ(request_.tensor_bytes(), 12 * sizeof(float) + 6);
}

TEST_F(QuantizeRequest, AcceptsTheCorrectAnswer) { EXPECT_TRUE(Status().ok()) << Status(); }

TEST_F(QuantizeRequest, NamesTheFirstCodeThatIsWrong) {
  // The codes -8 of -2.5 and 7 of 9 share a byte.
  EXPECT_EQ(answer_.output().data()[2], '\x78');
  answer_.mutable_output()->mutable_data()->at(2) = '\x74';
  EXPECT_TRUE(absl::IsDataLoss(Status())) << Status();
  EXPECT_THAT(Check(), HasSubstr("output: element 4 is 4; expected -8"));
}

TEST_F(QuantizeRequest, NamesWhatIsWrongInTheParameters) {
  answer_.mutable_parameters()->set_scale(1, 5);
  EXPECT_THAT(Check(), HasSubstr("parameters.scale: element 1 is 5; expected 0.25"));
  answer_.mutable_parameters()->set_scale(1, 0.25F);
  answer_.mutable_parameters()->set_zero_point(2, 5);
  EXPECT_THAT(Check(), HasSubstr("parameters.zero_point: element 2 is 5; expected -2"));
}

TEST_F(QuantizeRequest, RejectsAnotherNumericsAndRangesThatWereNotAskedFor) {
  answer_.set_numerics(v1::NUMERICS_PYTORCH);
  EXPECT_THAT(Check(), HasSubstr("numerics is PYTORCH; expected ONNX"));
  answer_.set_numerics(v1::NUMERICS_ONNX);
  answer_.mutable_nudged_range()->add_min(1);
  EXPECT_THAT(Check(), HasSubstr("nudged_range.min has 1 values; expected 0"));
}

class DequantizeRequest : public ::testing::Test {
 protected:
  absl::Status Status() const { return request_.Check(Encode(answer_)); }

  const Request request_ = MakeRequest(SmallDequantizeContent());
  v1::DequantizeResponse answer_ = DequantizeAnswerTo(request_);
};

TEST_F(DequantizeRequest, AcceptsTheCorrectAnswer) {
  EXPECT_EQ(Decode<v1::DequantizeRequest>(request_.bytes()).input().data().size(), 6U);
  EXPECT_EQ(request_.tensor_bytes(), 6 + 12 * sizeof(core::Float16));
  EXPECT_TRUE(Status().ok()) << Status();
}

TEST_F(DequantizeRequest, NamesTheFirstValueThatIsWrong) {
  const core::Float16 wrong = core::FromFloat<core::Float16>(42);
  answer_.mutable_output()->mutable_data()->replace(
      2 * sizeof(wrong), sizeof(wrong), reinterpret_cast<const char*>(&wrong), sizeof(wrong));
  EXPECT_TRUE(absl::IsDataLoss(Status())) << Status();
  EXPECT_THAT(std::string(Status().message()), HasSubstr("output: element 2 is 42; expected 2"));
}

TEST(Request, AcceptsTheCorrectAnswerForEveryTypeOfFloats) {
  for (const core::ElementType type :
       {core::ElementType::kFloat32, core::ElementType::kFloat16, core::ElementType::kBFloat16}) {
    SCOPED_TRACE(core::RowOf(type).name);
    RequestContent content = SmallContent(kFakeQuantize);
    content.tensor.elements = FromFloats(ToFloats(content.tensor.elements), type);
    const Request forward = MakeRequest(content);
    EXPECT_TRUE(forward.Check(Encode(AnswerTo(forward))).ok());
    content.operation = kFakeQuantizeGradient;
    const Request backward = MakeRequest(content);
    EXPECT_TRUE(backward.Check(Encode(GradientAnswerTo(backward))).ok());
  }
}

TEST(Request, AcceptsTheCorrectAnswerForFloat64) {
  RequestContent content = SmallContent(kFakeQuantize);
  content.tensor = RandomTensor(content.tensor.shape, core::ElementType::kFloat64, 1);
  content.parameters =
      AffineValues{.scale = {0.1F}, .zero_point = {}, .axis = {}, .block_size = {}};
  content.spec = {.numerics = core::Numerics::kPyTorch};
  const Request request = MakeRequest(content);
  EXPECT_TRUE(request.Check(Encode(AnswerTo(request))).ok());
}

TEST(Request, IsRejectedWithTheServersError) {
  const auto reason = [](const RequestContent& content) {
    const absl::Status status = Request::Create(content, false).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return core::GetErrorDetail(status).value_or(core::ErrorDetail{}).reason;
  };
  RequestContent content = SmallContent(kFakeQuantize);
  std::get<RangeValues>(content.parameters).axis = 2;
  EXPECT_EQ(reason(content), "AXIS_OUT_OF_RANGE");
  content = SmallContent(kFakeQuantizeGradient);
  std::get<RangeValues>(content.parameters).min.pop_back();
  std::get<RangeValues>(content.parameters).max.pop_back();
  EXPECT_EQ(reason(content), "RANGE_SIZE_MISMATCH");
  content = SmallQuantizeContent();
  content.output_type = core::ElementType::kInt32;
  EXPECT_EQ(reason(content), "UNSUPPORTED_DATA_TYPE");
  content = SmallDequantizeContent();
  std::get<AffineValues>(content.parameters).scale[1] = 0;
  EXPECT_EQ(reason(content), "INVALID_SCALE");
}

std::vector<float> RandomFloats(const std::vector<std::int64_t>& shape, std::uint64_t seed) {
  return ToFloats(RandomTensor(shape, core::ElementType::kFloat32, seed).elements);
}

TEST(RandomTensor, IsNormallyDistributed) {
  const std::vector<std::int64_t> shape = {100, 1000};
  EXPECT_EQ(RandomTensor(shape, core::ElementType::kFloat32, 1).shape, shape);
  const std::vector<float> values = RandomFloats(shape, 1);
  ASSERT_THAT(values, SizeIs(100'000));
  const auto share_within = [&](float bound) {
    return static_cast<double>(std::ranges::count_if(
               values, [&](float value) { return std::abs(value) < bound; })) /
           100'000;
  };
  EXPECT_NEAR(std::accumulate(values.begin(), values.end(), 0.0) / 100'000, 0, 0.02);
  EXPECT_NEAR(share_within(1), 0.683, 0.01);
  EXPECT_NEAR(share_within(2), 0.954, 0.01);
}

TEST(RandomTensor, HasAllCodesOfItsTypeEquallyOften) {
  const std::vector<std::int32_t> codes = ToCodes(
      RandomTensor(std::vector<std::int64_t>{160'000}, core::ElementType::kInt4, 1).elements);
  ASSERT_THAT(codes, SizeIs(160'000));
  for (std::int32_t code = -8; code <= 7; ++code) {
    EXPECT_NEAR(static_cast<double>(std::ranges::count(codes, code)), 10'000, 500) << code;
  }
}

TEST(RandomTensor, DependsOnlyOnTheSeed) {
  EXPECT_EQ(RandomFloats({1000}, 1), RandomFloats({1000}, 1));
  EXPECT_NE(RandomFloats({1000}, 1), RandomFloats({1000}, 2));
}

TEST(RandomTensor, RepeatsItsValuesAfterAMillion) {
  constexpr std::size_t kPeriod = std::size_t{1} << 20U;
  const std::vector<float> values = RandomFloats({2 * kPeriod + 5}, 1);
  const auto whole = std::span(values);
  EXPECT_TRUE(core::SameBits(whole.subspan(kPeriod), whole.first(kPeriod + 5)));
  EXPECT_FALSE(core::SameBits(whole.subspan(kPeriod / 2, 100), whole.first(100)));
}

TEST(RandomTensor, MayBeEmptyOrAScalar) {
  EXPECT_THAT(RandomFloats({3, 0}, 1), SizeIs(0));
  EXPECT_THAT(RandomFloats({}, 1), SizeIs(1));
}

}  // namespace
}  // namespace quantd::client
