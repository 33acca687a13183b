// Finds the times in which nobody answered.

#ifndef QUANTD_CLIENT_LOAD_OUTAGES_H_
#define QUANTD_CLIENT_LOAD_OUTAGES_H_

#include <chrono>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"

namespace quantd::client {

// Whether a call ended in this way because nobody answered it: UNAVAILABLE,
// DEADLINE_EXCEEDED or ABORTED. Other errors are answers.
bool IsUnanswered(const absl::Status& status);

// The times in which calls failed because nobody answered, and none was answered. Those
// shorter than kShortestOutage are single failures and do not count.
struct Outages {
  std::uint64_t count = 0;
  std::chrono::nanoseconds total{0};
  std::chrono::nanoseconds longest{0};

  // Adds those of a load that followed.
  void Append(const Outages& next);
};

inline constexpr std::chrono::milliseconds kShortestOutage{100};

// Finds the outages of a load from how its calls end. All times are those since the
// start of the load. Calls may be reported in another order than that in which they end.
class OutageRecorder {
 public:
  // An outage begins when the first call is sent that is not answered, but not before
  // the last answer.
  void AddUnanswered(std::chrono::nanoseconds sent);
  void AddAnswer(std::chrono::nanoseconds ended);

  // Returns the outages of a load that ended at `end`, where an outage may end, too.
  Outages OutagesUntil(std::chrono::nanoseconds end) const;

 private:
  Outages ended_;
  std::optional<std::chrono::nanoseconds> began_;
  std::chrono::nanoseconds last_answer_{0};
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_OUTAGES_H_
