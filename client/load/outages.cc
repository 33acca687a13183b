#include "client/load/outages.h"

#include <algorithm>

namespace quantd::client {
namespace {

void Add(std::chrono::nanoseconds length, Outages& outages) {
  if (length >= kShortestOutage) {
    ++outages.count;
    outages.total += length;
    outages.longest = std::max(outages.longest, length);
  }
}

}  // namespace

bool IsUnanswered(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsAborted(status);
}

void Outages::Append(const Outages& next) {
  count += next.count;
  total += next.total;
  longest = std::max(longest, next.longest);
}

void OutageRecorder::AddUnanswered(std::chrono::nanoseconds sent) {
  if (!began_.has_value()) {
    began_ = std::max(sent, last_answer_);
  }
}

void OutageRecorder::AddAnswer(std::chrono::nanoseconds ended) {
  last_answer_ = std::max(last_answer_, ended);
  if (began_.has_value() && ended > *began_) {
    Add(ended - *began_, ended_);
    began_.reset();
  }
}

Outages OutageRecorder::OutagesUntil(std::chrono::nanoseconds end) const {
  Outages outages = ended_;
  if (began_.has_value()) {
    Add(end - *began_, outages);
  }
  return outages;
}

}  // namespace quantd::client
