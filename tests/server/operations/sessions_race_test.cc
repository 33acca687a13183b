// Sessions, admission and metrics on plain threads, as calls use them, for the
// thread sanitizer.

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/calls/admission.h"
#include "tests/server/ask.h"
#include "tests/wire/requests.h"

namespace quantd::server {
namespace {

TEST(SessionsRace, GiveTheSameBitsAndCountEveryCallOnManyThreads) {
  constexpr int kThreads = 8;
  constexpr int kCalls = 50;
  constexpr std::size_t kElements = 10'001;
  core::WorkerPool pool(2);
  Metrics metrics("TEST", {});
  Admission admission(std::uint64_t{1} << 30, std::chrono::seconds(1),
                      [&pool](std::function<void()> task) { pool.Submit(std::move(task)); });
  metrics.ReadLoadFrom([&admission]() -> LoadFigures {
    const Admission::Load load = admission.load();
    return {.requests = load.requests, .bytes = load.bytes, .waiting = load.waiting};
  });
  const OperationContext context{.pool = &pool, .metrics = &metrics};
  const wire::Method& method = wire::kMethods[wire::kOperationIndex<wire::FakeQuantize>];
  const v1::FakeQuantizeRequest request = PerTensorRequest(kElements);
  const v1::FakeQuantizeGradientRequest gradient_request = PerChannelGradientRequest();
  const std::string expected = Ask(request, context)->output().data();

  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < kCalls; ++i) {
        metrics.CallStarted(method);
        const auto ticket = admission.Admit();
        const auto memory = admission.Reserve({.received = request.ByteSizeLong()});
        const auto response = Ask(request, context);
        const auto gradient_response = Ask(gradient_request, context);
        wrong += static_cast<int>(!ticket.ok() || !memory.has_value() || !response.ok() ||
                                  !gradient_response.ok() || response->output().data() != expected);
        metrics.CallHandled(method, response.status(), Seconds(1e-3));
      }
    });
  }
  std::thread scraper([&] {
    for (int i = 0; i < kCalls; ++i) {
      EXPECT_NE(metrics.Text(), "");
    }
  });
  for (std::thread& thread : threads) {
    thread.join();
  }
  scraper.join();

  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(admission.WaitUntilIdle(std::chrono::steady_clock::now()));
  const std::string text = metrics.Text();
  const auto has = [&](const std::string& line) { return text.find(line) != std::string::npos; };
  EXPECT_TRUE(has("quantd_kernel_seconds_count{operation=\"fake_quantize\"} " +
                  std::to_string(kThreads * kCalls + 1) + "\n"));
  EXPECT_TRUE(has("quantd_in_flight_requests 0\n"));
  EXPECT_TRUE(has("quantd_in_flight_bytes 0\n"));
}

}  // namespace
}  // namespace quantd::server
