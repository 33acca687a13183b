// Tests loads on a server in this process, over real connections.

#include "client/load/load_tester.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "absl/synchronization/notification.h"
#include "tests/client/load/small_requests.h"
#include "tests/client/temporary_folder.h"
#include "tests/client/test_server.h"
#include "tests/wait_until.h"

namespace quantd::client {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::Pair;
using ::testing::SizeIs;

using Clock = std::chrono::steady_clock;

Workload WorkloadOf(std::size_t operation, wire::Transfer transfer) {
  return {MethodOf(operation, transfer), {{.request = MakeRequest(SmallContent(operation))}}};
}

// Waits until the client has cancelled the call, or the call has timed out.
grpc::Status NeverAnswer(grpc::ServerContext* context) {
  TestService::AwaitCancellation(context);
  return {grpc::StatusCode::DEADLINE_EXCEEDED, "too late"};
}

// Counts calls from 1, and returns whether the current one is a multiple of `every`.
bool IsOneIn(std::atomic<int>& counter, int every) { return (counter += 1) % every == 0; }

class LoadTesterTest : public ::testing::Test {
 protected:
  explicit LoadTesterTest(wire::Transfer transfer) : transfer_(transfer) {}

  // Returns the result of a load on a server that serves service_.
  LoadResult RunLoad(const LoadPlan& plan, milliseconds timeout = minutes(1)) {
    const TestServer server(&service_);
    return Connect(server, 1, timeout)->Run(plan, {}, {});
  }

  std::unique_ptr<LoadTester> Connect(const TestServer& server, std::size_t connections,
                                      milliseconds timeout = minutes(1)) const {
    auto tester = LoadTester::Connect(
        {.address = server.address(), .timeout = timeout, .connections = connections},
        WorkloadOf(operation_, transfer_));
    EXPECT_TRUE(tester.ok()) << tester.status();
    return *std::move(tester);
  }

  const wire::Transfer transfer_;
  std::size_t operation_ = kFakeQuantize;
  TestService service_;
  // The number of answers that the service was about to send, if a test counts them.
  std::atomic<int> answers_ = 0;
};

class UnaryLoad : public LoadTesterTest {
 protected:
  UnaryLoad() : LoadTesterTest(wire::Transfer::kUnary) {}
};

class StreamLoad : public LoadTesterTest {
 protected:
  StreamLoad() : LoadTesterTest(wire::Transfer::kStream) {}

  // Answers a request of the stream. Returns false if there are no more.
  static bool Answer(TestService::FakeQuantizeStream* stream) {
    v1::FakeQuantizeRequest request;
    if (!stream->Read(&request)) {
      return false;
    }
    v1::FakeQuantizeResponse response;
    EXPECT_TRUE(TestService().FakeQuantize(nullptr, &request, &response).ok());
    stream->Write(response);
    return true;
  }

  std::atomic<int> streams_ = 0;
};

class UnaryAndStreamLoad : public LoadTesterTest,
                           public ::testing::WithParamInterface<wire::Transfer> {
 protected:
  UnaryAndStreamLoad() : LoadTesterTest(GetParam()) {}
};

INSTANTIATE_TEST_SUITE_P(, UnaryAndStreamLoad,
                         ::testing::Values(wire::Transfer::kUnary, wire::Transfer::kStream),
                         [](const auto& test) {
                           return test.param == wire::Transfer::kUnary ? "Unary" : "Stream";
                         });

TEST_P(UnaryAndStreamLoad, MakesTheCallsThatItCountsAndGetsCorrectAnswers) {
  service_.edit_answer = [&](grpc::ServerContext*, v1::FakeQuantizeResponse*) {
    ++answers_;
    return grpc::Status::OK;
  };
  service_.edit_gradient_answer = [&](grpc::ServerContext*, v1::FakeQuantizeGradientResponse*) {
    ++answers_;
    return grpc::Status::OK;
  };
  const TestServer server(&service_);
  for (const std::size_t operation : {kFakeQuantize, kFakeQuantizeGradient}) {
    operation_ = operation;
    for (const std::optional<double> rate : {std::optional<double>(), std::optional<double>(5e3)}) {
      for (const std::size_t connections : {1U, 3U}) {
        answers_ = 0;
        service_.streamed_requests = 0;
        const LoadResult result = Connect(server, connections)
                                      ->Run({.rate = rate,
                                             .concurrency = 5,
                                             .duration = {},
                                             .calls = 200,
                                             .verified_share = 1},
                                            {}, {});
        EXPECT_THAT(result.status_codes, ElementsAre(Pair("OK", 200)));
        EXPECT_EQ(result.verified, 200U);
        EXPECT_EQ(result.service_time.count(), 200U);
        EXPECT_EQ(answers_, 200);
        EXPECT_EQ(service_.streamed_requests, transfer_ == wire::Transfer::kStream ? 200 : 0);
      }
    }
  }
}

TEST_P(UnaryAndStreamLoad, SpreadsTheCallsOverItsConnections) {
  std::mutex mutex;
  std::map<std::string, int> answers_of_peer;
  service_.edit_answer = [&](grpc::ServerContext* context, v1::FakeQuantizeResponse*) {
    const std::lock_guard lock(mutex);
    ++answers_of_peer[context->peer()];
    return grpc::Status::OK;
  };
  const TestServer server(&service_);
  Connect(server, 4)->Run({.rate = {}, .concurrency = 8, .duration = {}, .calls = 200}, {}, {});
  EXPECT_THAT(answers_of_peer, SizeIs(4));
}

TEST_P(UnaryAndStreamLoad, ReachesAServerOverAUnixSocket) {
  const TemporaryFolder folder;
  const TestServer server(&service_, "unix:" + (folder / "socket").string());
  const LoadResult result = Connect(server, 2)->Run(
      {.rate = {}, .concurrency = 4, .duration = {}, .calls = 100, .verified_share = 1}, {}, {});
  EXPECT_THAT(result.status_codes, ElementsAre(Pair("OK", 100)));
}

TEST_P(UnaryAndStreamLoad, CanBeRepeated) {
  const TestServer server(&service_);
  const auto tester = Connect(server, 2);
  for (int load = 0; load < 3; ++load) {
    const LoadResult result =
        tester->Run({.rate = {}, .concurrency = 3, .duration = {}, .calls = 50}, {}, {});
    EXPECT_EQ(result.ok_calls(), 50U);
  }
}

TEST_P(UnaryAndStreamLoad, DetectsWrongAnswers) {
  service_.edit_answer = [&](grpc::ServerContext*, v1::FakeQuantizeResponse* answer) {
    if (IsOneIn(answers_, 4)) {
      SetElement(answer->mutable_output(), 2, 77);
    }
    return grpc::Status::OK;
  };
  const LoadResult result =
      RunLoad({.rate = {}, .concurrency = 3, .duration = {}, .calls = 100, .verified_share = 1});
  EXPECT_THAT(result.status_codes, ElementsAre(Pair("OK", 75), Pair(kWrongAnswer, 25)));
  EXPECT_THAT(result.messages,
              ElementsAre(Pair(kWrongAnswer, HasSubstr("output: element 2 is 77"))));
}

TEST_P(UnaryAndStreamLoad, ContinuesAfterErrors) {
  // Each error ends a stream.
  service_.edit_answer = [&](grpc::ServerContext*, v1::FakeQuantizeResponse*) {
    return IsOneIn(answers_, 10) ? grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too much")
                                 : grpc::Status::OK;
  };
  const LoadResult result =
      RunLoad({.rate = {}, .concurrency = 4, .duration = {}, .calls = 200, .verified_share = 1});
  EXPECT_EQ(result.calls, 200U);
  EXPECT_THAT(result.messages, ElementsAre(Pair("RESOURCE_EXHAUSTED", "too much")));
  // At least the call that failed, and at most all calls that were under way.
  const auto failures = static_cast<std::uint64_t>(answers_ / 10);
  EXPECT_THAT(result.errors, AllOf(Ge(failures), Le(4 * failures)));
  EXPECT_GT(result.ok_calls(), 100U);
}

TEST_P(UnaryAndStreamLoad, CancelsUnansweredCallsWhenStopped) {
  service_.edit_answer = [](grpc::ServerContext* context, v1::FakeQuantizeResponse*) {
    return NeverAnswer(context);
  };
  const TestServer server(&service_);
  std::stop_source stop;
  const Clock::time_point before = Clock::now();
  const LoadResult result =
      Connect(server, 2)->Run({.rate = {}, .concurrency = 4, .duration = hours(1), .calls = {}},
                              stop.get_token(), [&](const LoadProgress&) { stop.request_stop(); });
  EXPECT_THAT(result.status_codes, ElementsAre(Pair("CANCELLED", 4)));
  EXPECT_TRUE(result.is_interrupted);
  EXPECT_GE(Clock::now() - before, seconds(2));
}

TEST_P(UnaryAndStreamLoad, CountsErrorsWhenTheServerGoesAway) {
  absl::Notification answered;
  service_.edit_answer = [&](grpc::ServerContext*, v1::FakeQuantizeResponse*) {
    if (++answers_ == 50) {
      answered.Notify();
    }
    return grpc::Status::OK;
  };
  TestServer server(&service_);
  const auto tester = Connect(server, 2);
  std::stop_source stop;
  std::future<LoadResult> load = std::async(std::launch::async, [&] {
    return tester->Run({.rate = 1000, .concurrency = 4, .duration = hours(1), .calls = {}},
                       stop.get_token(), [&](const LoadProgress& progress) {
                         if (progress.errors > 0) {
                           stop.request_stop();
                         }
                       });
  });
  answered.WaitForNotification();
  server.Stop();
  const LoadResult result = load.get();
  // All calls except those that were under way.
  EXPECT_GE(result.ok_calls(), 46U);
  EXPECT_THAT(result.status_codes, Contains(Pair("UNAVAILABLE", Ge(1U))));
}

TEST(LoadTester, NamesTheAddressIfNoServerListens) {
  const TemporaryFolder folder;
  const std::string address = "unix:" + (folder / "nobody").string();
  const auto tester =
      LoadTester::Connect({.address = address, .timeout = milliseconds(100), .connections = 3},
                          WorkloadOf(kFakeQuantize, wire::Transfer::kUnary));
  EXPECT_TRUE(absl::IsUnavailable(tester.status())) << tester.status();
  EXPECT_THAT(std::string(tester.status().message()),
              AllOf(HasSubstr("0 of 3 connections to " + address), HasSubstr("within 100 ms")));
}

TEST_F(UnaryLoad, CountsCallsThatTimeOut) {
  service_.edit_answer = [&](grpc::ServerContext* context, v1::FakeQuantizeResponse*) {
    return IsOneIn(answers_, 3) ? NeverAnswer(context) : grpc::Status::OK;
  };
  const LoadResult result = RunLoad({.rate = {}, .duration = {}, .calls = 3}, seconds(1));
  EXPECT_THAT(result.status_codes, ElementsAre(Pair("DEADLINE_EXCEEDED", 1), Pair("OK", 2)));
  EXPECT_EQ(result.latency.count(), 3U);
  EXPECT_EQ(result.service_time.count(), 2U);
  // The server may have noticed the deadline first.
  EXPECT_GE(result.latency.max(), milliseconds(900));
}

TEST_F(StreamLoad, HasOneStreamPerConnection) {
  service_.stream_instead = [&](grpc::ServerContext*, TestService::FakeQuantizeStream* stream) {
    ++streams_;
    while (Answer(stream)) {
    }
    return grpc::Status::OK;
  };
  const TestServer server(&service_);
  const LoadResult result = Connect(server, 3)->Run(
      {.rate = {}, .concurrency = 6, .duration = {}, .calls = 300, .verified_share = 1}, {}, {});
  EXPECT_EQ(result.ok_calls(), 300U);
  EXPECT_EQ(streams_, 3);
}

TEST_F(StreamLoad, ContinuesOnANewStreamAfterOneBreaks) {
  service_.stream_instead = [&](grpc::ServerContext*, TestService::FakeQuantizeStream* stream) {
    ++streams_;
    for (int answer = 0; answer < 5; ++answer) {
      if (!Answer(stream)) {
        return grpc::Status::OK;
      }
    }
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server drains");
  };
  const LoadResult result =
      RunLoad({.rate = {}, .concurrency = 1, .duration = {}, .calls = 60, .verified_share = 1});
  EXPECT_EQ(result.calls, 60U);
  EXPECT_GT(streams_, 2);
  EXPECT_GT(result.ok_calls(), 10U);
  EXPECT_THAT(result.status_codes,
              ElementsAre(Pair("OK", result.ok_calls()), Pair("UNAVAILABLE", result.errors)));
  EXPECT_THAT(result.messages, ElementsAre(Pair("UNAVAILABLE", "the server drains")));
}

TEST_F(StreamLoad, CountsUnansweredCallsOfASuccessfulStreamAsAborted) {
  service_.stream_instead = [&](grpc::ServerContext*, TestService::FakeQuantizeStream* stream) {
    v1::FakeQuantizeRequest request;
    stream->Read(&request);
    return grpc::Status::OK;
  };
  const LoadResult result = RunLoad({.rate = {}, .concurrency = 2, .duration = {}, .calls = 20});
  EXPECT_THAT(result.status_codes, ElementsAre(Pair("ABORTED", 20)));
  EXPECT_THAT(result.messages, ElementsAre(Pair("ABORTED", HasSubstr("ended the stream"))));
}

TEST_F(StreamLoad, CancelsAStreamThatSendsUnrequestedAnswers) {
  service_.stream_instead = [&](grpc::ServerContext* context,
                                TestService::FakeQuantizeStream* stream) {
    ++streams_;
    v1::FakeQuantizeRequest request;
    stream->Read(&request);
    stream->Write(v1::FakeQuantizeResponse());
    stream->Write(v1::FakeQuantizeResponse());
    return NeverAnswer(context);
  };
  // The second call is due after the first has received two answers.
  const LoadResult result = RunLoad({.rate = 1, .concurrency = 1, .duration = {}, .calls = 2});
  EXPECT_EQ(result.ok_calls(), 2U);
  EXPECT_EQ(streams_, 2);
}

TEST_F(StreamLoad, CancelsUnansweredCallsAfterTheTimeout) {
  service_.stream_instead = [&](grpc::ServerContext* context,
                                TestService::FakeQuantizeStream* stream) {
    Answer(stream);
    return NeverAnswer(context);
  };
  const LoadResult result =
      RunLoad({.rate = {}, .concurrency = 3, .duration = hours(1), .calls = {}}, seconds(1));
  EXPECT_THAT(result.status_codes, ElementsAre(Pair("CANCELLED", 3), Pair("OK", 1)));
}

TEST_F(StreamLoad, CancelsAStreamThatTheServerDoesNotEnd) {
  service_.stream_instead = [&](grpc::ServerContext* context,
                                TestService::FakeQuantizeStream* stream) {
    while (Answer(stream)) {
    }
    return NeverAnswer(context);
  };
  const LoadResult result =
      RunLoad({.rate = {}, .concurrency = 3, .duration = {}, .calls = 30}, seconds(1));
  EXPECT_THAT(result.status_codes, ElementsAre(Pair("OK", 30)));
}

}  // namespace
}  // namespace quantd::client
