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
#include "core/reference.h"
#include "core/tensor_shape.h"
#include "tests/client/test_server.h"
#include "tests/core/same_bits.h"

namespace quantd::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

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
  TensorView values() const { return {.shape = shape_, .values = values_}; }
  TensorView gradients() const { return {.shape = shape_, .values = gradients_}; }
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
  return *core::reference::FakeQuantize(tensor.shape(), tensor.values().values, range, spec);
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
    EXPECT_TRUE(core::SameBits(result->output, Expected(tensor, range, spec_)));
    const auto nudged = core::Nudge(range, spec_);
    EXPECT_EQ(result->nudged_range.min, nudged->min);
    EXPECT_EQ(result->nudged_range.max, nudged->max);
    EXPECT_EQ(result->nudged_range.scale, nudged->scale);
    EXPECT_EQ(result->nudged_range.zero_point, nudged->zero_point);
  }
  EXPECT_LE(service_.largest_streamed_request, kMessageBytes + 100);
}

TEST_F(StreamTest, SendsUnchangedFieldsOnlyOnce) {
  const RandomTensor tensor({100});
  ASSERT_TRUE(client_->FakeQuantize(tensor.values(), tensor.range(), spec_).ok());
  EXPECT_EQ(service_.streamed_requests, 7);
  EXPECT_EQ(service_.streamed_ranges, 1);
  EXPECT_EQ(service_.streamed_specs, 1);
}

TEST_F(StreamTest, SendsOnlyThePartOfTheRangeThatAMessageNeeds) {
  const RandomTensor tensor({2, 20}, 20);
  const auto result = client_->FakeQuantize(tensor.values(), tensor.range(1), spec_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(core::SameBits(result->output, Expected(tensor, tensor.range(1), spec_)));
  EXPECT_EQ(service_.streamed_requests, 4);
  EXPECT_EQ(service_.streamed_ranges, 4);
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
    const auto expected = core::reference::FakeQuantizeGradient(
        shape, tensor.gradients().values, tensor.values().values, range, spec_);
    EXPECT_TRUE(core::SameBits(result->input_gradients, expected->input));
    ASSERT_THAT(result->min_gradient, SizeIs(expected->min.size()));
    for (std::size_t channel = 0; channel < expected->min.size(); ++channel) {
      EXPECT_TRUE(WithinAnUlp(result->min_gradient[channel], expected->min[channel]));
      EXPECT_TRUE(WithinAnUlp(result->max_gradient[channel], expected->max[channel]));
    }
    EXPECT_EQ(result->nudged_range.scale, core::Nudge(range, spec_)->scale);
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
      {.shape = shape, .values = gradients}, {.shape = shape, .values = inputs},
      {.min = {&min, 1}, .max = {&max, 1}, .axis = {}}, {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(service_.streamed_requests, 2);
  EXPECT_THAT(result->max_gradient, ElementsAre(1));
  EXPECT_THAT(result->min_gradient, ElementsAre(0));
}

TEST_F(StreamTest, CanWriteIntoTheMemoryOfTheInput) {
  const RandomTensor tensor({50});
  std::vector<float> memory(tensor.values().values.begin(), tensor.values().values.end());
  const auto result = client_->FakeQuantizeInto({.shape = tensor.shape(), .values = memory},
                                                tensor.range(), spec_, memory);
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

TEST_F(StreamTest, RejectsBadArgumentsBeforeSendingAnything) {
  const RandomTensor tensor({10, 10}, 10);
  const RandomTensor other({100}, 10);
  const std::vector<std::int64_t> wrong_shape = {10, 11};
  const std::vector<std::int64_t> negative_shape = {-10, 10};
  core::Range swapped = tensor.range(1);
  std::swap(swapped.min, swapped.max);

  const auto reason_and_field = [](const absl::Status& status) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    const auto detail = core::GetErrorDetail(status).value_or(core::ErrorDetail{});
    return std::pair(detail.reason, detail.field);
  };
  const auto fake_quantize = [&](const TensorView& input, const core::Range& range) {
    return reason_and_field(client_->FakeQuantize(input, range, spec_).status());
  };
  EXPECT_EQ(fake_quantize(tensor.values(), tensor.range(2)),
            std::pair(std::string("AXIS_OUT_OF_RANGE"), std::string("range.axis")));
  EXPECT_EQ(fake_quantize(tensor.values(), tensor.range()),
            std::pair(std::string("RANGE_SIZE_MISMATCH"), std::string("range.min")));
  EXPECT_EQ(fake_quantize(tensor.values(), swapped),
            std::pair(std::string("INVALID_RANGE"), std::string("range.min[0]")));
  EXPECT_EQ(fake_quantize({.shape = wrong_shape, .values = tensor.values().values}, swapped),
            std::pair(std::string("TENSOR_SIZE_MISMATCH"), std::string("input.data")));
  EXPECT_EQ(fake_quantize({.shape = negative_shape, .values = tensor.values().values}, swapped),
            std::pair(std::string("TENSOR_SIZE_MISMATCH"), std::string("input.shape[0]")));
  EXPECT_EQ(
      reason_and_field(
          client_->FakeQuantizeGradient(other.gradients(), tensor.values(), tensor.range(1), spec_)
              .status()),
      std::pair(std::string("SHAPE_MISMATCH"), std::string("inputs.shape")));
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
      return result.ok() && core::SameBits(result->output, expected);
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

TEST_F(BadServerTest, ReportsAnErrorInTheMiddleWithItsDetail) {
  service_.stream_instead = [](grpc::ServerContext*, TestService::FakeQuantizeStream* stream) {
    AnswerSome(stream, 3);
    return ToGrpcStatus(core::MakeError(
        absl::StatusCode::kResourceExhausted, "too much",
        {.reason = "IN_FLIGHT_LIMIT", .field = "", .metadata = {{"message_index", "3"}}}));
  };
  const absl::Status status = Call();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  const auto detail = core::GetErrorDetail(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "IN_FLIGHT_LIMIT");
  EXPECT_EQ(detail->metadata.at("message_index"), "3");
}

TEST_F(BadServerTest, ReportsHowFarAStreamGotThatEndedEarly) {
  service_.stream_instead = [](grpc::ServerContext*, TestService::FakeQuantizeStream* stream) {
    AnswerSome(stream, 2);
    return grpc::Status::OK;
  };
  const absl::Status status = Call();
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("after 32 of 1000 elements"));
}

TEST_F(BadServerTest, RejectsMoreAnswersThanRequests) {
  service_.stream_instead = [](grpc::ServerContext*, TestService::FakeQuantizeStream* stream) {
    AnswerSome(stream, 63);
    stream->Write(v1::FakeQuantizeResponse());
    return grpc::Status::OK;
  };
  const absl::Status status = Call();
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("more answers"));
}

TEST_F(BadServerTest, RejectsAnAnswerOfTheWrongSize) {
  service_.edit_answer = [](grpc::ServerContext*, v1::FakeQuantizeResponse* response) {
    response->mutable_output()->mutable_data()->append("more");
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

// Waits until the client has cancelled the call.
void WaitForCancellation(grpc::ServerContext* context) {
  while (!context->IsCancelled()) {
    std::this_thread::yield();
  }
}

TEST_F(BadServerTest, SilentStreamTimesOut) {
  service_.stream_instead = [](grpc::ServerContext* context,
                               TestService::FakeQuantizeStream* stream) {
    AnswerSome(stream, 2);
    WaitForCancellation(context);
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
    WaitForCancellation(context);
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
  EXPECT_TRUE(Call(timeout).ok());  // 63 answers.
}

}  // namespace
}  // namespace quantd::client
