// Bounds how often events that repeat are logged.

#ifndef QUANTD_SERVER_TELEMETRY_REPETITION_LIMIT_H_
#define QUANTD_SERVER_TELEMETRY_REPETITION_LIMIT_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace quantd::server {

// Permits a number of events per interval and group, and counts the others. The
// first event after the end of an interval begins the next one. Groups are to be from
// a fixed set, such as methods and reasons. Not thread-safe.
class RepetitionLimit {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::milliseconds kInterval{1000};
  static constexpr std::size_t kMaxOfGroup = 10;
  // However many groups there are.
  static constexpr std::size_t kMaxOfAll = 100;

  // The events of a group that were not permitted.
  struct Suppressed {
    std::string group;
    std::uint64_t count = 0;
  };

  // Returns whether one more event of `group` may be logged, and counts it. TakeIfOver()
  // has to be called with the same time before.
  bool Permit(const std::string& group, TimePoint now);

  // If the interval has ended by `now`, returns what was suppressed in it and forgets it.
  std::vector<Suppressed> TakeIfOver(TimePoint now);

  // Returns what was suppressed so far and forgets it.
  std::vector<Suppressed> Take();

  // When the interval ends, if something is suppressed in it.
  std::optional<TimePoint> summary_time() const;

 private:
  struct Counts {
    std::size_t permitted = 0;
    std::uint64_t suppressed = 0;
  };

  std::optional<TimePoint> end_;
  std::map<std::string, Counts> groups_;
  std::size_t permitted_ = 0;
  bool suppresses_ = false;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_REPETITION_LIMIT_H_
