#include "core/worker_pool.h"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <cassert>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"

// The thread sanitizer does not see how oneTBB's library, which is not instrumented,
// synchronizes its threads, so this file, the only one that includes it, is not
// instrumented either and tells the sanitizer what happens before what.
#ifdef QUANTD_THREAD_SANITIZER
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif

namespace quantd::core {

namespace tbb = oneapi::tbb;

class WorkerPool::Arena {
 public:
  explicit Arena(std::size_t threads)
      : threads_(threads),
        // One more than the workers, for a caller that takes part. By default, oneTBB
        // has one worker less than there are processors.
        parallelism_(tbb::global_control::max_allowed_parallelism, threads + 1),
        arena_(static_cast<int>(threads), /*reserved_for_masters=*/0) {
    assert(threads > 0);
  }

  ~Arena() {
    const MutexLock lock(&mutex_);
    while (pending_ > 0) {
      idle_.Wait(&mutex_);
    }
  }

  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  std::size_t threads() const { return threads_; }

  void Submit(std::function<void()> task) {
    {
      const MutexLock lock(&mutex_);
      ++pending_;
    }
    submitted_.Post();
    arena_.enqueue([this, task = std::move(task)] {
      submitted_.Await();
      task();
      const MutexLock lock(&mutex_);
      if (--pending_ == 0) {
        idle_.NotifyAll();
      }
    });
  }

  void ForEachBlock(std::size_t count, const std::function<void(std::size_t)>& block) {
    HandOver begun;
    HandOver finished;
    begun.Post();
    arena_.execute([&] {
      // Isolated, so that this thread does not begin another task while it waits
      // for blocks of others: this call would have to wait for that task too.
      tbb::this_task_arena::isolate([&] {
        tbb::parallel_for(std::size_t{0}, count, [&](std::size_t index) {
          begun.Await();
          block(index);
          finished.Post();
        });
      });
    });
    finished.Await();
  }

 private:
  // What a thread has done before Post() of an object happens before what another does
  // after Await() of it. Only the thread sanitizer needs to know.
  class HandOver {
   public:
#ifdef QUANTD_THREAD_SANITIZER
    void Post() { __tsan_release(this); }
    void Await() { __tsan_acquire(this); }
#else
    void Post() {}
    void Await() {}
#endif
  };

  const std::size_t threads_;
  tbb::global_control parallelism_;
  tbb::task_arena arena_;
  HandOver submitted_;
  Mutex mutex_;
  ConditionVariable idle_;
  std::size_t pending_ ABSL_GUARDED_BY(mutex_) = 0;
};

WorkerPool::WorkerPool(std::size_t threads) : arena_(std::make_unique<Arena>(threads)) {}
WorkerPool::~WorkerPool() = default;

std::size_t WorkerPool::threads() const { return arena_->threads(); }

void WorkerPool::Submit(std::function<void()> task) { arena_->Submit(std::move(task)); }

void WorkerPool::ForEachBlock(std::size_t count, const std::function<void(std::size_t)>& block) {
  arena_->ForEachBlock(count, block);
}

}  // namespace quantd::core
