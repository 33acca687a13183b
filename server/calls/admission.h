// How many calls, and how many bytes of them, the server works on at once.

#ifndef QUANTD_SERVER_CALLS_ADMISSION_H_
#define QUANTD_SERVER_CALLS_ADMISSION_H_

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/mutex.h"

namespace quantd::server {

// UNAVAILABLE, SHUTTING_DOWN: the answer to calls and messages that arrive while
// the server drains.
absl::Status ShuttingDown();

// Admits calls while there is room for their bytes, and none once the server
// drains. Thread-safe. Must outlive its tickets.
class Admission {
 public:
  // What an admitted call holds: bytes, while its messages are worked on. A call
  // ends twice: it stops counting as a request when its last answer is ready
  // (Release), and stops delaying the drain when that answer is sent
  // (destruction). Not for use by two threads at once.
  class Ticket {
   public:
    // Holds nothing.
    Ticket() = default;
    Ticket(Ticket&& other) noexcept;
    Ticket& operator=(Ticket&& other) noexcept;
    ~Ticket();

    // Takes `bytes` more, for a message, without waiting. A drain does not stop
    // a call that was admitted.
    //
    // Errors: RESOURCE_EXHAUSTED, IN_FLIGHT_LIMIT if the bytes of all calls would
    // exceed the limit, and MESSAGE_TOO_LARGE if those of this one alone would.
    absl::Status Take(std::uint64_t bytes);

    // Gives back `bytes` of those that it holds.
    void GiveBack(std::uint64_t bytes);

    // Gives back all bytes and ends the request. A second call does nothing.
    void Release();

   private:
    friend class Admission;
    Ticket(Admission* admission, std::uint64_t bytes) : admission_(admission), bytes_(bytes) {}

    void Close();

    Admission* admission_ = nullptr;
    std::uint64_t bytes_ = 0;
    bool released_ = false;
  };

  // What is being worked on.
  struct Load {
    std::size_t requests = 0;
    std::uint64_t bytes = 0;
  };

  explicit Admission(std::uint64_t max_in_flight_bytes)
      : max_in_flight_bytes_(max_in_flight_bytes) {}

  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // Admits a call that takes `bytes` from the start, without waiting.
  //
  // Errors: UNAVAILABLE, SHUTTING_DOWN after StartDraining(); those of
  // Ticket::Take().
  absl::StatusOr<Ticket> Admit(std::uint64_t bytes);

  // Admits no calls from now on.
  void StartDraining();

  // Waits until every ticket is destroyed. Returns false if some still exist at
  // `deadline`.
  bool WaitUntilIdle(std::chrono::steady_clock::time_point deadline);

  // The calls whose tickets have not been released, and their bytes.
  Load load() const;

 private:
  absl::Status TakeBytes(std::uint64_t bytes);
  absl::Status TakeBytesLocked(std::uint64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveBackBytes(std::uint64_t bytes);
  void EndRequest();
  void CloseCall();

  const std::uint64_t max_in_flight_bytes_;
  mutable core::Mutex mutex_;
  core::ConditionVariable idle_;
  Load load_ ABSL_GUARDED_BY(mutex_);
  std::size_t open_calls_ ABSL_GUARDED_BY(mutex_) = 0;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_ADMISSION_H_
