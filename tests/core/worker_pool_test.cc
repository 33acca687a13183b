#include "core/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <latch>
#include <optional>
#include <thread>
#include <vector>

namespace quantd::core {
namespace {

TEST(WorkerPool, RunsEveryBlockOnce) {
  WorkerPool pool(3);
  std::vector<std::atomic<int>> runs(1000);
  pool.ForEachBlock(runs.size(), [&](std::size_t block) { ++runs[block]; });
  for (const auto& run : runs) {
    EXPECT_EQ(run, 1);
  }
}

TEST(WorkerPool, CallsNothingForZeroBlocks) {
  WorkerPool pool(2);
  pool.ForEachBlock(0, [](std::size_t) { FAIL(); });
}

TEST(WorkerPool, RunsTasksOnAllThreadsAtTheSameTime) {
  constexpr std::size_t kThreads = 4;
  WorkerPool pool(kThreads);
  EXPECT_EQ(pool.threads(), kThreads);
  // Fewer threads would never pass this.
  std::barrier all_here(static_cast<std::ptrdiff_t>(kThreads));
  std::latch done(static_cast<std::ptrdiff_t>(kThreads));
  for (std::size_t i = 0; i < kThreads; ++i) {
    pool.Submit([&] {
      all_here.arrive_and_wait();
      done.count_down();
    });
  }
  done.wait();
}

TEST(WorkerPool, NeverRunsTasksOnTheCallersThread) {
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<bool> on_caller = false;
  {
    WorkerPool pool(1);
    for (int i = 0; i < 100; ++i) {
      pool.Submit([&] { on_caller = on_caller || std::this_thread::get_id() == caller; });
    }
  }
  EXPECT_FALSE(on_caller);
}

TEST(WorkerPool, FinishesAllTasksBeforeItIsDestroyed) {
  std::atomic<int> finished = 0;
  {
    WorkerPool pool(2);
    for (int i = 0; i < 1000; ++i) {
      pool.Submit([&] { ++finished; });
    }
  }
  EXPECT_EQ(finished, 1000);
}

TEST(WorkerPool, RunsTheBlocksOfTasks) {
  std::atomic<std::size_t> blocks = 0;
  {
    WorkerPool pool(2);
    for (int task = 0; task < 50; ++task) {
      pool.Submit([&] { pool.ForEachBlock(20, [&](std::size_t) { ++blocks; }); });
    }
  }
  EXPECT_EQ(blocks, 1000U);
}

TEST(WorkerPool, MayBeUsedFromSeveralThreads) {
  std::atomic<std::size_t> runs = 0;
  {
    WorkerPool pool(2);
    const auto call = [&] {
      for (int i = 0; i < 100; ++i) {
        pool.Submit([&] { ++runs; });
        pool.ForEachBlock(3, [&](std::size_t) { ++runs; });
      }
    };
    const std::jthread callers[] = {std::jthread(call), std::jthread(call), std::jthread(call),
                                    std::jthread(call)};
  }
  EXPECT_EQ(runs, 1600U);
}

}  // namespace
}  // namespace quantd::core
