// The threads that compute.

#ifndef QUANTD_CORE_WORKER_POOL_H_
#define QUANTD_CORE_WORKER_POOL_H_

#include <cstddef>
#include <functional>
#include <memory>

namespace quantd::core {

// A fixed number of threads (a oneTBB arena) that run tasks and share out the
// blocks of large tensors. All methods may be called from any thread.
class WorkerPool {
 public:
  // `threads` at least 1. The threads start with the first task.
  explicit WorkerPool(std::size_t threads);

  // Waits until every task has run.
  ~WorkerPool();

  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  std::size_t threads() const;

  // Runs `task` on one of the threads, some time. Never waits. `task` must not
  // throw.
  void Submit(std::function<void()> task);

  // Runs block(0) … block(count - 1), each once, in any order and at the same
  // time on several of the threads, and returns when all have run. May be
  // called from within a task. `block` must not throw.
  void ForEachBlock(std::size_t count, const std::function<void(std::size_t)>& block);

 private:
  class Arena;
  std::unique_ptr<Arena> arena_;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_WORKER_POOL_H_
