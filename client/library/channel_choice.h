// Which of several channels a call should use.

#ifndef QUANTD_CLIENT_LIBRARY_CHANNEL_CHOICE_H_
#define QUANTD_CLIENT_LIBRARY_CHANNEL_CHOICE_H_

#include <grpcpp/channel.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace quantd::client {

// Chooses among channels to servers that can take over from each other. A channel on which a call
// has just failed is avoided for a while, and so is one that cannot connect: a server that stops
// refuses all calls until its connections are closed. Thread-safe.
class ChannelChoice {
 public:
  static constexpr std::chrono::milliseconds kAvoidance{500};

  // At least one channel.
  explicit ChannelChoice(std::vector<std::shared_ptr<grpc::Channel>> channels)
      : channels_(std::move(channels)), avoided_until_(channels_.size()) {}

  std::size_t size() const { return channels_.size(); }

  // Returns the index of the channel to use: the first that is not to be avoided, counted from
  // `first` modulo their number. If all are, that with the oldest failure among those that can
  // connect; if none can, `first` itself.
  std::size_t From(std::size_t first) const;

  // Notes that a call on the channel has failed in a way that another one might not,
  void NoteFailure(std::size_t index);
  // or that it was answered.
  void NoteAnswer(std::size_t index);

 private:
  using Clock = std::chrono::steady_clock;

  const std::vector<std::shared_ptr<grpc::Channel>> channels_;
  std::vector<std::atomic<Clock::time_point>> avoided_until_;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_CHANNEL_CHOICE_H_
