#include "server/memory.h"

#ifdef QUANTD_TCMALLOC
#include <gperftools/malloc_extension.h>
#else
#include <malloc.h>
#endif

#include <chrono>

namespace quantd::server {
namespace {

constexpr std::chrono::seconds kInterval{1};

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

MemoryRelease::MemoryRelease(const Admission* admission)
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
  std::unique_lock lock(mutex_);
  while (!stop_.wait_for(lock, kInterval, [this] { return stopping_; })) {
    ReleaseFreeMemory(kKeptBytes + kKeptPerByteInFlight * admission_->load().bytes);
  }
}

}  // namespace quantd::server
