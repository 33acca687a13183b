// What the machine lets this process use, by the limits of its cgroups.

#ifndef QUANTD_SERVER_SETTINGS_MACHINE_RESOURCES_H_
#define QUANTD_SERVER_SETTINGS_MACHINE_RESOURCES_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace quantd::server {

struct MachineResources {
  // How many processors the process may use at once: at least 1. A part of one counts
  // as one.
  std::size_t processors = 1;
  // What limits them, for people: "the cgroup's cpu.max".
  std::string processors_from = "unknown machine";
  // In bytes; 0 if it is not known.
  std::uint64_t memory_bytes = 0;
  std::string memory_from = "unknown machine";
  // Whether a cgroup limits the memory, so that the process is killed if it uses more.
  bool is_memory_enforced = false;
};

// Returns how many processors this process may run on, by its affinity.
std::size_t AvailableProcessors();

// Reads the limits of the process's own cgroup and of its ancestors, of version 1 and
// 2, and the machine's memory, from /proc and /sys below `root`. `processors` is the
// number that is available without limits, at least 1. What is not there or cannot be
// read limits nothing.
MachineResources ReadMachineResources(const std::filesystem::path& root, std::size_t processors);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SETTINGS_MACHINE_RESOURCES_H_
