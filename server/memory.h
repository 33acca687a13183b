// Returns memory to the operating system after large messages.

#ifndef QUANTD_SERVER_MEMORY_H_
#define QUANTD_SERVER_MEMORY_H_

#include <condition_variable>
#include <mutex>
#include <thread>

namespace quantd::server {

// Bounds the memory that the process keeps after a burst of calls. The allocator
// holds on to freed memory, since fresh pages would cost more than the kernels that
// fill them. A background thread samples how much is free, and releases what was
// free in every sample of the last four seconds, except for 64 MiB. Affects the
// whole process.
class MemoryRelease {
 public:
  MemoryRelease();
  ~MemoryRelease();

  MemoryRelease(const MemoryRelease&) = delete;
  MemoryRelease& operator=(const MemoryRelease&) = delete;

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_MEMORY_H_
