// How many calls, and how many bytes of them, the server holds at once.

#ifndef QUANTD_SERVER_CALLS_ADMISSION_H_
#define QUANTD_SERVER_CALLS_ADMISSION_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/mutex.h"
#include "server/calls/fair_queue.h"

namespace quantd::server {

// UNAVAILABLE, SHUTTING_DOWN: the answer to calls and messages that arrive while
// the server drains.
absl::Status ShuttingDown();

// Admits calls until the server drains, and reserves memory for their messages. A
// message for which there is no room waits; those that wait take turns by client. While
// any does, clients that do not take their answers are cut off after some time.
//
// Large messages leave a part of the memory to small ones, so that these never wait
// for them. Streams can hold at most half of the memory from one message to the next.
//
// Thread-safe. Must outlive its tickets and reservations.
class Admission {
 public:
  // What an admitted call holds. A call ends twice: it stops counting as a request
  // when its last answer is ready (Release), and stops delaying the drain when that
  // answer is sent (destruction). Not for use by two threads at once.
  class Ticket {
   public:
    // Holds nothing.
    Ticket() = default;
    Ticket(Ticket&& other) noexcept;
    Ticket& operator=(Ticket&& other) noexcept;
    ~Ticket();

    // Ends the request. A second call does nothing.
    void Release();

   private:
    friend class Admission;
    explicit Ticket(Admission* admission) : admission_(admission) {}

    void Close();

    Admission* admission_ = nullptr;
    bool released_ = false;
  };

  // The memory that a message takes, in bytes.
  struct Weight {
    // Of its own bytes, which the transport holds.
    std::uint64_t received = 0;
    // Of everything else: what is made of it, and its answer.
    std::uint64_t made = 0;

    std::uint64_t total() const { return received + made; }
  };

  // Memory that is reserved, given back on destruction. Not for use by two threads at
  // once.
  class Reservation {
   public:
    // Holds nothing.
    Reservation() = default;
    Reservation(Reservation&& other) noexcept;
    Reservation& operator=(Reservation&& other) noexcept;
    ~Reservation();

    const Weight& weight() const { return weight_; }

    // Whether it holds memory of a large message.
    bool is_large() const { return admission_ != nullptr && kind_ == Kind::kLarge; }

    // Tries to reserve more, so that this has `weight`. Returns false, and changes nothing,
    // if there is no room at present.
    bool Grow(const Weight& weight);

    // Gives back all but `weight`, of which each part is at most this one's.
    void Shrink(const Weight& weight);

    // Says that the answer in this memory is ready, and waits for its client to take it.
    // If it still does after max_stall while messages wait for memory, cut_off() is called
    // once, on another thread; it has to end the call. Has no effect for small messages.
    void WaitsForClient(std::function<void()> cut_off);

   private:
    friend class Admission;
    enum class Kind { kSmall, kLarge, kKept };

    Reservation(Admission* admission, Kind kind, const Weight& weight)
        : admission_(admission), kind_(kind), weight_(weight) {}

    Admission* admission_ = nullptr;
    Kind kind_ = Kind::kSmall;
    Weight weight_;
    // Its number in unwritten_, or 0.
    std::uint64_t unwritten_ = 0;
  };

  // Who waits: a call has one, which outlives its waits.
  class Waiter {
   public:
    Waiter() = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

   private:
    friend class Admission;
    // The wait that it began last; guarded by the mutex of the admission.
    std::uint64_t wait_ = 0;
    bool stopped_ = false;
  };

  // Receives the outcome of a wait, once.
  using Granted = std::function<void(absl::StatusOr<Reservation>)>;

  // What the server works on.
  struct Load {
    // Calls whose tickets have not been released.
    std::size_t requests = 0;
    // The bytes of all reservations.
    std::uint64_t bytes = 0;
    // The part of these that the transport does not hold.
    std::uint64_t made_bytes = 0;
    // Messages that wait.
    std::size_t waiting = 0;
  };

  // Runs a function on another thread, soon. It runs the outcomes of waits, so that
  // they may take long.
  using Executor = std::function<void(std::function<void()>)>;

  // `max_stall` is how long an answer may wait for its client while others wait.
  Admission(std::uint64_t max_in_flight_bytes, std::chrono::milliseconds max_stall,
            Executor executor);

  // Nothing may wait any longer.
  ~Admission();

  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // From now on, calls `observer` with load().made_bytes, on a thread of its own, each
  // time that it has changed by more than a hundredth of the limit. To be called once,
  // before the first call is admitted.
  void ObserveMadeBytes(std::function<void(std::uint64_t)> observer);

  // Admits a call.
  //
  // Errors: UNAVAILABLE, SHUTTING_DOWN after StartDraining().
  absl::StatusOr<Ticket> Admit();

  // The most that a message may weigh.
  std::uint64_t room() const;

  // Returns OK if an idle server has room for `weight`.
  //
  // Errors: RESOURCE_EXHAUSTED, MESSAGE_TOO_LARGE.
  absl::Status CheckFits(const Weight& weight) const;

  // Reserves memory for a message, or returns nothing if there is no room at present,
  // or others wait for it. `weight` fits.
  std::optional<Reservation> Reserve(const Weight& weight);

  // Waits for room for a message that fits, in turn with those of other clients;
  // `client` identifies the one that sent it. The executor runs granted(reservation) as
  // soon as there is room, or granted(error). `waiter` has no other wait.
  //
  // Errors: RESOURCE_EXHAUSTED, IN_FLIGHT_LIMIT at `deadline`; CANCELLED after
  // StopWaiting().
  void Wait(const Weight& weight, const std::string& client,
            std::chrono::steady_clock::time_point deadline, Waiter& waiter, Granted granted);

  // Ends the wait of `waiter`, if it has one, and all that it begins later.
  void StopWaiting(Waiter& waiter);

  // Reserves memory that a stream keeps from one message to the next, without waiting:
  // what streams keep is given back only when they end.
  //
  // Errors: RESOURCE_EXHAUSTED, IN_FLIGHT_LIMIT.
  absl::StatusOr<Reservation> Keep(std::uint64_t bytes);

  // Admits no calls from now on.
  void StartDraining();

  // Waits until every ticket is destroyed. Returns false if some still exist at
  // `deadline`.
  bool WaitUntilIdle(std::chrono::steady_clock::time_point deadline);

  // The tickets that have not been destroyed.
  std::size_t open_calls() const;

  Load load() const;

 private:
  using Kind = Reservation::Kind;
  using WaitId = std::uint64_t;

  // A message that waits.
  struct Waiting {
    Kind kind;
    Weight weight;
    std::string client;
    std::chrono::steady_clock::time_point deadline;
    Granted granted;
  };
  using Queue = FairQueue<WaitId>;

  Kind KindOf(const Weight& weight) const;
  bool HasRoom(Kind kind, const Weight& weight) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Reservation Take(Kind kind, const Weight& weight) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // When the answer that has waited longest for its client is to be cut off; max() if none
  // is.
  std::chrono::steady_clock::time_point NextCutOff() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NotifyOfNews() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasNewsForObserver() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Add(Kind kind, const Weight& weight) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Subtract(Kind kind, const Weight& weight) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Applies `change` to each count to which `weight` belongs.
  template <typename Change>
  void Count(Kind kind, const Weight& weight, Change change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveBack(Kind kind, const Weight& weight, std::uint64_t unwritten);
  std::uint64_t AddUnwritten(std::function<void()> cut_off);
  Queue& QueueOf(Kind kind) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Grants what those that wait can have now.
  void GrantWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Removes one that waits and gives it `outcome`.
  void EndWait(WaitId id, absl::StatusOr<Reservation> outcome)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Refuses what has waited until its deadline, cuts off clients that do not read, and
  // tells the observer, on a thread of its own.
  void Attend();
  // Refuses in time until there is something else to do, which must be done without the
  // lock. Returns that, or nothing once this object is about to be destroyed.
  std::function<void()> NextTask();
  void EndRequest();
  void CloseCall();

  const std::uint64_t max_bytes_;
  // What large messages and streams leave to small messages.
  const std::uint64_t small_room_;
  const std::uint64_t max_small_bytes_;
  const std::chrono::milliseconds max_stall_;
  const Executor executor_;

  mutable core::Mutex mutex_;
  core::ConditionVariable idle_;
  Load load_ ABSL_GUARDED_BY(mutex_);
  // The bytes of all reservations that are not small, and of those that streams keep.
  std::uint64_t large_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t kept_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::function<void(std::uint64_t)> observer_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t observed_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t open_calls_ ABSL_GUARDED_BY(mutex_) = 0;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;

  WaitId last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<WaitId, Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  std::set<std::pair<std::chrono::steady_clock::time_point, WaitId>> deadlines_
      ABSL_GUARDED_BY(mutex_);
  Queue small_queue_ ABSL_GUARDED_BY(mutex_);
  Queue large_queue_ ABSL_GUARDED_BY(mutex_);
  // The answers that wait for their clients, the oldest first.
  struct Unwritten {
    std::chrono::steady_clock::time_point since;
    std::function<void()> cut_off;
  };
  std::map<std::uint64_t, Unwritten> unwritten_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t last_unwritten_ ABSL_GUARDED_BY(mutex_) = 0;

  core::ConditionVariable attention_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread attending_thread_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_ADMISSION_H_
