// Tests calls that send tensors in parts: fake quantization and its gradient.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <future>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/library/client.h"
#include "core/fake_quantization.h"
#include "core/numerics.h"
#include "core/parameter_layout.h"
#include "core/reference.h"
#include "core/tensor_shape.h"
#include "tests/client/library/tensor_in_parts.h"
#include "tests/core/same_bits.h"

namespace quantd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

std::vector<float> Expected(const RangedTensor& tensor, const core::Range& range,
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

TEST_F(StreamTest, GivesTheSameBitsAsOneCallForEveryAxis) {
  const std::vector<std::int64_t> shape = {3, 4, 5, 6};
  for (std::int32_t axis = -4; axis < 4; ++axis) {
    SCOPED_TRACE(axis);
    const RangedTensor tensor(shape, ChannelCount(shape, axis));
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
  const RangedTensor tensor({1000});
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

TEST_F(StreamTest, GivesTheSameBitsAsOneCallForEveryNumericsByRange) {
  const std::vector<std::int64_t> shape = {2, 5, 40};
  const RangedTensor tensor(shape, 5);
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
  const RangedTensor scalar(std::vector<std::int64_t>{});
  EXPECT_TRUE(client_->FakeQuantize(scalar.values(), scalar.range(), spec_).ok());
  const RangedTensor empty({3, 0}, 3);
  EXPECT_TRUE(client_->FakeQuantize(empty.values(), empty.range(0), spec_).ok());
  EXPECT_EQ(service_.streamed_requests, 0);
}

TEST_F(StreamTest, SendsUnchangedFieldsOnlyOnce) {
  const RangedTensor tensor({100});
  ASSERT_TRUE(client_->FakeQuantize(tensor.values(), tensor.range(), spec_).ok());
  EXPECT_EQ(service_.streamed_requests, 8);
  EXPECT_EQ(service_.streamed_parameters, 1);
  EXPECT_EQ(service_.streamed_specs, 1);
}

TEST_F(StreamTest, SendsOnlyThePartOfTheRangeThatAMessageNeeds) {
  const RangedTensor tensor({2, 20}, 20);
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
    const RangedTensor tensor(shape, ChannelCount(shape, axis));
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
  const RangedTensor tensor({50});
  std::vector<float> memory(tensor.values().elements<float>().begin(),
                            tensor.values().elements<float>().end());
  const auto result =
      client_->FakeQuantizeInto({tensor.shape(), memory}, tensor.range(), spec_, std::span(memory));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(core::SameBits(memory, Expected(tensor, tensor.range(), spec_)));
}

TEST_F(StreamTest, ReportsProgressUntilTheTensorIsComplete) {
  const RangedTensor tensor({1000});
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
  const RangedTensor tensor({10, 10}, 10);
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
  const RangedTensor tensor({10, 10}, 10);
  const RangedTensor other({100}, 10);
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
  const RangedTensor tensor({200, 3}, 3);
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

}  // namespace
}  // namespace quantd::client
