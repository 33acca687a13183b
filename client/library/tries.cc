#include "client/library/tries.h"

#include <algorithm>
#include <cassert>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/error.h"
#include "wire/status.h"

namespace quantd::client {
namespace {

using std::chrono::milliseconds;

std::optional<milliseconds> PushbackOf(const grpc::Status& status,
                                       const grpc::ClientContext& context) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto trailer = trailers.find("grpc-retry-pushback-ms");
  if (trailer == trailers.end()) {
    return wire::RetryDelay(status);
  }
  std::int64_t count = 0;
  // What is not a number forbids a try, as the proposal says.
  return absl::SimpleAtoi(absl::string_view(trailer->second.data(), trailer->second.size()), &count)
             ? milliseconds(count)
             : milliseconds(-1);
}

}  // namespace

TryEnd EndOf(const grpc::Status& status, const grpc::ClientContext& context) {
  return {.status = wire::ToAbslStatus(status), .pushback = PushbackOf(status, context)};
}

bool MayEndOtherwise(const absl::Status& status) {
  const std::optional<core::ErrorDetail> detail = core::GetErrorDetail(status);
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      return true;
    case absl::StatusCode::kResourceExhausted:
      return detail.has_value() ? detail->Is(core::ErrorReason::kInFlightLimit)
                                : !absl::StrContains(status.message(), "larger than max");
    case absl::StatusCode::kInternal:
      // An empty frame that meets a window below zero (docs/reliability.md).
      return !detail.has_value() && absl::StrContains(status.message(), "RST_STREAM");
    case absl::StatusCode::kCancelled:
      // By a server that stops. The client itself gives its own reasons for what it cancels.
      return !detail.has_value();
    default:
      return false;
  }
}

bool RetryBudget::Take() {
  std::int64_t fifths = fifths_.load();
  while (fifths >= kAnswersPerTry) {
    if (fifths_.compare_exchange_weak(fifths, fifths - kAnswersPerTry)) {
      return true;
    }
  }
  return false;
}

void RetryBudget::Earn() {
  std::int64_t fifths = fifths_.load();
  while (fifths < kMaxTries * kAnswersPerTry &&
         !fifths_.compare_exchange_weak(fifths, fifths + 1)) {
  }
}

std::optional<Tries::Clock::duration> Tries::Fail(const std::string& address, const TryEnd& end,
                                                  Clock::time_point deadline) {
  assert(!end.status.ok());
  const Clock::time_point now = Clock::now();
  ++failures_;
  ++failures_in_outage_;
  outage_start_ = outage_start_.value_or(now);
  std::erase_if(last_failures_, [&](const Failure& failure) { return failure.address == address; });
  last_failures_.push_back({.address = address, .status = end.status});
  if (options_.max_outage <= milliseconds(0) || !MayEndOtherwise(end.status) ||
      end.pushback.value_or(milliseconds(0)) < milliseconds(0)) {
    return std::nullopt;
  }
  const Clock::duration wait = WaitAfter(end);
  const bool is_too_late = now + wait >= std::min(deadline, *outage_start_ + options_.max_outage);
  return is_too_late || !budget_->Take() ? std::nullopt : std::optional(wait);
}

Tries::Clock::duration Tries::WaitAfter(const TryEnd& end) {
  if (end.pushback.has_value()) {
    return *end.pushback;
  }
  // Another server may answer at once.
  if (failures_in_outage_ < servers_) {
    return Clock::duration::zero();
  }
  if (!backoff_.has_value()) {
    backoff_.emplace(options_.initial_backoff, options_.max_backoff, std::random_device()());
  }
  return backoff_->After(failures_in_outage_ / servers_);
}

void Tries::Progress() {
  outage_start_.reset();
  failures_in_outage_ = 0;
}

absl::Status Tries::Summarize(const absl::Status& last) const {
  if (failures_ <= 1) {
    return last;
  }
  const std::chrono::duration<double> duration = Clock::now() - start_;
  std::string message = absl::StrCat(
      last.message(), absl::StrFormat(" (%d tries in %.1f s", failures_, duration.count()));
  for (std::size_t i = 0; i + 1 < last_failures_.size(); ++i) {
    absl::StrAppend(&message, "; ", last_failures_[i].address, ": ",
                    last_failures_[i].status.message());
  }
  message += ')';
  const std::optional<core::ErrorDetail> detail = core::GetErrorDetail(last);
  return detail.has_value() ? core::MakeError(last.code(), message, *detail)
                            : absl::Status(last.code(), message);
}

}  // namespace quantd::client
