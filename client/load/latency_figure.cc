#include "client/load/latency_figure.h"

#include <algorithm>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"

namespace quantd::client {

std::chrono::nanoseconds LatencyFigure::Of(const LatencyHistogram& histogram) const {
  return quantile.has_value() ? histogram.Quantile(*quantile) : histogram.Mean();
}

std::optional<std::chrono::nanoseconds> LatencyFigure::OfAll(const LatencyHistogram& histogram,
                                                             const CallCounts& calls) const {
  if (calls.failed == 0) {
    return Of(histogram);
  }
  const std::uint64_t rank =
      quantile.has_value() ? std::max<std::uint64_t>(RankOf(*quantile, calls.all), 1) : calls.all;
  if (rank > calls.all - calls.failed) {
    return std::nullopt;
  }
  return histogram.Quantile(static_cast<double>(rank) / static_cast<double>(histogram.count()));
}

std::optional<LatencyFigure> ParseLatencyFigure(std::string_view name) {
  if (name == "mean") {
    return LatencyFigure{.quantile = std::nullopt};
  }
  if (name == "max") {
    return LatencyFigure{.quantile = 1};
  }
  if (!name.starts_with('p')) {
    return std::nullopt;
  }
  const std::string digits = absl::StrReplaceAll(std::string(name.substr(1)), {{"_", "."}});
  // Parses the percentage with an exponent, because 99.9 / 100 would be slightly more
  // than 0.999.
  double quantile = 0;
  if (!absl::SimpleAtod(absl::StrCat(digits, "e-2"), &quantile) ||
      !(quantile >= 0 && quantile <= 1)) {
    return std::nullopt;
  }
  return LatencyFigure{.quantile = quantile};
}

absl::StatusOr<LatencyTarget> ParseLatencyTarget(std::string_view text) {
  const std::size_t equals = text.find('=');
  const auto figure = ParseLatencyFigure(text.substr(0, equals));
  absl::Duration limit;
  if (equals == std::string_view::npos || !figure.has_value() ||
      !absl::ParseDuration(std::string(text.substr(equals + 1)), &limit) ||
      limit <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", std::string(text),
                     "\" is not a valid latency target; expected FIGURE=DURATION, such as p99=5ms, "
                     "where FIGURE is p50, p99.9, …, max or mean"));
  }
  return LatencyTarget{.figure = *figure, .limit = absl::ToChronoNanoseconds(limit)};
}

}  // namespace quantd::client
