// Calls that are made again when they fail.

#ifndef QUANTD_CLIENT_LIBRARY_TRIES_H_
#define QUANTD_CLIENT_LIBRARY_TRIES_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/library/backoff.h"

namespace quantd::client {

// All calls are pure, so that it does no harm to make one again.
struct RetryOptions {
  // How long a call is made again and again while no server answers; 0: calls are made once.
  std::chrono::milliseconds max_outage{5'000};
  // How long to wait when all servers have failed: about so long at first, then twice as long each
  // time, up to the second.
  std::chrono::milliseconds initial_backoff{50};
  std::chrono::milliseconds max_backoff{1'000};
};

// How a try ended.
struct TryEnd {
  absl::Status status;
  // When the server wants to be asked again, if it says so; negative: not at all.
  std::optional<std::chrono::milliseconds> pushback = std::nullopt;
};

// Returns how the call of `context` has ended, with `status`. The pushback is that of the trailer
// "grpc-retry-pushback-ms" (https://github.com/grpc/proposal/blob/master/A6-client-retries.md), or
// that of google.rpc.RetryInfo.
TryEnd EndOf(const grpc::Status& status, const grpc::ClientContext& context);

// Whether another try may have another end: the server cannot be reached, is about to stop or has
// no room, or gRPC itself has failed.
bool MayEndOtherwise(const absl::Status& status);

// Keeps the tries of all calls of a client from being a storm for a server that is in trouble:
// there are at most kMaxTries more tries than calls at once, and later one for each five answers.
// Thread-safe.
class RetryBudget {
 public:
  static constexpr std::int64_t kMaxTries = 100;

  // Takes one try. Returns false if there is none.
  bool Take();
  // An answer has arrived.
  void Earn();

 private:
  static constexpr std::int64_t kAnswersPerTry = 5;

  // In fifths of a try.
  std::atomic<std::int64_t> fifths_ = kMaxTries * kAnswersPerTry;
};

// The tries of one call. Not for use by several threads.
class Tries {
 public:
  using Clock = std::chrono::steady_clock;

  // `servers` is the number of servers to choose from. `budget` outlives this.
  Tries(const RetryOptions& options, std::size_t servers, RetryBudget* budget)
      : options_(options), servers_(servers), budget_(budget) {}

  // Notes that a try at `address` has failed. Returns how long to wait for the next one, or nothing
  // if this was the last: the error will stay, the servers have been out for too long, `deadline`
  // would pass, or the budget is used up. The first tries go to each server once without a wait.
  std::optional<Clock::duration> Fail(const std::string& address, const TryEnd& end,
                                      Clock::time_point deadline);

  // Notes that a part of the call was answered: the outage, if there was one, is over.
  void Progress();

  // Returns `last`, the error of the last try as the caller is to see it, with how many tries there
  // were, and how those with other servers ended.
  absl::Status Summarize(const absl::Status& last) const;

 private:
  struct Failure {
    std::string address;
    absl::Status status;
  };

  // How long to wait after a try that has ended in this way.
  Clock::duration WaitAfter(const TryEnd& end);

  const RetryOptions options_;
  const std::size_t servers_;
  RetryBudget* const budget_;
  const Clock::time_point start_ = Clock::now();
  // Since the start of the outage.
  std::size_t failures_in_outage_ = 0;
  std::optional<Clock::time_point> outage_start_;
  std::size_t failures_ = 0;
  // Made when it is needed first: most calls are answered.
  std::optional<Backoff> backoff_;
  // The last one of each address; that of the last try comes last.
  std::vector<Failure> last_failures_;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_TRIES_H_
