// Returns memory to the operating system after large messages.

#ifndef QUANTD_SERVER_MEMORY_H_
#define QUANTD_SERVER_MEMORY_H_

#include <cstdint>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"

namespace quantd::server {

// Bounds the memory that the process keeps after a burst of calls. The allocator
// holds on to freed memory, since fresh pages would cost more than the kernels that
// fill them. A background thread samples how much is free, and releases what was
// free in every sample of the last four seconds, except for 64 MiB. Affects the
// whole process.
//
// Free memory between messages that are still needed may have no place for the next
// large one. While the heap is larger than `heap_bytes`, such memory is returned at once.
class MemoryRelease {
 public:
  explicit MemoryRelease(std::uint64_t heap_bytes);
  ~MemoryRelease();

  MemoryRelease(const MemoryRelease&) = delete;
  MemoryRelease& operator=(const MemoryRelease&) = delete;

  // Returns by how many bytes what is allocated is less than `heap_bytes`: negative if it is
  // more. With an allocator that does not tell, nothing is allocated. Thread-safe.
  std::int64_t SpareBytes() const;

 private:
  void Run();

  // Returns false once this object is about to be destroyed.
  bool WaitForNextLook();

  const std::uint64_t heap_bytes_;

  core::Mutex mutex_;
  core::ConditionVariable stop_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_MEMORY_H_
