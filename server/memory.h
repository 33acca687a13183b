// The memory that large messages leave behind.

#ifndef QUANTD_SERVER_MEMORY_H_
#define QUANTD_SERVER_MEMORY_H_

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>

#include "server/admission.h"

namespace quantd::server {

// Gives free memory back to the system, but for about `kept_bytes` of what the
// allocator could hand out again without a page fault. May be called from any
// thread.
void ReleaseFreeMemory(std::size_t kept_bytes);

// Keeps memory bounded after a burst, from a thread of its own. The allocator
// holds on to what was freed, since fresh pages would cost more than the kernels
// that fill them; what it holds beyond what calls needed in the last seconds is
// given back.
class MemoryRelease {
 public:
  // `admission` outlives this, and is asked for its peak by nobody else.
  explicit MemoryRelease(Admission* admission);
  ~MemoryRelease();

  MemoryRelease(const MemoryRelease&) = delete;
  MemoryRelease& operator=(const MemoryRelease&) = delete;

 private:
  void Run();

  Admission* const admission_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_MEMORY_H_
