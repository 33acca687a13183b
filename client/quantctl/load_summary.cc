#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/load/format.h"
#include "client/load/latency_figure.h"
#include "client/quantctl/load_report.h"
#include "client/quantctl/printable.h"
#include "client/quantctl/report.h"

namespace quantd::client {
namespace {

constexpr int kBarWidth = 40;
constexpr double kMega = 1e6;
constexpr double kMedian = 0.5;
constexpr double kTail = 0.99;
constexpr double kFarTail = 0.999;

std::string Padded(std::string_view text, int width) {
  // Counts characters rather than bytes, because µ has two bytes.
  const auto length = std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; });
  return absl::StrCat(std::string(static_cast<std::size_t>(std::max<std::int64_t>(
                                      width - static_cast<std::int64_t>(length), 0)),
                                  ' '),
                      std::string(text));
}

void PrintRow(std::string_view name, const std::vector<std::string>& texts, std::ostream& output) {
  constexpr int kNameWidth = 12;
  constexpr int kColumnWidth = 14;
  output << absl::StrFormat("%-*s", kNameWidth, name);
  for (const std::string& text : texts) {
    output << Padded(text, kColumnWidth);
  }
  output << "\n";
}

void PrintPercentiles(const LoadResult& result, std::ostream& output) {
  PrintRow("", {"latency", "service time"}, output);
  for (const NamedQuantile& figure : kReportedQuantiles) {
    PrintRow(figure.name,
             {FormatTime(result.latency.Quantile(figure.quantile)),
              FormatTime(result.service_time.Quantile(figure.quantile))},
             output);
  }
  PrintRow("mean", {FormatTime(result.latency.Mean()), FormatTime(result.service_time.Mean())},
           output);
}

// Returns edges at round times, from `least` or below to above `most`.
std::vector<std::chrono::nanoseconds> Edges(std::chrono::nanoseconds least,
                                            std::chrono::nanoseconds most) {
  constexpr std::array<double, 6> kSteps = {1, 1.5, 2, 3, 5, 7};
  std::vector<std::chrono::nanoseconds> edges;
  constexpr int kDecades = 18;
  for (int decade = 0; decade < kDecades; ++decade) {
    for (const double step : kSteps) {
      const std::chrono::nanoseconds edge(std::llround(step * std::pow(10, decade)));
      if (edge <= least) {
        edges.clear();
      }
      edges.push_back(edge);
      if (edge > most) {
        return edges;
      }
    }
  }
  return edges;
}

void PrintHistogram(const LatencyHistogram& histogram, std::ostream& output) {
  const std::vector<std::chrono::nanoseconds> edges = Edges(histogram.min(), histogram.max());
  const std::vector<std::uint64_t> counts = histogram.CountBetween(edges);
  const std::uint64_t most = counts.empty() ? 0 : std::ranges::max(counts);
  if (most == 0) {
    return;
  }
  constexpr int kEdgeWidth = 10;
  output << "\ncalls by latency, from\n";
  for (std::size_t index = 0; index < counts.size(); ++index) {
    const double share = static_cast<double>(counts[index]) / static_cast<double>(most);
    // Rounds up, so that every count above 0 is visible.
    const auto length = static_cast<std::size_t>(std::ceil(kBarWidth * share));
    output << Padded(FormatTime(edges[index]), kEdgeWidth) << " |"
           << absl::StrFormat("%-*s", kBarWidth, std::string(length, '#')) << " " << counts[index]
           << "\n";
  }
}

void PrintFigures(const LoadResult& result, std::ostream& output) {
  PrintFact("calls",
            absl::StrCat(result.calls, " in ", FormatTime(result.time), ", ", result.errors,
                         result.errors == 1 ? " error" : " errors"),
            output);
  PrintFact("throughput",
            absl::StrCat(FormatNumber(result.CallsPerSecond()), " calls/s, ",
                         FormatNumber(result.ElementsPerSecond() / kMega), " M elements/s, ",
                         FormatNumber(result.GigabytesPerSecond()), " GB/s"),
            output);
  if (result.retries > 0) {
    PrintFact("retries", absl::StrCat(result.retries, " calls were made again"), output);
  }
  if (result.outages.count > 0) {
    PrintFact("outages", DescribeOutages(result.outages), output);
  }
  if (result.plan.rate.has_value()) {
    PrintFact("rate",
              absl::StrCat("offered ", FormatNumber(*result.plan.rate), "/s, sent ",
                           FormatNumber(result.SentPerSecond()), "/s; ", result.late,
                           " calls waited for a free slot"),
              output);
  }
  PrintFact("client CPU", absl::StrCat(FormatShare(result.ClientCpuShare()), " of this machine"),
            output);
  if (result.plan.verified_share > 0) {
    const auto wrong = result.status_codes.find(kWrongAnswer);
    PrintFact("verified",
              absl::StrCat(result.verified, " answers, ",
                           wrong == result.status_codes.end() ? 0 : wrong->second, " wrong"),
              output);
  }
}

void PrintLoads(const LoadReport& report, std::ostream& output) {
  const bool is_search = report.series == LoadSeries::kRateSearch;
  const bool is_concurrency = report.series == LoadSeries::kConcurrencySweep;
  PrintRow(is_concurrency ? "under way" : "offered/s",
           {"answered/s", "GB/s", "p50", "p99", "p99.9", "errors",
            is_search ? report.latency_target : "saturated"},
           output);
  for (const MeasuredLoad& load : report.loads) {
    const LoadResult& result = load.result;
    PrintRow(
        is_concurrency ? absl::StrCat(result.plan.concurrency)
                       : FormatNumber(result.plan.rate.value_or(0)),
        {FormatNumber(result.CallsPerSecond()), FormatNumber(result.GigabytesPerSecond()),
         FormatTime(result.latency.Quantile(kMedian)), FormatTime(result.latency.Quantile(kTail)),
         FormatTime(result.latency.Quantile(kFarTail)), absl::StrCat(result.errors),
         is_search ? (load.holds ? "met" : "not met") : (result.IsSaturated() ? "yes" : "no")},
        output);
  }
  output << "\n";
}

void PrintFinding(const LoadReport& report, std::ostream& output) {
  if (report.best.has_value()) {
    output << "highest rate that meets " << report.latency_target << ": "
           << FormatNumber(report.loads[*report.best].result.plan.rate.value_or(0))
           << "/s; at that rate:\n";
  } else {
    output << "no rate was found that meets " << report.latency_target
           << "; at the last rate that was tried:\n";
  }
}

}  // namespace

void PrintLoadSummary(const LoadReport& report, std::ostream& output) {
  const MeasuredLoad& main = report.loads[report.main_load()];
  output << Printable(DescribeTest(report)) << "\n";
  if (report.series != LoadSeries::kSingle) {
    output << "\n";
    PrintLoads(report, output);
  }
  if (report.series == LoadSeries::kRateSearch) {
    PrintFinding(report, output);
  }
  output << DescribePlan(report, main.result.plan) << "\n\n";
  PrintFigures(main.result, output);
  output << "\n";
  PrintPercentiles(main.result, output);
  PrintHistogram(main.result.latency, output);
  if (report.server.has_value()) {
    output << "\nas the server saw it\n";
    for (const ServerFact& fact : DescribeServer(*report.server)) {
      PrintFact(fact.name, fact.text, output);
    }
  }
  const std::vector<std::string> warnings = Warnings(report);
  for (const std::string& warning : warnings) {
    output << (&warning == &warnings.front() ? "\n" : "") << "! " << Printable(warning) << "\n";
  }
  for (const std::string& failure : report.failures) {
    output << (&failure == &report.failures.front() ? "\n" : "")
           << "not good enough: " << Printable(failure) << "\n";
  }
}

}  // namespace quantd::client
