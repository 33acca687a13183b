#include "client/load/condition.h"

#include <chrono>
#include <cmath>
#include <limits>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "client/load/format.h"
#include "client/load/latency_figure.h"

namespace quantd::client {
namespace {

constexpr std::string_view kSaturated = "saturated";
constexpr std::string_view kServicePrefix = "service.";

bool ParseNumber(std::string_view text, double* number) {
  return absl::SimpleAtod(std::string(text), number);
}

// Parses a percentage such as "0.1%", or a number up to 1.
bool ParseShare(std::string_view text, double* share) {
  constexpr double kPercent = 100;
  if (!text.ends_with('%')) {
    return ParseNumber(text, share);
  }
  text.remove_suffix(1);
  if (!ParseNumber(text, share)) {
    return false;
  }
  *share /= kPercent;
  return true;
}

bool ParseSeconds(std::string_view text, double* seconds) {
  absl::Duration duration;
  if (!absl::ParseDuration(std::string(text), &duration)) {
    return false;
  }
  *seconds = absl::ToDoubleSeconds(duration);
  return true;
}

// Returns a figure of all calls: infinity if too many failed for it to be known.
double SecondsOf(const LatencyFigure& figure, bool is_service_time, const LoadResult& result) {
  // Calls that were never sent have a latency, too.
  const CallCounts calls = {.all = result.calls + (is_service_time ? 0 : result.unsent),
                            .failed = result.errors};
  const std::optional<std::chrono::nanoseconds> time =
      figure.OfAll(is_service_time ? result.service_time : result.latency, calls);
  return time.has_value() ? Seconds(*time) : std::numeric_limits<double>::infinity();
}

absl::Status NoCondition(std::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", std::string(text),
      "\" is not a valid condition; expected FIGURE, <, <=, > or >=, and a limit, such as "
      "p99>10ms, service.p50>1ms, errors>0, error_rate>0.1%, calls_per_second<1000, "
      "gigabytes_per_second<1 or sent_rate<1000; or: saturated"));
}

}  // namespace

bool Condition::FindFigure(std::string_view name, Figure* figure) {
  if (name == "errors") {
    *figure = {[](const LoadResult& result) { return static_cast<double>(result.errors); },
               FormatNumber, ParseNumber};
  } else if (name == "error_rate") {
    *figure = {&LoadResult::ErrorRate, FormatShare, ParseShare};
  } else if (name == "calls_per_second") {
    *figure = {&LoadResult::CallsPerSecond, FormatNumber, ParseNumber};
  } else if (name == "gigabytes_per_second") {
    *figure = {&LoadResult::GigabytesPerSecond, FormatNumber, ParseNumber};
  } else if (name == "sent_rate") {
    *figure = {&LoadResult::SentPerSecond, FormatNumber, ParseNumber};
  } else {
    const bool is_service_time = name.starts_with(kServicePrefix);
    name.remove_prefix(is_service_time ? kServicePrefix.size() : 0);
    const std::optional<LatencyFigure> latency = ParseLatencyFigure(name);
    if (!latency.has_value()) {
      return false;
    }
    *figure = {[latency = *latency, is_service_time](const LoadResult& result) {
                 return SecondsOf(latency, is_service_time, result);
               },
               FormatSeconds, ParseSeconds};
  }
  return true;
}

absl::StatusOr<Condition> Condition::Parse(std::string_view text) {
  Condition condition;
  condition.text_ = text;
  if (text == kSaturated) {
    condition.name_ = kSaturated;
    condition.figure_ = {[](const LoadResult& result) { return result.IsSaturated() ? 1.0 : 0.0; },
                         [](double value) { return value > 0 ? "true" : "false"; }, ParseNumber};
    condition.compare_ = std::greater<>();
    return condition;
  }
  const std::size_t sign = text.find_first_of("<>");
  if (sign == std::string_view::npos) {
    return NoCondition(text);
  }
  condition.name_ = std::string(absl::StripAsciiWhitespace(std::string(text.substr(0, sign))));
  const bool or_equal = text.substr(sign + 1).starts_with('=');
  if (text[sign] == '<') {
    condition.compare_ =
        or_equal ? std::function<bool(double, double)>(std::less_equal<>()) : std::less<>();
  } else {
    condition.compare_ =
        or_equal ? std::function<bool(double, double)>(std::greater_equal<>()) : std::greater<>();
  }
  const std::string limit(
      absl::StripAsciiWhitespace(std::string(text.substr(sign + (or_equal ? 2 : 1)))));
  if (!FindFigure(condition.name_, &condition.figure_) ||
      !condition.figure_.parse_limit(limit, &condition.limit_)) {
    return NoCondition(text);
  }
  return condition;
}

bool Condition::HoldsFor(const LoadResult& result) const {
  return compare_(figure_.of(result), limit_);
}

std::string Condition::Explain(const LoadResult& result) const {
  const double figure = figure_.of(result);
  if (std::isinf(figure)) {
    return absl::StrCat(text_, " (", name_, " is infinite: ", result.errors, " of ", result.calls,
                        " calls failed, and a call that failed counts as one that is never "
                        "answered)");
  }
  return absl::StrCat(text_, " (", name_, " is ", figure_.format(figure), ")");
}

}  // namespace quantd::client
