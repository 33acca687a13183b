// Tests calls that fail at first.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/library/client.h"
#include "core/reference.h"
#include "tests/client/library/tensor_in_parts.h"
#include "tests/core/same_bits.h"

namespace quantd::client {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Fails some of its answers.
class RetryTest : public testing::Test {
 protected:
  // From now on, the server answers as `status_of` says, given how many answers it has made.
  void Answer(std::function<grpc::Status(int)> status_of) {
    service_.edit_answer = [this, status_of = std::move(status_of)](grpc::ServerContext*,
                                                                    v1::FakeQuantizeResponse*) {
      return status_of(answers_++);
    };
  }

  absl::Status Call(const RetryOptions& retry = {},
                    std::chrono::milliseconds timeout = std::chrono::minutes(1)) {
    const TestServer server(&service_);
    return CallTo(server.address(), retry, timeout);
  }

  absl::Status CallTo(const std::string& address, const RetryOptions& retry = {},
                      std::chrono::milliseconds timeout = std::chrono::minutes(1)) {
    const auto client = Client::Connect(
        {.address = address, .retry = retry, .timeout = timeout, .stream_message_bytes = 64});
    const auto result = (*client)->FakeQuantize(tensor_.values(), tensor_.range(), spec_);
    if (result.ok()) {
      EXPECT_TRUE(core::SameBits(result->output.values<float>(), Expected()));
    }
    return result.status();
  }

  std::vector<float> Expected() const {
    return *core::reference::FakeQuantize(tensor_.shape(), tensor_.values().elements<float>(),
                                          tensor_.range(), spec_);
  }

  static grpc::Status Unavailable() { return {grpc::StatusCode::UNAVAILABLE, "not now"}; }

  const RangedTensor tensor_{{1000}};
  const core::QuantizationSpec spec_{.num_bits = 4};
  TestService service_;
  std::atomic<int> answers_ = 0;
};

TEST_F(RetryTest, ACallIsMadeAgainUntilItIsAnswered) {
  Answer([](int answer) { return answer < 3 ? Unavailable() : grpc::Status::OK; });
  EXPECT_EQ(Call(), absl::OkStatus());
  EXPECT_EQ(answers_, 4);
}

TEST_F(RetryTest, ACallIsMadeOnceIfTheOptionsSaySo) {
  Answer([](int /*answer*/) { return Unavailable(); });
  EXPECT_TRUE(absl::IsUnavailable(Call({.max_outage = std::chrono::milliseconds(0)})));
  EXPECT_EQ(answers_, 1);
}

TEST_F(RetryTest, AnErrorThatStaysIsReportedAtOnce) {
  Answer([](int /*answer*/) { return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no"); });
  EXPECT_EQ(Call(), absl::InvalidArgumentError("no"));
  EXPECT_EQ(answers_, 1);
}

TEST_F(RetryTest, ThePushbackOfTheServerIsHeeded) {
  service_.edit_answer = [&](grpc::ServerContext* context, v1::FakeQuantizeResponse*) {
    context->AddTrailingMetadata("grpc-retry-pushback-ms", answers_ == 0 ? "30" : "-1");
    ++answers_;
    return Unavailable();
  };
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(absl::IsUnavailable(Call()));
  EXPECT_EQ(answers_, 2);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(30));
}

TEST_F(RetryTest, TheTimeoutHoldsOverAllTries) {
  Answer([](int /*answer*/) { return Unavailable(); });
  const absl::Status error =
      Call({.max_outage = std::chrono::minutes(1), .max_backoff = std::chrono::milliseconds(50)},
           std::chrono::milliseconds(300));
  EXPECT_TRUE(absl::IsUnavailable(error) || absl::IsDeadlineExceeded(error)) << error;
  EXPECT_GT(answers_, 2);
  EXPECT_THAT(std::string(error.message()), HasSubstr(" tries in 0."));
}

TEST_F(RetryTest, AnotherServerTakesOver) {
  TestServer gone(&service_);
  const std::string nobody = gone.address();
  gone.Stop();
  const TestServer server(&service_);
  for (const std::string& addresses :
       {nobody + "," + server.address(), server.address() + ", " + nobody}) {
    EXPECT_EQ(CallTo(addresses), absl::OkStatus()) << addresses;
  }
}

TEST_F(RetryTest, ServersShareTheCalls) {
  TestService other_service;
  std::atomic<int> others = 0;
  other_service.edit_answer = [&](grpc::ServerContext*, v1::FakeQuantizeResponse*) {
    ++others;
    return grpc::Status::OK;
  };
  Answer([](int /*answer*/) { return grpc::Status::OK; });
  const TestServer server(&service_);
  const TestServer other(&other_service);
  const auto client = Client::Connect({.address = server.address() + "," + other.address()});
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE((*client)->FakeQuantize(tensor_.values(), tensor_.range(), spec_).ok());
  }
  EXPECT_EQ(answers_, 3);
  EXPECT_EQ(others, 3);
}

TEST_F(RetryTest, TheErrorNamesAllServers) {
  std::string addresses;
  std::vector<std::string> each;
  for (int i = 0; i < 2; ++i) {
    TestServer gone(&service_);
    each.push_back(gone.address());
    addresses += (i == 0 ? "" : ",") + gone.address();
  }
  const absl::Status error = CallTo(addresses, {.max_outage = std::chrono::milliseconds(200)});
  EXPECT_TRUE(absl::IsUnavailable(error));
  EXPECT_THAT(std::string(error.message()),
              AllOf(HasSubstr(each[0]), HasSubstr(each[1]), HasSubstr(" tries in 0."),
                    HasSubstr("check the address, and that quantd runs")));
}

// Tensors in parts.
class RetryStreamTest : public RetryTest {
 protected:
  static std::unique_ptr<Client> ConnectInParts(const std::string& address) {
    auto client =
        Client::Connect({.address = address, .stream_from_bytes = 0, .stream_message_bytes = 64});
    return *std::move(client);
  }
};

TEST_F(RetryStreamTest, AStreamGoesOnWithThePartsThatHaveNoAnswer) {
  // The 5th, the 6th, which is the first of another stream, and the 30th answer are lost.
  Answer([](int answer) {
    return answer == 4 || answer == 5 || answer == 29 ? Unavailable() : grpc::Status::OK;
  });
  const TestServer server(&service_);
  std::vector<float> values(tensor_.values().elements<float>().begin(),
                            tensor_.values().elements<float>().end());
  // In place: a part that was answered must not be sent again.
  const auto used =
      ConnectInParts(server.address())
          ->FakeQuantizeInto({tensor_.shape(), values}, tensor_.range(), spec_, std::span(values));
  ASSERT_TRUE(used.ok()) << used.status();
  EXPECT_TRUE(core::SameBits(std::span<const float>(values), Expected()));
  EXPECT_GT(answers_, 30);
}

TEST_F(RetryStreamTest, AnotherServerGoesOnWithAStream) {
  Answer([](int answer) { return answer == 10 ? Unavailable() : grpc::Status::OK; });
  TestService other_service;
  const TestServer server(&service_);
  const TestServer other(&other_service);
  const auto client = ConnectInParts(server.address() + "," + other.address());
  const auto result = client->FakeQuantize(tensor_.values(), tensor_.range(), spec_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(core::SameBits(result->output.values<float>(), Expected()));
  EXPECT_EQ(answers_, 11);
  EXPECT_GT(other_service.streamed_requests, 0);
}

TEST_F(RetryStreamTest, TheGradientsOfTheRangeCountEachPartOnce) {
  std::atomic<int> answers = 0;
  service_.edit_gradient_answer = [&](grpc::ServerContext*, v1::FakeQuantizeGradientResponse*) {
    return answers++ % 7 == 6 ? Unavailable() : grpc::Status::OK;
  };
  const TestServer server(&service_);
  TestService good_service;
  const TestServer good(&good_service);
  const auto expected =
      ConnectInParts(good.address())
          ->FakeQuantizeGradient(tensor_.gradients(), tensor_.values(), tensor_.range(), spec_);
  const auto result =
      ConnectInParts(server.address())
          ->FakeQuantizeGradient(tensor_.gradients(), tensor_.values(), tensor_.range(), spec_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->min_gradient, expected->min_gradient);
  EXPECT_EQ(result->max_gradient, expected->max_gradient);
  EXPECT_TRUE(core::SameBits(result->input_gradients.values<float>(),
                             expected->input_gradients.values<float>()));
}

TEST_F(RetryStreamTest, AStreamThatGetsNowhereEnds) {
  Answer([](int answer) { return answer >= 4 ? Unavailable() : grpc::Status::OK; });
  const TestServer server(&service_);
  const auto client = Client::Connect({.address = server.address(),
                                       .retry = {.max_outage = std::chrono::milliseconds(300)},
                                       .stream_from_bytes = 0,
                                       .stream_message_bytes = 64});
  const absl::Status error =
      (*client)->FakeQuantize(tensor_.values(), tensor_.range(), spec_).status();
  EXPECT_TRUE(absl::IsUnavailable(error));
  EXPECT_THAT(std::string(error.message()), HasSubstr(" tries in "));
}

}  // namespace
}  // namespace quantd::client
