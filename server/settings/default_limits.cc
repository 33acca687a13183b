#include "server/settings/default_limits.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "server/settings/option_values.h"

namespace quantd::server {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// What the process holds at most besides the bytes in flight.
constexpr std::uint64_t kFixedBytes = 150 * kMiB;
// What the allocator keeps for the next calls.
constexpr std::uint64_t kKeptBytes = 64 * kMiB;
// Tensors of ordinary size need as much, whatever the machine has.
constexpr std::uint64_t kMinInFlightBytes = 16 * kMiB;

std::uint64_t FittingInFlightBytes(const Options& defaults, std::uint64_t memory_limit) {
  if (memory_limit == 0) {
    return defaults.max_in_flight_bytes;
  }
  constexpr std::uint64_t kOther = kFixedBytes + kKeptBytes;
  const std::uint64_t left = memory_limit > kOther ? memory_limit - kOther : 0;
  return std::clamp(left, kMinInFlightBytes, defaults.max_in_flight_bytes);
}

// Sizes that the machine gives are in bytes; people read MiB.
std::string RoundedSize(std::uint64_t bytes) {
  return bytes < 10 * kMiB ? FormatByteSize(bytes) : absl::StrCat(bytes / kMiB, "MiB");
}

std::string TooMuchInFlight(const Options& options, const LimitSources& sources) {
  const std::uint64_t limit = options.memory_limit;
  const std::string room =
      limit > kFixedBytes
          ? absl::StrCat("at most ", RoundedSize(limit - kFixedBytes), " in flight: lower it or ")
          : std::string("more memory: ");
  return absl::StrCat(
      "--max-in-flight-bytes (", RoundedSize(options.max_in_flight_bytes), ", from ",
      sources.max_in_flight_bytes, ") and the ", RoundedSize(kFixedBytes),
      " that the server needs besides exceed the memory limit (", RoundedSize(limit), ", from ",
      sources.memory_limit, "); expected ", room,
      "raise the memory limit, because the system may kill a process that uses more");
}

}  // namespace

LimitChoice ChooseLimits(const GivenValues& given, const MachineResources& machine,
                         Options& options) {
  const Options defaults;
  LimitChoice choice;
  LimitSources& sources = choice.sources;
  // Returns whether the setting is given, and sets `source` if it is.
  const auto is_given = [&given](std::string_view name, std::string& source) {
    const auto value = given.find(name);
    if (value == given.end()) {
      return false;
    }
    source = value->second.source;
    return true;
  };

  if (!is_given(kWorkerThreadsName, sources.worker_threads)) {
    options.worker_threads = std::clamp<std::size_t>(machine.processors, 1, kMaxWorkerThreads);
    sources.worker_threads = machine.processors_from;
  }
  const bool is_limit_given = is_given(kMemoryLimitName, sources.memory_limit);
  if (!is_limit_given) {
    options.memory_limit = machine.memory_bytes;
    sources.memory_limit = machine.memory_from;
  }
  const bool is_message_given = is_given(kMaxMessageBytesName, sources.max_message_bytes);
  if (!is_given(kMaxInFlightBytesName, sources.max_in_flight_bytes)) {
    options.max_in_flight_bytes = FittingInFlightBytes(defaults, options.memory_limit);
    const bool is_limited = options.max_in_flight_bytes < defaults.max_in_flight_bytes;
    sources.max_in_flight_bytes = is_limited ? sources.memory_limit : "the default";
    if (is_message_given && options.max_in_flight_bytes < options.max_message_bytes) {
      options.max_in_flight_bytes = options.max_message_bytes;
      sources.max_in_flight_bytes = sources.max_message_bytes;
    }
  }
  if (!is_message_given) {
    const bool is_limited = options.max_in_flight_bytes < defaults.max_message_bytes;
    options.max_message_bytes = std::max<std::uint64_t>(
        std::min(defaults.max_message_bytes, options.max_in_flight_bytes), 1);
    sources.max_message_bytes = is_limited ? sources.max_in_flight_bytes : "the default";
  }
  const bool is_enforced = is_limit_given || machine.is_memory_enforced;
  if (is_enforced && options.memory_limit != 0 &&
      (options.memory_limit < kFixedBytes ||
       options.max_in_flight_bytes > options.memory_limit - kFixedBytes)) {
    choice.warnings.push_back(TooMuchInFlight(options, sources));
  }
  return choice;
}

}  // namespace quantd::server
