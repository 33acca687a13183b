// The threads that compute.

#ifndef QUANTD_CORE_WORKER_POOL_H_
#define QUANTD_CORE_WORKER_POOL_H_

#include <cstddef>
#include <functional>
#include <memory>

namespace quantd::core {

// A fixed number of threads (a oneTBB arena) that run tasks and divide the blocks of
// large tensors among themselves. Safe for use by several threads at once.
class WorkerPool {
 public:
  // `threads` is at least 1. The threads start with the first task.
  explicit WorkerPool(std::size_t threads);

  // Waits until all tasks have run.
  ~WorkerPool();

  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  std::size_t threads() const;

  // Schedules `task` on one of the pool's threads and returns at once. `task` must
  // not throw.
  void Submit(std::function<void()> task);

  // Calls block(0) to block(count - 1), each once, in any order and on several of
  // the threads at the same time. Returns when all calls have. May be called by a
  // task. `block` must not throw.
  void ForEachBlock(std::size_t count, const std::function<void(std::size_t)>& block);

 private:
  class Arena;
  std::unique_ptr<Arena> arena_;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_WORKER_POOL_H_
