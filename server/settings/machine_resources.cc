#include "server/settings/machine_resources.h"

#include <sched.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/read_file.h"
#include "core/base/status_macros.h"

namespace quantd::server {
namespace {

namespace fs = std::filesystem;

// A machine with thousands of mounts has a mountinfo of several MiB.
constexpr std::size_t kMaxFileBytes = std::size_t{16} << 20;

// The text of a file, or nothing if it cannot be read.
std::optional<std::string> ReadText(const fs::path& path) {
  absl::StatusOr<std::string> text = core::ReadFile(path, kMaxFileBytes);
  return text.ok() ? std::optional(*std::move(text)) : std::nullopt;
}

// The numbers and words in a small file.
std::vector<std::string> ReadWords(const fs::path& path) {
  const std::optional<std::string> text = ReadText(path);
  return text.has_value() ? std::vector<std::string>(
                                absl::StrSplit(*text, absl::ByAnyChar(" \t\n"), absl::SkipEmpty()))
                          : std::vector<std::string>();
}

// A number that is not negative. "max" (version 2) and -1 (version 1) are no limits.
std::optional<std::uint64_t> ParseLimit(const std::string& text) {
  std::uint64_t number = 0;
  return absl::SimpleAtoi(text, &number) ? std::optional(number) : std::nullopt;
}

std::optional<std::uint64_t> ReadLimit(const fs::path& path) {
  const std::vector<std::string> words = ReadWords(path);
  return words.empty() ? std::nullopt : ParseLimit(words.front());
}

// A hierarchy of cgroups: where it is mounted, and the process's own place in it.
struct Hierarchy {
  fs::path mount_point;
  // Within mount_point, which is one of its ancestors or itself.
  fs::path own;
};

// The path of the process's cgroup in the hierarchy with `controller`; version 2 is
// the one with an empty name.
std::optional<fs::path> OwnCgroup(const std::string& proc_cgroup, absl::string_view controller) {
  // HIERARCHY:CONTROLLER,CONTROLLER:PATH
  for (const absl::string_view line : absl::StrSplit(proc_cgroup, '\n')) {
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) {
      continue;
    }
    const std::vector<absl::string_view> controllers = absl::StrSplit(fields[1], ',');
    if (std::ranges::find(controllers, controller) != controllers.end()) {
      return fs::path(fields[2]);
    }
  }
  return std::nullopt;
}

struct Mount {
  // The cgroup that is mounted.
  fs::path cgroup;
  fs::path mount_point;
};

// Where a hierarchy is mounted; see OwnCgroup().
std::optional<Mount> CgroupMount(const std::string& mountinfo, absl::string_view controller) {
  // ID PARENT MAJOR:MINOR ROOT MOUNT_POINT OPTIONS… - TYPE SOURCE SUPER_OPTIONS
  for (const absl::string_view line : absl::StrSplit(mountinfo, '\n')) {
    const std::vector<std::string> halves = absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    if (halves.size() != 2) {
      continue;
    }
    const std::vector<std::string> mount = absl::StrSplit(halves[0], ' ');
    const std::vector<std::string> system = absl::StrSplit(halves[1], ' ');
    if (mount.size() < 5 || system.size() < 3) {
      continue;
    }
    const std::vector<absl::string_view> options = absl::StrSplit(system[2], ',');
    const bool matches =
        controller.empty()
            ? system[0] == "cgroup2"
            : system[0] == "cgroup" && std::ranges::find(options, controller) != options.end();
    if (matches) {
      return Mount{.cgroup = mount[3], .mount_point = mount[4]};
    }
  }
  return std::nullopt;
}

// Finds the hierarchy with `controller` below `root`, or nothing if there is none.
std::optional<Hierarchy> FindHierarchy(const fs::path& root, absl::string_view controller) {
  const std::optional<std::string> cgroups = ReadText(root / "proc/self/cgroup");
  const std::optional<std::string> mounts = ReadText(root / "proc/self/mountinfo");
  if (!cgroups.has_value() || !mounts.has_value()) {
    return std::nullopt;
  }
  const std::optional<fs::path> own = OwnCgroup(*cgroups, controller);
  const std::optional<Mount> mount = CgroupMount(*mounts, controller);
  if (!own.has_value() || !mount.has_value()) {
    return std::nullopt;
  }
  const fs::path mount_point = root / mount->mount_point.relative_path();
  fs::path within = own->lexically_relative(mount->cgroup);
  // A container may see its path on the host, but only its own cgroup, at the mount
  // point.
  if (within.empty() || *within.begin() == "..") {
    within = ".";
  }
  return Hierarchy{.mount_point = mount_point, .own = (mount_point / within).lexically_normal()};
}

// Returns the lowest of what `read` finds in the own cgroup and in its ancestors.
template <typename Number>
std::optional<Number> LowestLimit(const std::optional<Hierarchy>& hierarchy,
                                  std::optional<Number> (*read)(const fs::path& cgroup)) {
  if (!hierarchy.has_value()) {
    return std::nullopt;
  }
  std::optional<Number> lowest;
  fs::path cgroup = hierarchy->mount_point;
  const auto look = [&] {
    const std::optional<Number> limit = read(cgroup);
    if (limit.has_value() && (!lowest.has_value() || *limit < *lowest)) {
      lowest = limit;
    }
  };
  look();
  for (const fs::path& part : hierarchy->own.lexically_relative(hierarchy->mount_point)) {
    if (!part.empty() && part != ".") {
      cgroup /= part;
      look();
    }
  }
  return lowest;
}

// A quota of processor time per period, as a number of processors, rounded up.
std::optional<std::size_t> Processors(std::optional<std::uint64_t> quota,
                                      std::optional<std::uint64_t> period) {
  if (!quota.has_value() || !period.has_value() || *quota == 0 || *period == 0) {
    return std::nullopt;
  }
  return static_cast<std::size_t>((*quota - 1) / *period + 1);
}

std::optional<std::size_t> ReadCpuMax(const fs::path& cgroup) {
  const std::vector<std::string> words = ReadWords(cgroup / "cpu.max");
  return words.size() == 2 ? Processors(ParseLimit(words[0]), ParseLimit(words[1])) : std::nullopt;
}

std::optional<std::size_t> ReadCfsQuota(const fs::path& cgroup) {
  return Processors(ReadLimit(cgroup / "cpu.cfs_quota_us"),
                    ReadLimit(cgroup / "cpu.cfs_period_us"));
}

std::optional<std::uint64_t> ReadMemoryMax(const fs::path& cgroup) {
  return ReadLimit(cgroup / "memory.max");
}

std::optional<std::uint64_t> ReadLimitInBytes(const fs::path& cgroup) {
  return ReadLimit(cgroup / "memory.limit_in_bytes");
}

// The machine's memory in bytes, or 0 if it is not known.
std::uint64_t MachineMemory(const fs::path& root) {
  // "MemTotal:       24683100 kB" is the first line.
  const std::vector<std::string> words = ReadWords(root / "proc/meminfo");
  std::uint64_t kibibytes = 0;
  return words.size() > 1 && words[0] == "MemTotal:" && absl::SimpleAtoi(words[1], &kibibytes)
             ? kibibytes * 1024
             : 0;
}

}  // namespace

std::size_t AvailableProcessors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  // Fails on machines with more processors than such a set has.
  const int count = sched_getaffinity(0, sizeof(set), &set) == 0
                        ? CPU_COUNT(&set)
                        : static_cast<int>(std::thread::hardware_concurrency());
  return static_cast<std::size_t>(std::max(count, 1));
}

MachineResources ReadMachineResources(const fs::path& root, std::size_t processors) {
  MachineResources resources{.processors = processors,
                             .processors_from = "the processors that the process may run on",
                             .memory_bytes = MachineMemory(root),
                             .memory_from = "the machine's memory"};
  const auto limit_processors = [&resources](std::optional<std::size_t> limit, const char* name) {
    if (limit.has_value() && *limit < resources.processors) {
      resources.processors = *limit;
      resources.processors_from = absl::StrCat("the cgroup's ", name);
    }
  };
  const auto limit_memory = [&resources](std::optional<std::uint64_t> limit, const char* name) {
    // Version 1 writes "no limit" as a number above any machine's memory.
    if (limit.has_value() && (resources.memory_bytes == 0 || *limit < resources.memory_bytes) &&
        *limit < (std::uint64_t{1} << 62)) {
      resources.memory_bytes = *limit;
      resources.memory_from = absl::StrCat("the cgroup's ", name);
      resources.is_memory_enforced = true;
    }
  };
  const std::optional<Hierarchy> unified = FindHierarchy(root, "");
  limit_processors(LowestLimit(unified, ReadCpuMax), "cpu.max");
  limit_processors(LowestLimit(FindHierarchy(root, "cpu"), ReadCfsQuota), "cpu.cfs_quota_us");
  limit_memory(LowestLimit(unified, ReadMemoryMax), "memory.max");
  limit_memory(LowestLimit(FindHierarchy(root, "memory"), ReadLimitInBytes),
               "memory.limit_in_bytes");
  return resources;
}

}  // namespace quantd::server
