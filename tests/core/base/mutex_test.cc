#include "core/base/mutex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

namespace quantd::core {
namespace {

TEST(Mutex, ExcludesOtherThreads) {
  Mutex mutex;
  int count = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int j = 0; j < 10'000; ++j) {
          const MutexLock lock(&mutex);
          ++count;
        }
      });
    }
  }
  EXPECT_EQ(count, 40'000);
}

TEST(ConditionVariable, WakesAThreadThatWaits) {
  Mutex mutex;
  ConditionVariable changed;
  bool ready = false;
  const std::jthread other([&] {
    const MutexLock lock(&mutex);
    ready = true;
    changed.NotifyOne();
  });
  const MutexLock lock(&mutex);
  while (!ready) {
    changed.Wait(&mutex);
  }
}

TEST(ConditionVariable, HoldsTheMutexAfterItHasWaited) {
  Mutex mutex;
  ConditionVariable changed;
  int turn = 0;
  int counted = 0;
  const auto take_turns = [&](int mine) {
    for (int i = 0; i < 1000; ++i) {
      const MutexLock lock(&mutex);
      while (turn != mine) {
        changed.Wait(&mutex);
      }
      ++counted;
      turn = 1 - mine;
      changed.NotifyAll();
    }
  };
  {
    const std::jthread first(take_turns, 0);
    const std::jthread second(take_turns, 1);
  }
  EXPECT_EQ(counted, 2000);
}

TEST(ConditionVariable, StopsWaitingAtTheDeadline) {
  Mutex mutex;
  ConditionVariable never;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
  const MutexLock lock(&mutex);
  while (never.WaitUntil(&mutex, deadline)) {
  }
  EXPECT_GE(std::chrono::steady_clock::now(), deadline);
}

}  // namespace
}  // namespace quantd::core
