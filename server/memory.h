// The memory that large messages leave behind.

#ifndef QUANTD_SERVER_MEMORY_H_
#define QUANTD_SERVER_MEMORY_H_

#include <thread>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"

namespace quantd::server {

// Keeps memory bounded after a burst, from a thread of its own. The allocator
// holds on to what was freed, since fresh pages would cost more than the kernels
// that fill them; what lay free at every look in the last four seconds, but for 64
// MiB, is given back. For the whole process.
class MemoryRelease {
 public:
  MemoryRelease();
  ~MemoryRelease();

  MemoryRelease(const MemoryRelease&) = delete;
  MemoryRelease& operator=(const MemoryRelease&) = delete;

 private:
  void Run();

  // Returns false once this object is about to be destroyed.
  bool WaitForNextLook();

  core::Mutex mutex_;
  core::ConditionVariable stop_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_MEMORY_H_
