// Figures that summarize latencies.

#ifndef QUANTD_CLIENT_LOAD_LATENCY_FIGURE_H_
#define QUANTD_CLIENT_LOAD_LATENCY_FIGURE_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "client/load/latency_histogram.h"

namespace quantd::client {

struct CallCounts {
  std::uint64_t all = 0;
  std::uint64_t failed = 0;
};

// A figure of a histogram: a percentile, the maximum or the mean.
struct LatencyFigure {
  // From 0 to 1, where 1 is the maximum; nullopt for the mean.
  std::optional<double> quantile;

  std::chrono::nanoseconds Of(const LatencyHistogram& histogram) const;

  // Returns the figure of all calls, of which some may have failed, which counts as
  // being infinitely late: nullopt if the figure is infinite for that reason.
  // `histogram` has the times of the others; those of failed calls that it has, too, are
  // taken for longer than these.
  std::optional<std::chrono::nanoseconds> OfAll(const LatencyHistogram& histogram,
                                                const CallCounts& calls) const;
};

// Parses "p50", "p99.9" (or "p99_9"), "max" or "mean". Returns nullopt for other
// names.
std::optional<LatencyFigure> ParseLatencyFigure(std::string_view name);

struct NamedQuantile {
  // The name for people ("p99.9") and the key for machines ("p99_9").
  std::string_view name;
  std::string_view key;
  double quantile;
};

// The quantiles in every report.
inline constexpr std::array<NamedQuantile, 7> kReportedQuantiles = {{
    {.name = "p50", .key = "p50", .quantile = 0.5},
    {.name = "p90", .key = "p90", .quantile = 0.9},
    {.name = "p95", .key = "p95", .quantile = 0.95},
    {.name = "p99", .key = "p99", .quantile = 0.99},
    {.name = "p99.9", .key = "p99_9", .quantile = 0.999},
    {.name = "p99.99", .key = "p99_99", .quantile = 0.9999},
    {.name = "max", .key = "max", .quantile = 1},
}};

// A limit that latencies have to meet, such as "p99=5ms".
struct LatencyTarget {
  LatencyFigure figure;
  std::chrono::nanoseconds limit;

  bool IsKeptBy(const LatencyHistogram& histogram) const { return figure.Of(histogram) <= limit; }
};

// Parses FIGURE=DURATION.
//
// Errors: kInvalidArgument, with what was expected.
absl::StatusOr<LatencyTarget> ParseLatencyTarget(std::string_view text);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_LATENCY_FIGURE_H_
