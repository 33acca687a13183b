#include "wire/transport.h"

#include "absl/synchronization/mutex.h"

namespace quantd::wire {

void DisableLockChecks() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

}  // namespace quantd::wire
