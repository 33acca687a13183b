// How an operation runs: on which threads, and how long it is wanted.

#ifndef QUANTD_CORE_EXECUTION_H_
#define QUANTD_CORE_EXECUTION_H_

#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "core/worker_pool.h"

namespace quantd::core {

// Cheap to copy. Does not own the pool.
class Execution {
 public:
  // Shares a large tensor out over `pool`. If it is null, the caller's thread does all the
  // work.
  //
  // `is_cancelled` says whether the result is no longer wanted. Empty: it is always wanted.
  // It is called before each block of a tensor (about 64 Ki elements), by several threads at
  // once, so it must be quick and must not throw. Once it returns true, it always does.
  // NOLINTNEXTLINE(google-explicit-constructor): mostly, there is nothing but a pool.
  Execution(WorkerPool* pool, std::function<bool()> is_cancelled = {})
      : pool_(pool), is_cancelled_(std::move(is_cancelled)) {}

  WorkerPool* pool() const { return pool_; }

  bool IsCancelled() const { return is_cancelled_ && is_cancelled_(); }

  // Returns kCancelled if the result is not wanted: then it may be incomplete.
  absl::Status CheckWanted() const {
    return IsCancelled() ? absl::CancelledError(
                               "the computation was stopped because its result is no longer wanted")
                         : absl::OkStatus();
  }

  // The same without other threads.
  Execution OnCallersThread() const { return {nullptr, is_cancelled_}; }

 private:
  WorkerPool* pool_;
  std::function<bool()> is_cancelled_;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_EXECUTION_H_
