// Keeps a worker pool busy.

#ifndef QUANTD_TESTS_SERVER_BUSY_POOL_H_
#define QUANTD_TESTS_SERVER_BUSY_POOL_H_

#include <future>
#include <memory>

#include "core/worker_pool.h"

namespace quantd::server {

// Keeps the only thread of a pool busy until it is released.
class BusyPool {
 public:
  explicit BusyPool(core::WorkerPool& pool) {
    const auto started = std::make_shared<std::promise<void>>();
    pool.Submit([started, released = release_.get_future().share()] {
      started->set_value();
      released.wait();
    });
    // Tasks run in no particular order, so a later task might otherwise run first.
    started->get_future().wait();
  }
  ~BusyPool() { Release(); }
  BusyPool(const BusyPool&) = delete;
  BusyPool& operator=(const BusyPool&) = delete;

  void Release() {
    if (!released_) {
      released_ = true;
      release_.set_value();
    }
  }

 private:
  std::promise<void> release_;
  bool released_ = false;
};

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_BUSY_POOL_H_
