#include "server/calls/admission.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/mutex.h"
#include "tests/wait_until.h"

namespace quantd::server {
namespace {

using std::chrono::steady_clock;

// Of these, 1 MiB is for small messages, which have up to 64 KiB.
constexpr std::uint64_t kLimit = std::uint64_t{16} << 20;
constexpr std::uint64_t kSmallRoom = std::uint64_t{1} << 20;
constexpr std::uint64_t kLargest = kLimit - kSmallRoom;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kSmall = std::uint64_t{64} << 10;

constexpr std::chrono::milliseconds kMaxStall{20};

steady_clock::time_point InAMinute() { return steady_clock::now() + std::chrono::minutes(1); }

std::string ReasonOf(const absl::Status& status) {
  return core::GetErrorDetail(status).value_or(core::ErrorDetail{}).reason;
}

Admission::Weight Received(std::uint64_t bytes) { return {.received = bytes}; }

// Messages that wait, and in which order they were granted.
class Waits {
 public:
  explicit Waits(Admission& admission) : admission_(admission) {}

  // Begins a wait of `client`, which is called `name`.
  void Begin(const std::string& name, std::uint64_t bytes, const std::string& client = "client",
             steady_clock::time_point deadline = InAMinute()) {
    admission_.Wait(Received(bytes), client, deadline, waiters_.emplace_back(),
                    [this, name](absl::StatusOr<Admission::Reservation> outcome) {
                      if (outcome.ok()) {
                        order_ += name;
                        held_.push_back(*std::move(outcome));
                      } else {
                        refusals_.push_back(outcome.status());
                      }
                    });
  }

  // The names of those that were granted, in their order.
  const std::string& order() const { return order_; }
  std::vector<absl::Status>& refusals() { return refusals_; }
  std::deque<Admission::Reservation>& held() { return held_; }
  Admission::Waiter& waiter(std::size_t index) { return waiters_[index]; }

 private:
  Admission& admission_;
  std::deque<Admission::Waiter> waiters_;
  std::string order_;
  std::deque<Admission::Reservation> held_;
  std::vector<absl::Status> refusals_;
};

// Runs what admission executes where the test asks for it.
class Tasks {
 public:
  Admission::Executor executor() {
    return [this](std::function<void()> task) {
      const core::MutexLock lock(&mutex_);
      tasks_.push_back(std::move(task));
    };
  }

  std::size_t size() {
    const core::MutexLock lock(&mutex_);
    return tasks_.size();
  }

  void Run() {
    while (true) {
      std::function<void()> task;
      {
        const core::MutexLock lock(&mutex_);
        if (tasks_.empty()) {
          return;
        }
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
    }
  }

 private:
  core::Mutex mutex_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
};

class AdmissionTest : public testing::Test {
 protected:
  // Reserves what fits.
  Admission::Reservation Reserve(std::uint64_t bytes) {
    std::optional<Admission::Reservation> reservation = admission_.Reserve(Received(bytes));
    EXPECT_TRUE(reservation.has_value()) << bytes;
    return reservation.has_value() ? *std::move(reservation) : Admission::Reservation();
  }

  bool HasRoomFor(std::uint64_t bytes) { return admission_.Reserve(Received(bytes)).has_value(); }

  Tasks tasks_;
  Admission admission_{kLimit, kMaxStall, tasks_.executor()};
  Waits waits_{admission_};
};

TEST_F(AdmissionTest, ReservesUpToTheLimit) {
  const Admission::Reservation large = Reserve(kLargest - kMiB);
  const Admission::Reservation other = Reserve(kMiB);
  EXPECT_EQ(admission_.load().bytes, kLargest);
  EXPECT_FALSE(HasRoomFor(kMiB));
  EXPECT_TRUE(HasRoomFor(0)) << "an empty message needs no room";
}

TEST_F(AdmissionTest, LeavesRoomForSmallMessages) {
  const Admission::Reservation large = Reserve(kLargest);
  EXPECT_FALSE(HasRoomFor(kSmall + 1));
  std::vector<Admission::Reservation> small;
  for (std::uint64_t i = 0; i < kSmallRoom / kSmall; ++i) {
    small.push_back(Reserve(kSmall));
  }
  EXPECT_FALSE(HasRoomFor(kSmall)) << "the limit holds for all messages together";
}

TEST_F(AdmissionTest, TellsAMessageThatNeverFitsFromOneThatMustWait) {
  const Admission::Reservation others = Reserve(kMiB);
  EXPECT_TRUE(admission_.CheckFits(Received(kLargest)).ok());
  EXPECT_FALSE(HasRoomFor(kLargest));
  const absl::Status never = admission_.CheckFits({.received = kLargest, .made = 1});
  EXPECT_EQ(never.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(never), "MESSAGE_TOO_LARGE");
  EXPECT_EQ(core::GetErrorDetail(never)->metadata.at("bytes"), std::to_string(kLargest + 1));
}

TEST_F(AdmissionTest, GivesBackWhatAReservationHeldOnce) {
  {
    Admission::Reservation reservation = Reserve(2 * kMiB);
    Admission::Reservation moved = std::move(reservation);
    reservation = Reserve(3 * kMiB);
    EXPECT_EQ(admission_.load().bytes, 5 * kMiB);
    moved = std::move(reservation);
    EXPECT_EQ(admission_.load().bytes, 3 * kMiB);
  }
  EXPECT_EQ(admission_.load().bytes, 0U);
  EXPECT_TRUE(HasRoomFor(kLargest));
}

TEST_F(AdmissionTest, GrantsAWaitAsSoonAsThereIsRoom) {
  std::optional<Admission::Reservation> large = Reserve(kLargest);
  waits_.Begin("a", kMiB);
  EXPECT_EQ(admission_.load().waiting, 1U);
  EXPECT_EQ(tasks_.size(), 0U);
  large.reset();
  EXPECT_EQ(tasks_.size(), 1U) << "the outcome runs on another thread";
  tasks_.Run();
  EXPECT_EQ(waits_.order(), "a");
  EXPECT_EQ(admission_.load().waiting, 0U);
  EXPECT_EQ(admission_.load().bytes, kMiB);
}

TEST_F(AdmissionTest, LetsClientsTakeTurns) {
  std::optional<Admission::Reservation> large = Reserve(kLargest);
  for (const char* const name : {"a", "b", "c"}) {
    waits_.Begin(name, kMiB, "greedy");
  }
  waits_.Begin("x", kMiB, "modest");
  large.reset();
  tasks_.Run();
  EXPECT_EQ(waits_.order(), "axbc");
}

TEST_F(AdmissionTest, LetsNobodyPassALargeMessageThatWaits) {
  std::optional<Admission::Reservation> large = Reserve(kLargest);
  const std::optional<Admission::Reservation> small = Reserve(kSmall);
  waits_.Begin("a", kLargest);
  waits_.Begin("b", kMiB);
  large.reset();
  tasks_.Run();
  EXPECT_EQ(waits_.order(), "a");
  EXPECT_FALSE(HasRoomFor(kMiB));
  waits_.held().clear();
  EXPECT_FALSE(HasRoomFor(kLargest)) << "the one that waited goes first";
  tasks_.Run();
  EXPECT_EQ(waits_.order(), "ab");
}

TEST_F(AdmissionTest, LetsSmallMessagesPassLargeOnesThatWait) {
  const Admission::Reservation large = Reserve(kLargest);
  waits_.Begin("a", kMiB);
  EXPECT_TRUE(HasRoomFor(kSmall));
  admission_.StopWaiting(waits_.waiter(0));
  tasks_.Run();
}

TEST_F(AdmissionTest, RefusesAWaitAtItsDeadlineWithTheNumbers) {
  const Admission::Reservation large = Reserve(kLargest);
  waits_.Begin("a", kMiB, "client", steady_clock::now() + std::chrono::milliseconds(5));
  ASSERT_TRUE(WaitUntil([&] { return tasks_.size() == 1; }));
  tasks_.Run();
  ASSERT_EQ(waits_.refusals().size(), 1U);
  const absl::Status refusal = waits_.refusals().front();
  EXPECT_EQ(refusal.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refusal), "IN_FLIGHT_LIMIT");
  const auto detail = core::GetErrorDetail(refusal);
  EXPECT_EQ(detail->metadata.at("message_bytes"), std::to_string(kMiB));
  EXPECT_EQ(detail->metadata.at("in_flight_bytes"), std::to_string(kLargest));
  EXPECT_EQ(detail->metadata.at("max_in_flight_bytes"), std::to_string(kLimit));
}

TEST_F(AdmissionTest, GrantsTheNextWaitWhenTheFirstIsRefused) {
  const Admission::Reservation large = Reserve(kLargest - kMiB);
  waits_.Begin("a", 2 * kMiB, "client", steady_clock::now() + std::chrono::milliseconds(5));
  waits_.Begin("b", kMiB);
  ASSERT_TRUE(WaitUntil([&] { return tasks_.size() == 2; }));
  tasks_.Run();
  EXPECT_EQ(waits_.order(), "b");
}

TEST_F(AdmissionTest, EndsTheWaitOfACallThatEnds) {
  const Admission::Reservation large = Reserve(kLargest);
  waits_.Begin("a", kMiB);
  admission_.StopWaiting(waits_.waiter(0));
  admission_.StopWaiting(waits_.waiter(0));
  tasks_.Run();
  ASSERT_EQ(waits_.refusals().size(), 1U);
  EXPECT_EQ(waits_.refusals().front().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(admission_.load().waiting, 0U);
}

TEST_F(AdmissionTest, DoesNotLetACallWaitThatHasEnded) {
  const Admission::Reservation large = Reserve(kLargest);
  Admission::Waiter waiter;
  admission_.StopWaiting(waiter);
  absl::Status outcome;
  admission_.Wait(
      Received(kMiB), "client", InAMinute(), waiter,
      [&](const absl::StatusOr<Admission::Reservation>& granted) { outcome = granted.status(); });
  tasks_.Run();
  EXPECT_EQ(outcome.code(), absl::StatusCode::kCancelled);
}

TEST_F(AdmissionTest, CutsOffAClientThatDoesNotReadWhileOthersWait) {
  std::optional<Admission::Reservation> unread = Reserve(kLargest);
  std::atomic<int> cut_off = 0;
  unread->WaitsForClient([&] { ++cut_off; });
  waits_.Begin("a", kMiB);
  EXPECT_TRUE(WaitUntil([&] { return cut_off == 1; }));
  unread.reset();
  tasks_.Run();
  EXPECT_EQ(waits_.order(), "a");
}

TEST_F(AdmissionTest, CutsOffTheClientFirstThatHasNotReadForLongest) {
  Admission::Reservation first = Reserve(kLargest / 2);
  Admission::Reservation second = Reserve(kLargest / 2);
  core::Mutex mutex;
  std::string order;
  const auto note = [&](char name) {
    return [&, name] {
      const core::MutexLock lock(&mutex);
      order += name;
    };
  };
  first.WaitsForClient(note('1'));
  second.WaitsForClient(note('2'));
  waits_.Begin("a", kMiB);
  EXPECT_TRUE(WaitUntil([&] {
    const core::MutexLock lock(&mutex);
    return order == "12";
  }));
  admission_.StopWaiting(waits_.waiter(0));
  tasks_.Run();
}

TEST_F(AdmissionTest, LeavesAClientThatDoesNotReadAloneWhileNobodyWaits) {
  Admission::Reservation unread = Reserve(kMiB);
  std::atomic<bool> cut_off = false;
  unread.WaitsForClient([&] { cut_off = true; });
  EXPECT_FALSE(WaitUntil([&] { return cut_off.load(); }, std::chrono::seconds(1)));
}

TEST_F(AdmissionTest, LetsStreamsKeepHalfOfTheMemory) {
  const auto first = admission_.Keep(kLimit / 2);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(admission_.load().bytes, kLimit / 2);
  const absl::Status refusal = admission_.Keep(1).status();
  EXPECT_EQ(ReasonOf(refusal), "IN_FLIGHT_LIMIT");
  EXPECT_TRUE(HasRoomFor(kLimit / 2 - kSmallRoom));
}

TEST_F(AdmissionTest, TellsItsObserverWhatIsMade) {
  std::atomic<std::uint64_t> observed = 0;
  admission_.ObserveMadeBytes([&](std::uint64_t bytes) { observed = bytes; });
  {
    const auto reservation = admission_.Reserve({.received = kMiB, .made = 2 * kMiB});
    EXPECT_EQ(admission_.load().made_bytes, 2 * kMiB);
    EXPECT_TRUE(WaitUntil([&] { return observed == 2 * kMiB; }));
  }
  EXPECT_TRUE(WaitUntil([&] { return observed == 0; }));
}

TEST_F(AdmissionTest, IsIdleOnlyWhenTheTicketIsDestroyed) {
  Admission::Ticket ticket = *admission_.Admit();
  EXPECT_EQ(admission_.load().requests, 1U);
  ticket.Release();
  ticket.Release();
  EXPECT_EQ(admission_.load().requests, 0U);
  EXPECT_FALSE(admission_.WaitUntilIdle(steady_clock::now()));
  Admission::Ticket moved = std::move(ticket);
  EXPECT_FALSE(admission_.WaitUntilIdle(steady_clock::now()));
  moved = {};
  EXPECT_TRUE(admission_.WaitUntilIdle(steady_clock::now()));
}

TEST_F(AdmissionTest, RejectsNewCallsWhileDraining) {
  const auto running = admission_.Admit();
  admission_.StartDraining();
  const absl::Status refusal = admission_.Admit().status();
  EXPECT_EQ(refusal.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(refusal), "SHUTTING_DOWN");
  EXPECT_FALSE(admission_.WaitUntilIdle(steady_clock::now()));
}

TEST_F(AdmissionTest, WakesTheWaitingThreadWhenTheLastCallEnds) {
  std::optional<Admission::Ticket> ticket = *admission_.Admit();
  bool idle = false;
  std::thread waiter([&] { idle = admission_.WaitUntilIdle(InAMinute()); });
  ticket.reset();
  waiter.join();
  EXPECT_TRUE(idle);
}

TEST(Admission, NeverExceedsTheLimitAndGrantsEveryWaitWithManyThreads) {
  constexpr int kThreads = 8;
  constexpr int kMessages = 500;
  Admission admission(kLimit, kMaxStall,
                      [](const std::function<void()>& task) { std::thread(task).detach(); });
  std::atomic<std::uint64_t> highest = 0;
  std::atomic<int> done = 0;
  const auto hold = [&](const Admission::Reservation& /*reservation*/) {
    const std::uint64_t bytes = admission.load().bytes;
    for (std::uint64_t seen = highest; seen < bytes;) {
      highest.compare_exchange_weak(seen, bytes);
    }
  };
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kMessages; ++i) {
        const Admission::Weight weight =
            Received(static_cast<std::uint64_t>(thread + i) % 40 * (kMiB / 4));
        if (const auto reservation = admission.Reserve(weight)) {
          hold(*reservation);
          ++done;
          continue;
        }
        Admission::Waiter waiter;
        std::atomic<bool> granted = false;
        admission.Wait(weight, std::to_string(thread), InAMinute(), waiter,
                       [&](absl::StatusOr<Admission::Reservation> outcome) {
                         EXPECT_TRUE(outcome.ok()) << outcome.status();
                         if (outcome.ok()) {
                           hold(*outcome);
                           ++done;
                         }
                         outcome = absl::CancelledError();
                         granted = true;
                       });
        EXPECT_TRUE(WaitUntil([&] { return granted.load(); }));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(done, kThreads * kMessages);
  EXPECT_LE(highest, kLimit);
  EXPECT_TRUE(WaitUntil([&] { return admission.load().bytes == 0; }));
}

}  // namespace
}  // namespace quantd::server
