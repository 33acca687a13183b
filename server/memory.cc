#include "server/memory.h"

#ifdef QUANTD_TCMALLOC
#include <gperftools/malloc_extension.h>
#else
#include <malloc.h>
#endif

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

namespace quantd::server {
namespace {

constexpr std::chrono::seconds kInterval{1};

// For so many intervals what was in use at once is kept: large calls that come one
// after another find the memory of the last ones.
constexpr std::size_t kRememberedIntervals = 4;

// Always kept.
constexpr std::size_t kKeptBytes = std::size_t{64} << 20;

// A request of n bytes needs as many for its answer, and leaves n behind.
constexpr std::size_t kKeptPerByteInFlight = 2;

}  // namespace

void ReleaseFreeMemory(std::size_t kept_bytes) {
#ifdef QUANTD_TCMALLOC
  MallocExtension& allocator = *MallocExtension::instance();
  std::size_t free_bytes = 0;
  if (allocator.GetNumericProperty("tcmalloc.pageheap_free_bytes", &free_bytes) &&
      free_bytes > kept_bytes) {
    allocator.ReleaseToSystem(free_bytes - kept_bytes);
  }
#else
  malloc_trim(kept_bytes);
#endif
}

MemoryRelease::MemoryRelease(Admission* admission)
    : admission_(admission), thread_([this] { Run(); }) {}

MemoryRelease::~MemoryRelease() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

void MemoryRelease::Run() {
  std::array<std::uint64_t, kRememberedIntervals> peaks{};
  std::unique_lock lock(mutex_);
  for (std::size_t interval = 0; !stop_.wait_for(lock, kInterval, [this] { return stopping_; });
       ++interval) {
    peaks.at(interval % peaks.size()) = admission_->TakePeakBytes();
    ReleaseFreeMemory(kKeptBytes + kKeptPerByteInFlight * *std::ranges::max_element(peaks));
  }
}

}  // namespace quantd::server
