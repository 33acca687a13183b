#include "server/memory.h"

#ifdef QUANTD_TCMALLOC
#include <gperftools/malloc_extension.h>
#include <gperftools/tcmalloc.h>
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <new>

namespace quantd::server {
namespace {

// The free memory is sampled once per interval, and samples are remembered for four
// seconds: memory that the calls of that time never needed is unlikely to be needed
// by the next ones.
constexpr std::chrono::milliseconds kInterval{100};
constexpr std::size_t kRememberedIntervals = 40;

// This much free memory is always kept.
constexpr std::size_t kKeptBytes = std::size_t{64} << 20;
// Releasing less is not worth the lock, for which calls have to wait.
constexpr std::size_t kLeastReleasedBytes = std::size_t{8} << 20;

#ifdef QUANTD_TCMALLOC

void KeepFreedMemory() { MallocExtension::instance()->SetMemoryReleaseRate(0); }

std::size_t FreeBytes() {
  std::size_t bytes = 0;
  MallocExtension::instance()->GetNumericProperty("tcmalloc.pageheap_free_bytes", &bytes);
  return bytes;
}

void Release(std::size_t bytes) { MallocExtension::instance()->ReleaseToSystem(bytes); }

// In MiB; 0: none. An allocation that would exceed it returns free memory to the system
// first, and fails if that does not help.
void SetHeapLimit(std::size_t mebibytes) {
  MallocExtension::instance()->SetNumericProperty("tcmalloc.heap_limit_mb", mebibytes);
}

// How often the limit was set.
std::atomic<std::uint64_t> limit_settings = 0;

// Called when an allocation fails, which is then tried again. The limit is there to have
// free memory returned, not to make anything fail: it is lifted until it is set again.
void LiftHeapLimit() {
  thread_local std::uint64_t failed_without_limit = 0;
  const std::uint64_t settings = limit_settings;
  std::size_t limit = 0;
  MallocExtension::instance()->GetNumericProperty("tcmalloc.heap_limit_mb", &limit);
  if (limit != 0) {
    SetHeapLimit(0);
  } else if (failed_without_limit != settings) {
    // Another thread may have lifted it since.
    failed_without_limit = settings;
  } else {
    throw std::bad_alloc();
  }
}

void LimitHeap(std::size_t mebibytes) {
  ++limit_settings;
  SetHeapLimit(mebibytes);
}

void KeepHeapLimitSoft() {
  std::set_new_handler(LiftHeapLimit);
  // malloc(), too, is to call the handler.
  tc_set_new_mode(1);
}

#else

// The sanitizers' allocator keeps freed memory on purpose, to detect its use.
void KeepFreedMemory() {}
std::size_t FreeBytes() { return 0; }
void Release(std::size_t /*bytes*/) {}
void LimitHeap(std::size_t /*mebibytes*/) {}
void KeepHeapLimitSoft() {}

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
  KeepHeapLimitSoft();
  // The samples of the last intervals, initially 0.
  std::array<std::size_t, kRememberedIntervals> free_bytes{};
  for (std::size_t interval = 0; WaitForNextLook(); ++interval) {
    LimitHeap(heap_bytes_ >> 20);
    const std::size_t before = FreeBytes();
    free_bytes.at(interval % free_bytes.size()) = before;
    const std::size_t unused = *std::ranges::min_element(free_bytes);
    if (unused < kKeptBytes + kLeastReleasedBytes) {
      continue;
    }
    Release(unused - kKeptBytes);
    const std::size_t after = FreeBytes();
    const std::size_t released = before - std::min(after, before);
    for (std::size_t& bytes : free_bytes) {
      bytes -= std::min(released, bytes);
    }
  }
}

}  // namespace quantd::server
