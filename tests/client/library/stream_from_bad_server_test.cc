// Tests calls that send tensors in parts to servers that misbehave.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "client/library/client.h"
#include "core/base/error.h"
#include "tests/client/library/tensor_in_parts.h"
#include "tests/client/test_server.h"
#include "wire/status.h"

namespace quantd::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Makes one call in parts to a server that misbehaves.
class BadServerTest : public ::testing::Test {
 protected:
  absl::Status Call(std::chrono::milliseconds timeout = std::chrono::minutes(1)) {
    const TestServer server(&service_);
    return CallTo(server, timeout);
  }

  static absl::Status CallTo(const TestServer& server,
                             std::chrono::milliseconds timeout = std::chrono::minutes(1)) {
    const RangedTensor tensor({1000});
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
      core::MakeError(absl::StatusCode::kResourceExhausted, core::ErrorReason::kMessageTooLarge,
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
  const RangedTensor tensor({1000}, 2);
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
  const RangedTensor one({1});
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
  const RangedTensor tensor({100});
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
