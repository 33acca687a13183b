// Limits that fit the machine, where nobody gave others.

#ifndef QUANTD_SERVER_SETTINGS_DEFAULT_LIMITS_H_
#define QUANTD_SERVER_SETTINGS_DEFAULT_LIMITS_H_

#include <string>
#include <vector>

#include "server/settings/machine_resources.h"
#include "server/settings/options.h"

namespace quantd::server {

// Where the limits of a server come from, in words for the log: a flag, a variable, a
// place in the file, or a part of the machine.
struct LimitSources {
  std::string worker_threads;
  std::string memory_limit;
  std::string max_message_bytes;
  std::string max_in_flight_bytes;
};

struct LimitChoice {
  LimitSources sources;
  // A sentence for each limit that the machine probably cannot keep.
  std::vector<std::string> warnings;
};

// Sets the limits in `options` that are not `given` to what fits `machine`, and those
// that are given. The bytes in flight are what the memory limit leaves after the room
// that the process needs besides, but at most 1 GiB and at least 16 MiB; a message is
// at most 256 MiB, and fits into them.
LimitChoice ChooseLimits(const GivenValues& given, const MachineResources& machine,
                         Options& options);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SETTINGS_DEFAULT_LIMITS_H_
