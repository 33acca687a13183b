// How many calls, and how many bytes of them, the server works on at once.

#ifndef QUANTD_SERVER_CALLS_ADMISSION_H_
#define QUANTD_SERVER_CALLS_ADMISSION_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantd::server {

// UNAVAILABLE, SHUTTING_DOWN: what a server that drains answers to what it does
// not take on any more.
absl::Status ShuttingDown();

// Lets calls in while there is room for their bytes, and none any more once the
// server drains. All methods may be called from any thread. Must outlive its
// tickets.
class Admission {
 public:
  // What a call that was let in holds: bytes, while it works on its messages. A
  // call has two ends: when its last answer is ready, it counts as a request no
  // more (Release); when that is sent, it no longer holds up the drain
  // (destruction). Not to be used by two threads at once.
  class Ticket {
   public:
    // Holds nothing.
    Ticket() = default;
    Ticket(Ticket&& other) noexcept;
    Ticket& operator=(Ticket&& other) noexcept;
    ~Ticket();

    // Takes `bytes` more, for a message. A call that was let in is not stopped
    // by a drain. Never waits.
    //
    // Errors: RESOURCE_EXHAUSTED, IN_FLIGHT_LIMIT where the bytes of all calls
    // would exceed the limit.
    absl::Status Take(std::uint64_t bytes);

    // Gives back `bytes` of those that were taken.
    void GiveBack(std::uint64_t bytes);

    // Gives back all bytes, and ends the request. Does nothing the second time.
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

  // Lets in a call that takes `bytes` at once. Never waits.
  //
  // Errors: UNAVAILABLE, SHUTTING_DOWN after StartDraining(); those of
  // Ticket::Take().
  absl::StatusOr<Ticket> Admit(std::uint64_t bytes);

  // From now on, lets in no call.
  void StartDraining();

  // Waits until every ticket is destroyed; returns false at `deadline`.
  bool WaitUntilIdle(std::chrono::steady_clock::time_point deadline);

  // The calls whose tickets were not yet released, and their bytes.
  Load load() const;

 private:
  absl::Status TakeBytes(std::uint64_t bytes);
  absl::Status TakeBytesLocked(std::uint64_t bytes);
  void GiveBackBytes(std::uint64_t bytes);
  void EndRequest();
  void CloseCall();

  const std::uint64_t max_in_flight_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable idle_;
  Load load_;
  std::size_t open_calls_ = 0;
  bool draining_ = false;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_ADMISSION_H_
