#include "server/calls/admission.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace quantd::server {
namespace {

using std::chrono::steady_clock;

std::string ReasonOf(const absl::Status& status) {
  return core::GetErrorDetail(status).value_or(core::ErrorDetail{}).reason;
}

TEST(Admission, AdmitsCallsUpToTheLimit) {
  Admission admission(100);
  const auto first = admission.Admit(60);
  const auto second = admission.Admit(40);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(admission.load().requests, 2U);
  EXPECT_EQ(admission.load().bytes, 100U);
  EXPECT_TRUE(admission.Admit(0).ok()) << "an empty request needs no room";
}

TEST(Admission, RejectsACallThatWouldExceedTheLimitWithTheNumbers) {
  Admission admission(100);
  const auto first = admission.Admit(60);
  const absl::Status refusal = admission.Admit(41).status();
  EXPECT_EQ(refusal.code(), absl::StatusCode::kResourceExhausted);
  const auto detail = core::GetErrorDetail(refusal);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, core::ErrorReasonName(core::ErrorReason::kInFlightLimit));
  EXPECT_EQ(detail->metadata.at("message_bytes"), "41");
  EXPECT_EQ(detail->metadata.at("in_flight_bytes"), "60");
  EXPECT_EQ(detail->metadata.at("max_in_flight_bytes"), "100");
  EXPECT_EQ(admission.load().requests, 1U);
}

TEST(Admission, TellsAMessageThatNeverFitsFromOneThatMustWait) {
  Admission admission(100);
  auto others = admission.Admit(30);
  Admission::Ticket ticket = *admission.Admit(0);
  ASSERT_TRUE(ticket.Take(60).ok());
  EXPECT_EQ(ReasonOf(ticket.Take(40)), "IN_FLIGHT_LIMIT");
  const absl::Status never = ticket.Take(41);
  EXPECT_EQ(never.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(never), "MESSAGE_TOO_LARGE");
  EXPECT_EQ(core::GetErrorDetail(never)->metadata.at("bytes"), "101");
  others->Release();
  EXPECT_TRUE(ticket.Take(40).ok());
}

TEST(Admission, HasRoomAgainAfterATicketIsReleased) {
  Admission admission(100);
  auto ticket = admission.Admit(100);
  ASSERT_TRUE(ticket.ok());
  EXPECT_FALSE(admission.Admit(1).ok());
  ticket->Release();
  ticket->Release();
  EXPECT_EQ(admission.load().requests, 0U);
  EXPECT_TRUE(admission.Admit(100).ok());
}

TEST(Admission, IsIdleOnlyWhenTheTicketIsDestroyed) {
  Admission admission(100);
  std::optional<Admission::Ticket> ticket = *admission.Admit(1);
  ticket->Release();
  EXPECT_FALSE(admission.WaitUntilIdle(steady_clock::now()));
  ticket.reset();
  EXPECT_TRUE(admission.WaitUntilIdle(steady_clock::now()));
}

TEST(Admission, CountsAMovedTicketOnce) {
  Admission admission(100);
  {
    Admission::Ticket ticket = *admission.Admit(10);
    Admission::Ticket moved = std::move(ticket);
    ticket = *admission.Admit(20);
    EXPECT_EQ(admission.load().bytes, 30U);
    moved = std::move(ticket);
    EXPECT_EQ(admission.load().bytes, 20U);
  }
  EXPECT_EQ(admission.load().bytes, 0U);
  EXPECT_TRUE(admission.WaitUntilIdle(steady_clock::now()));
}

TEST(Admission, RejectsNewCallsWhileDraining) {
  Admission admission(100);
  auto running = admission.Admit(10);
  admission.StartDraining();
  const absl::Status refusal = admission.Admit(1).status();
  EXPECT_EQ(refusal.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(refusal), core::ErrorReasonName(core::ErrorReason::kShuttingDown));
  EXPECT_FALSE(admission.WaitUntilIdle(steady_clock::now()));
}

TEST(Admission, WakesTheWaitingThreadWhenTheLastCallEnds) {
  Admission admission(100);
  std::optional<Admission::Ticket> ticket = *admission.Admit(10);
  bool idle = false;
  std::thread waiter(
      [&] { idle = admission.WaitUntilIdle(steady_clock::now() + std::chrono::minutes(1)); });
  ticket.reset();
  waiter.join();
  EXPECT_TRUE(idle);
}

TEST(Admission, NeverExceedsTheLimitWithManyThreads) {
  constexpr std::uint64_t kLimit = 64;
  constexpr int kThreads = 8;
  constexpr int kCalls = 2000;
  Admission admission(kLimit);
  std::atomic<std::uint64_t> highest = 0;
  std::atomic<int> admitted = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kCalls; ++i) {
        const auto ticket = admission.Admit(static_cast<std::uint64_t>(thread + i) % 40);
        if (ticket.ok()) {
          ++admitted;
          const std::uint64_t bytes = admission.load().bytes;
          for (std::uint64_t seen = highest; seen < bytes;) {
            highest.compare_exchange_weak(seen, bytes);
          }
        } else {
          EXPECT_EQ(ReasonOf(ticket.status()),
                    core::ErrorReasonName(core::ErrorReason::kInFlightLimit));
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_GT(admitted, 0);
  EXPECT_LE(highest, kLimit);
  EXPECT_EQ(admission.load().requests, 0U);
  EXPECT_EQ(admission.load().bytes, 0U);
  EXPECT_TRUE(admission.WaitUntilIdle(steady_clock::now()));
}

}  // namespace
}  // namespace quantd::server
