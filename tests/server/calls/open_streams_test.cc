#include "server/calls/open_streams.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>

namespace quantd::server {
namespace {

// When it is asked to end, starts another stream, as gRPC may do on the same thread, and
// removes itself.
class Relay final : public OpenStreams::Stream {
 public:
  Relay(OpenStreams* streams, int* ended) : streams_(streams), ended_(ended) {}

  void EndIfQuietSince(std::chrono::steady_clock::time_point /*time*/) override {
    ++*ended_;
    streams_->Add(std::make_shared<Relay>(streams_, ended_));
    streams_->Remove(this);
  }

 private:
  OpenStreams* streams_;
  int* ended_;
};

TEST(OpenStreams, MayStartAndEndWhileOthersAreEnded) {
  OpenStreams streams;
  int ended = 0;
  streams.Add(std::make_shared<Relay>(&streams, &ended));
  streams.EndQuietSince(std::chrono::steady_clock::now());
  EXPECT_EQ(ended, 1);
  streams.EndQuietSince(std::chrono::steady_clock::now());
  EXPECT_EQ(ended, 2);
}

}  // namespace
}  // namespace quantd::server
