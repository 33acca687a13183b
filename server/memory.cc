#include "server/memory.h"

#ifdef QUANTD_TCMALLOC
#include <gperftools/malloc_extension.h>
#endif

#include <algorithm>
#include <array>
#include <chrono>

namespace quantd::server {
namespace {

// How often is looked, and for how long what was seen counts: what the calls of
// the last seconds did not need at any time, the next ones will not need either.
constexpr std::chrono::milliseconds kInterval{100};
constexpr std::size_t kRememberedIntervals = 40;

// Always kept.
constexpr std::size_t kKeptBytes = std::size_t{64} << 20;
// Less is not worth the lock that calls wait for meanwhile.
constexpr std::size_t kLeastReleasedBytes = std::size_t{8} << 20;

#ifdef QUANTD_TCMALLOC

void KeepFreedMemory() { MallocExtension::instance()->SetMemoryReleaseRate(0); }

std::size_t FreeBytes() {
  std::size_t bytes = 0;
  MallocExtension::instance()->GetNumericProperty("tcmalloc.pageheap_free_bytes", &bytes);
  return bytes;
}

void Release(std::size_t bytes) { MallocExtension::instance()->ReleaseToSystem(bytes); }

#else

// Sanitizers bring an allocator that keeps what was freed, to see who still uses it.
void KeepFreedMemory() {}
std::size_t FreeBytes() { return 0; }
void Release(std::size_t /*bytes*/) {}

#endif

}  // namespace

MemoryRelease::MemoryRelease() : thread_([this] { Run(); }) {}

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
  // Of the last intervals; at first none was free.
  std::array<std::size_t, kRememberedIntervals> free_bytes{};
  for (std::size_t interval = 0; WaitForNextLook(); ++interval) {
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
