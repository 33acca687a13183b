// Tests the client's calls that send tensors in parts, against a server in this process.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <future>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/library/client.h"
#include "core/base/error.h"
#include "core/fake_quantization.h"
#include "core/numerics.h"
#include "core/parameter_layout.h"
#include "core/reference.h"
#include "core/tensor_shape.h"
#include "tests/client/test_server.h"
#include "tests/core/same_bits.h"
#include "wire/status.h"

namespace quantd::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr std::size_t kMessageBytes = 64;

std::unique_ptr<Client> ConnectInParts(const std::string& address,
                                       std::chrono::milliseconds timeout = std::chrono::minutes(1),
                                       std::size_t message_bytes = kMessageBytes) {
  auto client = Client::Connect({.address = address,
                                 .timeout = timeout,
                                 .stream_from_bytes = 0,
                                 .stream_message_bytes = message_bytes});
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

// Generates values, gradients and ranges for a tensor of a given shape.
class RandomTensor {
 public:
  explicit RandomTensor(std::vector<std::int64_t> shape, std::size_t channels = 1)
      : shape_(std::move(shape)) {
    std::size_t count = 1;
    for (const std::int64_t dimension : shape_) {
      count *= static_cast<std::size_t>(dimension);
    }
    std::uniform_real_distribution<float> value(-4, 4);
    std::uniform_real_distribution<float> bound(0.5F, 3);
    for (std::size_t i = 0; i < count; ++i) {
      values_.push_back(value(random_));
      gradients_.push_back(value(random_));
    }
    for (std::size_t channel = 0; channel < channels; ++channel) {
      min_.push_back(-bound(random_));
      max_.push_back(bound(random_));
    }
  }

  const std::vector<std::int64_t>& shape() const { return shape_; }
  TensorView values() const { return {shape_, values_}; }
  TensorView gradients() const { return {shape_, gradients_}; }
  core::Range range(std::optional<std::int32_t> axis = {}) const {
    return {.min = min_, .max = max_, .axis = axis};
  }

 private:
  std::mt19937 random_{7};  // NOLINT(bugprone-random-generator-seed)
  std::vector<std::int64_t> shape_;
  std::vector<float> values_;
  std::vector<float> gradients_;
  std::vector<float> min_;
  std::vector<float> max_;
};

std::vector<float> Expected(const RandomTensor& tensor, const core::Range& range,
                            const core::QuantizationSpec& spec) {
  return *core::reference::FakeQuantize(tensor.shape(), tensor.values().elements<float>(), range,
                                        spec);
}

core::NudgedRange Nudged(const core::Range& range, const core::QuantizationSpec& spec) {
  return *core::FakeQuantization::Create(range, spec)->nudged_range();
}

std::size_t ChannelCount(const std::vector<std::int64_t>& shape, std::int32_t axis) {
  return core::MakeChannelLayout(shape, axis).value().channels;
}

bool WithinAnUlp(float actual, double expected) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const auto rounded = static_cast<float>(expected);
  return std::nextafter(rounded, -kInfinity) <= actual &&
         actual <= std::nextafter(rounded, kInfinity);
}

// The reason of an error, and the field that it names.
std::pair<std::string, std::string> ReasonAndField(const absl::Status& status) {
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  const auto detail = core::GetErrorDetail(status).value_or(core::ErrorDetail());
  return {detail.reason, detail.field};
}

class StreamTest : public ::testing::Test {
 protected:
  TestService service_;
  TestServer server_{&service_};
  std::unique_ptr<Client> client_ = ConnectInParts(server_.address());
  const core::QuantizationSpec spec_{.num_bits = 4, .narrow_range = true};
};

TEST_F(StreamTest, GivesTheSameBitsAsOneCallForEveryAxis) {
  const std::vector<std::int64_t> shape = {3, 4, 5, 6};
  for (std::int32_t axis = -4; axis < 4; ++axis) {
    SCOPED_TRACE(axis);
    const RandomTensor tensor(shape, ChannelCount(shape, axis));
    const core::Range range = tensor.range(axis);
    const auto result = client_->FakeQuantize(tensor.values(), range, spec_);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(core::SameBits(result->output.values<float>(), Expected(tensor, range, spec_)));
    const core::NudgedRange nudged = Nudged(range, spec_);
    EXPECT_EQ(result->nudged_range.min, nudged.min);
    EXPECT_EQ(result->nudged_range.max, nudged.max);
    EXPECT_EQ(result->nudged_range.scale, nudged.scale);
    EXPECT_EQ(result->nudged_range.zero_point, nudged.zero_point);
  }
  EXPECT_LE(service_.largest_streamed_request, kMessageBytes + 100);
}

TEST_F(StreamTest, SendsTheRequestedNumerics) {
  std::vector<float> values;
  const RandomTensor tensor({1000});
  const float scale = Nudged(tensor.range(), {}).scale[0];
  for (int step = -100; step < 100; ++step) {
    values.push_back((static_cast<float>(step) + 0.5F) * scale);
  }
  const std::vector<std::int64_t> shape = {200};
  const core::QuantizationSpec args{.numerics = core::Numerics::kTensorFlowArgs};
  const auto expected =
      core::reference::FakeQuantize(shape, std::span<const float>(values), tensor.range(), args);
  ASSERT_FALSE(core::SameBits(
      *expected,
      *core::reference::FakeQuantize(shape, std::span<const float>(values), tensor.range(), {})));
  const auto result = client_->FakeQuantize({shape, values}, tensor.range(), args);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(core::SameBits(result->output.values<float>(), *expected));
}

// Parameters of scales for a tensor.
class RandomScales {
 public:
  RandomScales(std::span<const std::int64_t> shape, std::optional<std::int32_t> axis,
               std::optional<std::uint32_t> block_size)
      : affine_{.scale = {}, .axis = axis, .block_size = block_size} {
    const std::size_t count = core::MakeParameterLayout(shape, affine_)->parameter_count();
    std::uniform_real_distribution<float> scale(0.05F, 0.5F);
    for (std::size_t i = 0; i < count; ++i) {
      scale_.push_back(scale(random_));
      zero_point_.push_back(static_cast<std::int32_t>(random_() % 3) - 1);
    }
    affine_.scale = scale_;
    affine_.zero_point = zero_point_;
  }
  RandomScales(const RandomScales&) = delete;
  RandomScales& operator=(const RandomScales&) = delete;

  const core::AffineParameters& affine() const { return affine_; }

 private:
  std::mt19937 random_{11};  // NOLINT(bugprone-random-generator-seed)
  std::vector<float> scale_;
  std::vector<std::int32_t> zero_point_;
  core::AffineParameters affine_;
};

// Quantizes and dequantizes a tensor in parts, and compares both with the reference.
void ExpectTheReferencesCodes(Client& client, const RandomTensor& tensor,
                              const core::AffineParameters& affine, core::ElementType type) {
  const auto result = client.Quantize(tensor.values(), affine, {}, type);
  ASSERT_TRUE(result.ok()) << result.status();
  const std::vector<std::int32_t> codes = ToCodes(result->output);
  EXPECT_EQ(codes, *core::reference::Quantize(tensor.shape(), tensor.values().elements<float>(),
                                              affine, {}, type));
  EXPECT_TRUE(std::ranges::equal(result->parameters.scale, affine.scale));
  EXPECT_TRUE(std::ranges::equal(result->parameters.zero_point, affine.zero_point));
  EXPECT_EQ(result->parameters.axis, affine.axis);
  EXPECT_EQ(result->parameters.block_size, affine.block_size);
  const auto values = client.Dequantize(result->output.view(tensor.shape()), affine, {});
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_TRUE(
      core::SameBits(values->output.values<float>(),
                     *core::reference::Dequantize(tensor.shape(), codes, affine, {}, type)));
}

TEST_F(StreamTest, GivesTheSameCodesAsOneCallForEveryAxisAndType) {
  const std::vector<std::int64_t> shape = {3, 5, 7};
  const RandomTensor tensor(shape);
  for (const core::ElementType type : {core::ElementType::kInt8, core::ElementType::kInt16,
                                       core::ElementType::kInt4, core::ElementType::kInt2}) {
    for (const std::optional<std::int32_t> axis :
         {std::optional<std::int32_t>(), std::optional(0), std::optional(1), std::optional(-1)}) {
      SCOPED_TRACE(std::string(core::RowOf(type).name) + ", axis " +
                   std::to_string(axis.value_or(99)));
      for (const std::size_t message_bytes : {4U, 16U, 64U}) {
        const auto client =
            ConnectInParts(server_.address(), std::chrono::minutes(1), message_bytes);
        ExpectTheReferencesCodes(*client, tensor, RandomScales(shape, axis, {}).affine(), type);
      }
    }
  }
  EXPECT_GT(service_.streamed_requests, 100);
}

TEST_F(StreamTest, GivesTheSameCodesAsOneCallForBlocks) {
  const std::vector<std::int64_t> shape = {3, 5, 7};
  const RandomTensor tensor(shape);
  for (const std::int32_t axis : {0, 1, 2}) {
    for (const std::uint32_t block_size : {1U, 2U, 3U, 100U}) {
      SCOPED_TRACE("axis " + std::to_string(axis) + ", blocks of " + std::to_string(block_size));
      const RandomScales scales(shape, axis, block_size);
      for (const std::size_t message_bytes : {8U, 64U}) {
        const auto client =
            ConnectInParts(server_.address(), std::chrono::minutes(1), message_bytes);
        ExpectTheReferencesCodes(*client, tensor, scales.affine(), core::ElementType::kInt8);
        ExpectTheReferencesCodes(*client, tensor, scales.affine(), core::ElementType::kInt4);
      }
    }
  }
}

TEST_F(StreamTest, ReportsWhatIsWrongWithBlocksWithoutSendingThem) {
  const RandomTensor tensor({10, 10});
  const std::vector<float> scales(20, 0.5F);
  std::vector<float> bad_scales = scales;
  bad_scales[13] = -1;
  struct BadCall {
    std::string reason;
    std::string field;
    core::AffineParameters affine;
  };
  const auto whole = Client::Connect({.address = server_.address()});
  for (const BadCall& bad : std::vector<BadCall>{
           {"INVALID_BLOCK_SIZE",
            "affine.block_size",
            {.scale = scales, .axis = 1, .block_size = 0}},
           {"INVALID_BLOCK_SIZE", "affine.block_size", {.scale = scales, .block_size = 5}},
           {"INVALID_SCALE", "affine.scale[13]", {.scale = bad_scales, .axis = 1, .block_size = 5}},
           {"PARAMETERS_SIZE_MISMATCH",
            "affine.scale",
            {.scale = scales, .axis = 1, .block_size = 4}}}) {
    SCOPED_TRACE(bad.reason);
    const absl::Status status =
        client_->Quantize(tensor.values(), bad.affine, {}, core::ElementType::kInt8).status();
    EXPECT_EQ(ReasonAndField(status), std::pair(bad.reason, bad.field));
    EXPECT_EQ(
        status,
        (*whole)->Quantize(tensor.values(), bad.affine, {}, core::ElementType::kInt8).status());
  }
  EXPECT_EQ(service_.streamed_elements, 0U);
}

TEST_F(StreamTest, NamesTheElementWithoutACodeByItsPlaceInTheWholeTensor) {
  std::vector<float> values(100, 0.5F);
  values[77] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::int64_t> shape = {100};
  const RandomTensor one({1});
  const absl::Status status =
      client_->Quantize({shape, values}, one.range(), {}, core::ElementType::kUint8).status();
  EXPECT_EQ(ReasonAndField(status),
            std::pair(std::string("INVALID_VALUE"), std::string("input.data")));
  EXPECT_EQ(core::GetErrorDetail(status)->metadata.at("index"), "77");
  EXPECT_THAT(std::string(status.message()), StartsWith("element 77 of input is NaN"));
  EXPECT_GT(service_.streamed_requests, 2);
}

TEST_F(StreamTest, SendsATensorWithTheRangeOfItsDataInOneMessage) {
  const RandomTensor tensor({100});
  ASSERT_TRUE(
      client_->Quantize(tensor.values(), core::DataRange{}, {}, core::ElementType::kUint8).ok());
  EXPECT_EQ(service_.streamed_requests, 0);
}

TEST_F(StreamTest, CutsTensorsWhoseAnswersAreLarge) {
  const Elements codes(core::ElementType::kInt2, 200);
  const RandomTensor one({1});
  const auto client = Client::Connect(
      {.address = server_.address(), .stream_from_bytes = 400, .stream_message_bytes = 400});
  const std::vector<std::int64_t> shape = {200};
  ASSERT_TRUE((*client)->Dequantize(codes.view(shape), one.range(), {}).ok());
  // An empty one with the range, and two of 100 codes, whose values have 400 bytes.
  EXPECT_EQ(service_.streamed_requests, 3);
}

TEST_F(StreamTest, GivesTheSameBitsAsOneCallForEveryNumericsByRange) {
  const std::vector<std::int64_t> shape = {2, 5, 40};
  const RandomTensor tensor(shape, 5);
  for (const core::NumericsRow& row : core::kNumericsTable) {
    if (!row.range.has_value()) {
      continue;
    }
    SCOPED_TRACE(row.name);
    const core::QuantizationSpec spec{.numerics = row.numerics};
    const core::Range range =
        row.range->per_channel.has_value()
            ? tensor.range(1)
            : core::Range{.min = tensor.range().min.first(1), .max = tensor.range().max.first(1)};
    if (!row.range->has_fake_quantization) {
      const auto result = client_->Quantize(tensor.values(), range, spec, core::ElementType::kInt8);
      const auto expected = core::reference::Quantize(shape, tensor.values().elements<float>(),
                                                      range, spec, core::ElementType::kInt8);
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_EQ(ToCodes(result->output), *expected);
      continue;
    }
    const auto result = client_->FakeQuantize(tensor.values(), range, spec);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(core::SameBits(result->output.values<float>(), Expected(tensor, range, spec)));
  }
}

TEST_F(StreamTest, SendsScalarsAndEmptyTensorsInOneMessage) {
  const RandomTensor scalar(std::vector<std::int64_t>{});
  EXPECT_TRUE(client_->FakeQuantize(scalar.values(), scalar.range(), spec_).ok());
  const RandomTensor empty({3, 0}, 3);
  EXPECT_TRUE(client_->FakeQuantize(empty.values(), empty.range(0), spec_).ok());
  EXPECT_EQ(service_.streamed_requests, 0);
}

TEST_F(StreamTest, SendsUnchangedFieldsOnlyOnce) {
  const RandomTensor tensor({100});
  ASSERT_TRUE(client_->FakeQuantize(tensor.values(), tensor.range(), spec_).ok());
  EXPECT_EQ(service_.streamed_requests, 8);
  EXPECT_EQ(service_.streamed_parameters, 1);
  EXPECT_EQ(service_.streamed_specs, 1);
}

TEST_F(StreamTest, SendsOnlyThePartOfTheRangeThatAMessageNeeds) {
  const RandomTensor tensor({2, 20}, 20);
  const auto result = client_->FakeQuantize(tensor.values(), tensor.range(1), spec_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(
      core::SameBits(result->output.values<float>(), Expected(tensor, tensor.range(1), spec_)));
  EXPECT_EQ(service_.streamed_requests, 5);
  EXPECT_EQ(service_.streamed_parameters, 5);
}

TEST_F(StreamTest, SumsTheGradientsOfMinAndMaxForEveryAxis) {
  const std::vector<std::int64_t> shape = {7, 3, 11};
  for (std::int32_t axis = 0; axis < 3; ++axis) {
    SCOPED_TRACE(axis);
    const RandomTensor tensor(shape, ChannelCount(shape, axis));
    const core::Range range = tensor.range(axis);
    const auto result =
        client_->FakeQuantizeGradient(tensor.gradients(), tensor.values(), range, spec_);
    ASSERT_TRUE(result.ok()) << result.status();
    const auto expected =
        core::reference::FakeQuantizeGradient(shape, tensor.gradients().elements<float>(),
                                              tensor.values().elements<float>(), range, spec_);
    EXPECT_TRUE(core::SameBits(result->input_gradients.values<float>(), expected->input));
    ASSERT_THAT(result->min_gradient, SizeIs(expected->min.size()));
    for (std::size_t channel = 0; channel < expected->min.size(); ++channel) {
      EXPECT_TRUE(WithinAnUlp(result->min_gradient[channel], expected->min[channel]));
      EXPECT_TRUE(WithinAnUlp(result->max_gradient[channel], expected->max[channel]));
    }
    EXPECT_EQ(result->nudged_range.scale, Nudged(range, spec_).scale);
  }
}

TEST_F(StreamTest, RoundsTheGradientsOfMinAndMaxOnce) {
  // The sums of the two parts cancel except for a remainder that is too small for a
  // float32 of their size to represent.
  const auto client = ConnectInParts(server_.address(), std::chrono::minutes(1), 16);
  const std::vector<std::int64_t> shape = {4};
  const std::vector<float> inputs(4, 10);
  const std::vector<float> gradients = {16777216, 1, -16777216, 0};
  const float min = -1;
  const float max = 1;
  const auto result = client->FakeQuantizeGradient(
      {shape, gradients}, {shape, inputs}, core::Range{.min = {&min, 1}, .max = {&max, 1}}, {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(service_.streamed_requests, 3);
  EXPECT_THAT(result->max_gradient, ElementsAre(1));
  EXPECT_THAT(result->min_gradient, ElementsAre(0));
}

TEST_F(StreamTest, CanWriteIntoTheMemoryOfTheInput) {
  const RandomTensor tensor({50});
  std::vector<float> memory(tensor.values().elements<float>().begin(),
                            tensor.values().elements<float>().end());
  const auto result =
      client_->FakeQuantizeInto({tensor.shape(), memory}, tensor.range(), spec_, std::span(memory));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(core::SameBits(memory, Expected(tensor, tensor.range(), spec_)));
}

TEST_F(StreamTest, ReportsProgressUntilTheTensorIsComplete) {
  const RandomTensor tensor({1000});
  std::vector<std::size_t> steps;
  const auto caller = std::this_thread::get_id();
  const auto result = client_->FakeQuantize(tensor.values(), tensor.range(), spec_,
                                            [&](std::size_t done, std::size_t all) {
                                              EXPECT_EQ(all, 1000U);
                                              EXPECT_EQ(std::this_thread::get_id(), caller);
                                              steps.push_back(done);
                                            });
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_FALSE(steps.empty());
  EXPECT_TRUE(std::ranges::is_sorted(steps));
  EXPECT_EQ(steps.back(), 1000U);
}

TEST_F(StreamTest, ReportsTheServersErrorsOfTheWholeTensorWithoutSendingIt) {
  const RandomTensor tensor({10, 10}, 10);
  core::Range swapped = tensor.range(1);
  std::swap(swapped.min, swapped.max);
  core::Range short_max = tensor.range(-2);
  short_max.max = short_max.max.first(9);
  struct BadCall {
    std::string reason;
    std::string field;
    core::Range range;
    core::QuantizationSpec spec = {};
  };
  const std::vector<BadCall> bad_calls = {
      {"AXIS_OUT_OF_RANGE", "range.axis", tensor.range(2)},
      {"AXIS_OUT_OF_RANGE", "range.axis", tensor.range(-3)},
      {"RANGE_SIZE_MISMATCH", "range.min", tensor.range()},
      {"RANGE_SIZE_MISMATCH", "range.max", short_max},
      {"INVALID_RANGE", "range.min[0]", swapped},
      {"INVALID_NUM_BITS", "spec.num_bits", tensor.range(0), {.num_bits = 17}}};
  const auto whole = Client::Connect({.address = server_.address()});
  ASSERT_TRUE(whole.ok()) << whole.status();
  for (const BadCall& bad : bad_calls) {
    SCOPED_TRACE(bad.reason);
    const absl::Status status =
        client_->FakeQuantize(tensor.values(), bad.range, bad.spec).status();
    EXPECT_EQ(ReasonAndField(status), std::pair(bad.reason, bad.field));
    EXPECT_EQ(status, (*whole)->FakeQuantize(tensor.values(), bad.range, bad.spec).status());
    const absl::Status gradient_status =
        client_->FakeQuantizeGradient(tensor.gradients(), tensor.values(), bad.range, bad.spec)
            .status();
    EXPECT_EQ(gradient_status, status);
  }
  EXPECT_EQ(service_.streamed_elements, 0U);
}

TEST_F(StreamTest, RejectsWrongSizesBeforeSendingAnything) {
  const RandomTensor tensor({10, 10}, 10);
  const RandomTensor other({100}, 10);
  const std::vector<std::int64_t> wrong_shape = {10, 11};
  const std::vector<std::int64_t> negative_shape = {-10, 10};
  const std::span<const float> values = tensor.values().elements<float>();
  const core::Range range = tensor.range(1);
  std::vector<float> output(99);
  const auto whole = Client::Connect({.address = server_.address()});
  ASSERT_TRUE(whole.ok()) << whole.status();
  for (Client* client : {client_.get(), whole->get()}) {
    EXPECT_EQ(ReasonAndField(client->FakeQuantize({wrong_shape, values}, range, spec_).status()),
              std::pair(std::string("TENSOR_SIZE_MISMATCH"), std::string("input.data")));
    EXPECT_EQ(ReasonAndField(client->FakeQuantize({negative_shape, values}, range, spec_).status()),
              std::pair(std::string("TENSOR_SIZE_MISMATCH"), std::string("input.shape[0]")));
    EXPECT_EQ(
        ReasonAndField(
            client->FakeQuantizeInto(tensor.values(), range, spec_, std::span(output)).status()),
        std::pair(std::string("TENSOR_SIZE_MISMATCH"), std::string("output")));
    EXPECT_EQ(
        ReasonAndField(
            client->FakeQuantizeGradient(tensor.gradients(), {wrong_shape, values}, range, spec_)
                .status()),
        std::pair(std::string("TENSOR_SIZE_MISMATCH"), std::string("inputs.data")));
    EXPECT_EQ(ReasonAndField(
                  client->FakeQuantizeGradient(other.gradients(), tensor.values(), range, spec_)
                      .status()),
              std::pair(std::string("SHAPE_MISMATCH"), std::string("inputs.shape")));
  }
  EXPECT_EQ(service_.streamed_requests, 0);
}

TEST_F(StreamTest, CanBeUsedByManyThreads) {
  const RandomTensor tensor({200, 3}, 3);
  const std::vector<float> expected = Expected(tensor, tensor.range(1), spec_);
  std::vector<std::future<bool>> calls;
  calls.reserve(4);
  for (int i = 0; i < 4; ++i) {
    calls.push_back(std::async(std::launch::async, [&] {
      const auto result = client_->FakeQuantize(tensor.values(), tensor.range(1), spec_);
      return result.ok() && core::SameBits(result->output.values<float>(), expected);
    }));
  }
  for (std::future<bool>& call : calls) {
    EXPECT_TRUE(call.get());
  }
}

// Makes one call in parts to a server that misbehaves.
class BadServerTest : public ::testing::Test {
 protected:
  absl::Status Call(std::chrono::milliseconds timeout = std::chrono::minutes(1)) {
    const TestServer server(&service_);
    return CallTo(server, timeout);
  }

  static absl::Status CallTo(const TestServer& server,
                             std::chrono::milliseconds timeout = std::chrono::minutes(1)) {
    const RandomTensor tensor({1000});
    return ConnectInParts(server.address(), timeout)
        ->FakeQuantize(tensor.values(), tensor.range(), {})
        .status();
  }

  // Answers the first `count` requests of a stream correctly.
  static bool AnswerSome(TestService::FakeQuantizeStream* stream, int count) {
    v1::FakeQuantizeRequest request;
    for (int i = 0; i < count; ++i) {
      if (!stream->Read(&request)) {
        return false;
      }
      v1::FakeQuantizeResponse response;
      *response.mutable_output() = request.input();
      response.set_numerics(v1::NUMERICS_TENSORFLOW);
      v1::NudgedRange& range = *response.mutable_nudged_range();
      range.add_min(-1);
      range.add_max(1);
      range.add_scale(1);
      range.add_zero_point(0);
      stream->Write(response);
    }
    return true;
  }

  TestService service_;
};

TEST_F(BadServerTest, ReportsAnErrorInTheMiddleAsOneOfTheWholeTensor) {
  const absl::Status error =
      core::MakeError(absl::StatusCode::kResourceExhausted, core::ErrorReason::kInFlightLimit,
                      "too much", {.metadata = {{"limit", "7"}}});
  service_.stream_instead = [&](grpc::ServerContext*, TestService::FakeQuantizeStream* stream) {
    AnswerSome(stream, 3);
    return wire::ToGrpcStatus(core::AtMessage(3, error));
  };
  EXPECT_EQ(Call(), error);
}

TEST_F(BadServerTest, RejectsARangeOfTheWrongSizeThatTheServerAccepts) {
  service_.stream_instead = [](grpc::ServerContext*, TestService::FakeQuantizeStream* stream) {
    AnswerSome(stream, 1);
    return grpc::Status::OK;
  };
  const TestServer server(&service_);
  const RandomTensor tensor({1000}, 2);
  const absl::Status status =
      ConnectInParts(server.address())->FakeQuantize(tensor.values(), tensor.range(), {}).status();
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("after 0 of 1000 elements"));
}

TEST_F(BadServerTest, ReportsHowFarAStreamGotThatEndedEarly) {
  service_.stream_instead = [](grpc::ServerContext*, TestService::FakeQuantizeStream* stream) {
    AnswerSome(stream, 2);
    return grpc::Status::OK;
  };
  const absl::Status status = Call();
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("after 16 of 1000 elements"));
}

TEST_F(BadServerTest, RejectsMoreAnswersThanRequests) {
  service_.stream_instead = [](grpc::ServerContext*, TestService::FakeQuantizeStream* stream) {
    AnswerSome(stream, 64);
    stream->Write(v1::FakeQuantizeResponse());
    return grpc::Status::OK;
  };
  const absl::Status status = Call();
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("more answers"));
}

TEST_F(BadServerTest, RejectsAnswersToRequestsThatWereNotSent) {
  // The server reads nothing, so that flow control stops the client early.
  constexpr std::size_t kPartElements = 16384;
  constexpr std::size_t kParts = 64;
  service_.stream_instead = [](grpc::ServerContext*, TestService::FakeQuantizeStream* stream) {
    v1::FakeQuantizeResponse response;
    response.mutable_output()->set_data_type(v1::DATA_TYPE_FLOAT32);
    response.set_numerics(v1::NUMERICS_TENSORFLOW);
    v1::NudgedRange& range = *response.mutable_nudged_range();
    range.add_min(-1);
    range.add_max(1);
    range.add_scale(1);
    range.add_zero_point(0);
    response.mutable_output()->set_data("");
    stream->Write(response);
    response.mutable_output()->set_data(std::string(kPartElements * sizeof(float), '\0'));
    for (std::size_t part = 0; part < kParts; ++part) {
      stream->Write(response);
    }
    return grpc::Status::OK;
  };
  const TestServer server(&service_);
  const std::vector<std::int64_t> shape = {kParts * kPartElements};
  const std::vector<float> values(kParts * kPartElements);
  const RandomTensor one({1});
  const absl::Status status =
      ConnectInParts(server.address(), std::chrono::minutes(1), kPartElements * sizeof(float))
          ->FakeQuantize({shape, values}, one.range(), {})
          .status();
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("more answers"));
}

TEST_F(BadServerTest, RejectsAnAnswerOfTheWrongSize) {
  service_.edit_answer = [](grpc::ServerContext*, v1::FakeQuantizeResponse* response) {
    if (!response->output().data().empty()) {
      response->mutable_output()->mutable_data()->append("more");
    }
    return grpc::Status::OK;
  };
  const absl::Status status = Call();
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("output has 68 bytes; expected 64"));
}

TEST_F(BadServerTest, RejectsGradientsWithoutSums) {
  service_.edit_gradient_answer = [](grpc::ServerContext*,
                                     v1::FakeQuantizeGradientResponse* response) {
    response->clear_min_gradient_sum();
    return grpc::Status::OK;
  };
  const TestServer server(&service_);
  const RandomTensor tensor({100});
  const absl::Status status =
      ConnectInParts(server.address())
          ->FakeQuantizeGradient(tensor.gradients(), tensor.values(), tensor.range(), {})
          .status();
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("min_gradient_sum has 0 values"));
}

TEST_F(BadServerTest, SilentStreamTimesOut) {
  service_.stream_instead = [](grpc::ServerContext* context,
                               TestService::FakeQuantizeStream* stream) {
    AnswerSome(stream, 2);
    TestService::AwaitCancellation(context);
    return grpc::Status::OK;
  };
  const absl::Status status = Call(std::chrono::milliseconds(100));
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("127.0.0.1"), HasSubstr("within 100 ms")));
}

TEST_F(BadServerTest, ReportsUnavailableWhenTheServerGoesAway) {
  std::promise<void> answered;
  service_.stream_instead = [&](grpc::ServerContext* context,
                                TestService::FakeQuantizeStream* stream) {
    AnswerSome(stream, 2);
    answered.set_value();
    TestService::AwaitCancellation(context);
    return grpc::Status::CANCELLED;
  };
  TestServer server(&service_);
  std::future<absl::Status> call = std::async(std::launch::async, [&] { return CallTo(server); });
  answered.get_future().wait();
  server.Stop();
  const absl::Status status = call.get();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(server.address()));
}

TEST_F(BadServerTest, SlowStreamDoesNotTimeOutWhileAnswersKeepComing) {
  // This test has to sleep, because it is about the passing of time.
  const std::chrono::milliseconds timeout(2000);
  service_.edit_answer = [&](grpc::ServerContext*, v1::FakeQuantizeResponse*) {
    std::this_thread::sleep_for(timeout / 50);
    return grpc::Status::OK;
  };
  EXPECT_TRUE(Call(timeout).ok());  // 64 answers.
}

}  // namespace
}  // namespace quantd::client
