#include "client/load/calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "client/library/channel.h"
#include "client/load/workload.h"
#include "core/base/mutex.h"
#include "tests/client/load/small_requests.h"
#include "tests/client/test_server.h"

namespace quantd::client {
namespace {

using ::testing::Each;
using ::testing::SizeIs;

// Records how calls ended.
class Ends final : public Calls::Listener {
 public:
  void CallEnded(std::size_t /*place*/, const Calls::End& end) override {
    const core::MutexLock lock(&mutex_);
    codes_.push_back(end.status.error_code());
    changed_.NotifyAll();
  }

  // Returns the status codes of the first `count` calls that ended.
  std::vector<grpc::StatusCode> Await(std::size_t count) {
    const core::MutexLock lock(&mutex_);
    while (codes_.size() < count) {
      changed_.Wait(&mutex_);
    }
    return codes_;
  }

 private:
  core::Mutex mutex_;
  core::ConditionVariable changed_;
  std::vector<grpc::StatusCode> codes_ ABSL_GUARDED_BY(mutex_);
};

class CallsTest : public ::testing::TestWithParam<wire::Transfer> {
 protected:
  using Channels = std::vector<std::shared_ptr<grpc::Channel>>;

  Channels Connect(std::size_t count) const {
    Channels channels(count);
    for (std::shared_ptr<grpc::Channel>& channel : channels) {
      channel =
          CreateChannel({.text = server_.address(), .is_local = true}, {}, ChannelKind::kShared);
    }
    return channels;
  }

  // One place per channel.
  std::unique_ptr<Calls> Make(const Channels& channels) {
    const CallsOptions options{.channels = channels,
                               .places = channels.size(),
                               .method = std::string(MethodOf(kFakeQuantize, GetParam()).path),
                               .timeout = std::chrono::minutes(1)};
    return GetParam() == wire::Transfer::kStream ? MakeStreamCalls(options, ends_)
                                                 : MakeUnaryCalls(options, ends_);
  }

  const Request request_ = MakeRequest(SmallContent(kFakeQuantize));
  Ends ends_;
  TestService service_;
  TestServer server_{&service_};
};

INSTANTIATE_TEST_SUITE_P(, CallsTest,
                         ::testing::Values(wire::Transfer::kUnary, wire::Transfer::kStream),
                         [](const auto& test) {
                           return test.param == wire::Transfer::kUnary ? "Unary" : "Stream";
                         });

TEST_P(CallsTest, EndWithAnErrorIfStartedAfterCancel) {
  const Channels channels = Connect(3);
  const auto calls = Make(channels);
  calls->Cancel();
  for (std::size_t place = 0; place < channels.size(); ++place) {
    calls->Start(place, request_, 0);
  }
  EXPECT_THAT(ends_.Await(3), Each(grpc::StatusCode::CANCELLED));
}

// The last reference to a channel must not be released on a gRPC thread, which would
// wait for itself.
TEST_P(CallsTest, ReleaseTheirChannelsBeforeTheyAreDestroyed) {
  constexpr std::size_t kChannels = 8;
  constexpr std::size_t kRounds = 100;
  for (std::size_t round = 1; round <= kRounds; ++round) {
    const Channels channels = Connect(kChannels);
    auto calls = Make(channels);
    for (std::size_t place = 0; place < kChannels; ++place) {
      calls->Start(place, request_, 0);
    }
    EXPECT_THAT(ends_.Await(round * kChannels), SizeIs(round * kChannels));
    calls.reset();
    for (const std::shared_ptr<grpc::Channel>& channel : channels) {
      ASSERT_EQ(channel.use_count(), 1);
    }
  }
}

}  // namespace
}  // namespace quantd::client
