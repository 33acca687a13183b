#include "server/memory.h"

#ifdef QUANTD_TCMALLOC
#include <gperftools/malloc_extension.h>
#endif

#include <algorithm>
#include <array>
#include <chrono>

namespace quantd::server {
namespace {

// The free memory is sampled once per interval, and samples are remembered for four
// seconds: memory that the calls of that time never needed is unlikely to be needed
// by the next ones.
constexpr std::chrono::milliseconds kInterval{20};
constexpr std::size_t kRememberedIntervals = 200;

// This much free memory is always kept.
constexpr std::size_t kKeptFreeBytes = std::size_t{64} << 20;
// Releasing less is not worth the lock, for which calls have to wait.
constexpr std::size_t kLeastReleasedBytes = std::size_t{8} << 20;

#ifdef QUANTD_TCMALLOC

void KeepFreedMemory() { MallocExtension::instance()->SetMemoryReleaseRate(0); }

std::size_t FreeBytes() {
  std::size_t bytes = 0;
  MallocExtension::instance()->GetNumericProperty("tcmalloc.pageheap_free_bytes", &bytes);
  return bytes;
}

// What the heap has of the system, used and free.
std::size_t HeapBytes() {
  std::size_t all = 0;
  MallocExtension::instance()->GetNumericProperty("generic.heap_size", &all);
  std::size_t returned = 0;
  MallocExtension::instance()->GetNumericProperty("tcmalloc.pageheap_unmapped_bytes", &returned);
  return all - std::min(returned, all);
}

std::size_t AllocatedBytes() {
  std::size_t bytes = 0;
  MallocExtension::instance()->GetNumericProperty("generic.current_allocated_bytes", &bytes);
  return bytes;
}

void Release(std::size_t bytes) { MallocExtension::instance()->ReleaseToSystem(bytes); }

#else

// The sanitizers' allocator keeps freed memory on purpose, to detect its use.
void KeepFreedMemory() {}
std::size_t FreeBytes() { return 0; }
std::size_t HeapBytes() { return 0; }
std::size_t AllocatedBytes() { return 0; }
void Release(std::size_t /*bytes*/) {}

#endif

}  // namespace

MemoryRelease::MemoryRelease(std::uint64_t heap_bytes)
    : heap_bytes_(heap_bytes), thread_([this] { Run(); }) {}

MemoryRelease::~MemoryRelease() {
  {
    const core::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  stop_.NotifyAll();
  thread_.join();
}

std::int64_t MemoryRelease::SpareBytes() const {
  return static_cast<std::int64_t>(heap_bytes_) - static_cast<std::int64_t>(AllocatedBytes());
}

bool MemoryRelease::WaitForNextLook() {
  const auto deadline = std::chrono::steady_clock::now() + kInterval;
  const core::MutexLock lock(&mutex_);
  while (!stopping_) {
    if (!stop_.WaitUntil(&mutex_, deadline)) {
      return !stopping_;
    }
  }
  return false;
}

void MemoryRelease::Run() {
  KeepFreedMemory();
  // The samples of the last intervals, initially 0.
  std::array<std::size_t, kRememberedIntervals> free_bytes{};
  for (std::size_t interval = 0; WaitForNextLook(); ++interval) {
    const std::size_t before = FreeBytes();
    free_bytes.at(interval % free_bytes.size()) = before;
    const std::size_t unused = *std::ranges::min_element(free_bytes);
    const std::size_t unneeded = unused - std::min(unused, kKeptFreeBytes);
    const std::uint64_t heap = HeapBytes();
    const std::size_t excess = std::min<std::uint64_t>(heap - std::min(heap, heap_bytes_), before);
    if (std::max(unneeded, excess) < kLeastReleasedBytes) {
      continue;
    }
    Release(std::max(unneeded, excess));
    const std::size_t after = FreeBytes();
    const std::size_t released = before - std::min(after, before);
    for (std::size_t& bytes : free_bytes) {
      bytes -= std::min(released, bytes);
    }
  }
}

}  // namespace quantd::server
