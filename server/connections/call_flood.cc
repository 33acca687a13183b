#include "server/connections/call_flood.h"

#include <algorithm>

namespace quantd::server {

bool CallFlood::Look(const Transport::Calls& calls, std::uint64_t max_in_memory, TimePoint now) {
  const std::chrono::duration<double> elapsed = now - last_look_;
  const double aborted = static_cast<double>(calls.failed - last_.failed) -
                         static_cast<double>(calls.messages - last_.messages);
  excess_ = std::max(excess_ + std::max(aborted, 0.0) - kAbortsPerSecond * elapsed.count(), 0.0);
  last_ = calls;
  last_look_ = now;
  return calls.in_memory > max_in_memory || excess_ > kMaxAbortsAtOnce;
}

}  // namespace quantd::server
