// How both sides have gRPC carry messages.

#ifndef QUANTD_WIRE_TRANSPORT_H_
#define QUANTD_WIRE_TRANSPORT_H_

namespace quantd::wire {

// Makes gRPC's locks cheap: Debian's Abseil looks for deadlocks with every lock
// that is taken, which costs small calls a part of their time (docs/design.md
// has the figures). For the whole process; programs call it before their first
// channel or server.
void DisableLockChecks();

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_TRANSPORT_H_
