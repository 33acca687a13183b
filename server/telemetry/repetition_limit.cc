#include "server/telemetry/repetition_limit.h"

#include <utility>

namespace quantd::server {

bool RepetitionLimit::Permit(const std::string& group, TimePoint now) {
  if (!end_.has_value()) {
    end_ = now + kInterval;
  }
  Counts& counts = groups_[group];
  if (counts.permitted < kMaxOfGroup && permitted_ < kMaxOfAll) {
    ++counts.permitted;
    ++permitted_;
    return true;
  }
  ++counts.suppressed;
  suppresses_ = true;
  return false;
}

std::vector<RepetitionLimit::Suppressed> RepetitionLimit::TakeIfOver(TimePoint now) {
  return end_.has_value() && now >= *end_ ? Take() : std::vector<Suppressed>();
}

std::vector<RepetitionLimit::Suppressed> RepetitionLimit::Take() {
  std::vector<Suppressed> result;
  for (const auto& [group, counts] : std::exchange(groups_, {})) {
    if (counts.suppressed > 0) {
      result.push_back({.group = group, .count = counts.suppressed});
    }
  }
  end_.reset();
  permitted_ = 0;
  suppresses_ = false;
  return result;
}

std::optional<RepetitionLimit::TimePoint> RepetitionLimit::summary_time() const {
  return suppresses_ ? end_ : std::nullopt;
}

}  // namespace quantd::server
