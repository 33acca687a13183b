// Settings of gRPC for the whole process, for both sides.

#ifndef QUANTD_WIRE_TRANSPORT_H_
#define QUANTD_WIRE_TRANSPORT_H_

namespace quantd::wire {

// Makes gRPC's locks cheap. By default, Debian's Abseil looks for deadlocks whenever
// a lock is taken, which slows down small calls. Programs call this before they
// create their first channel or server.
void DisableLockChecks();

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_TRANSPORT_H_
