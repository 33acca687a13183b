#include "core/worker_pool.h"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <cassert>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"

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
    arena_.enqueue([this, task = std::move(task)] {
      task();
      const MutexLock lock(&mutex_);
      if (--pending_ == 0) {
        idle_.NotifyAll();
      }
    });
  }

  void ForEachBlock(std::size_t count, const std::function<void(std::size_t)>& block) {
    arena_.execute([&] {
      // Isolated, so that this thread does not begin another task while it waits
      // for blocks of others: this call would have to wait for that task too.
      tbb::this_task_arena::isolate([&] { tbb::parallel_for(std::size_t{0}, count, block); });
    });
  }

 private:
  const std::size_t threads_;
  tbb::global_control parallelism_;
  tbb::task_arena arena_;
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
