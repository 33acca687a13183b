#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "client/load/format.h"
#include "client/load/latency_figure.h"
#include "client/quantctl/load_report.h"
#include "client/quantctl/svg_chart.h"

namespace quantd::client {
namespace {

constexpr std::string_view kPageStyle = R"(
:root { color-scheme: light dark; --back: #f6f7f9; --card: #fff; --text: #1b2330; --faint: #5d6878; --line: #e2e6eb;
  --good: #00704f; --warn: #8a5a00; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --back: #11151b; --card: #1a2029; --text: #e8ecf2; --faint: #98a4b5; --line: #2b333f;
    --good: #4fd1a5; --warn: #f0bf5c; --bad: #ff8a80; }
}
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 0.6rem; }
p.about { color: var(--faint); margin: 0.2rem 0; overflow-wrap: anywhere; }
ul.notes { list-style: none; padding: 0; margin: 1rem 0; }
ul.notes li { background: var(--card); border-left: 4px solid; border-radius: 4px; padding: 0.45rem 0.8rem; margin: 0.4rem 0; overflow-wrap: anywhere; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 0.8rem; margin: 1rem 0; }
.tiles div, figure, .table { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 0.8rem 1rem; }
.tiles b { display: block; font-size: 1.35rem; font-weight: 600; } .tiles span { color: var(--faint); font-size: 0.85rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(460px, 100%), 1fr)); gap: 0.8rem; }
figcaption { font-weight: 600; }
.table { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; } tr:last-child td { border-bottom: 0; }
tr.main td { font-weight: 600; }
.empty { color: var(--faint); }
)";

std::string Tile(const std::string& value, std::string_view name) {
  return absl::StrCat("<div><b>", EscapeHtml(value), "</b><span>", std::string(name),
                      "</span></div>");
}

using TableRow = std::vector<std::string>;

// Returns a table. `names` are the column names, if any; `main` is the row to
// highlight, if any.
std::string Table(const TableRow& names, const std::vector<TableRow>& rows,
                  std::optional<std::size_t> main) {
  std::string html = "<div class=\"table\"><table>";
  if (!names.empty()) {
    absl::StrAppend(&html, "<thead><tr>");
    for (const std::string& name : names) {
      absl::StrAppend(&html, "<th>", EscapeHtml(name), "</th>");
    }
    absl::StrAppend(&html, "</tr></thead>");
  }
  absl::StrAppend(&html, "<tbody>");
  for (std::size_t index = 0; index < rows.size(); ++index) {
    absl::StrAppend(&html, index == main ? "<tr class=\"main\">" : "<tr>");
    for (const std::string& text : rows[index]) {
      absl::StrAppend(&html, "<td>", EscapeHtml(text), "</td>");
    }
    absl::StrAppend(&html, "</tr>");
  }
  return absl::StrCat(html, "</tbody></table></div>\n");
}

std::string Notes(const LoadReport& report) {
  std::string notes;
  const auto add = [&notes](std::string_view kind, const std::string& text) {
    absl::StrAppend(&notes, "<li class=\"", std::string(kind), "\">", EscapeHtml(text), "</li>");
  };
  for (const std::string& failure : report.failures) {
    add("bad", absl::StrCat("Not good enough: ", failure));
  }
  if (report.failures.empty() && !report.conditions.empty()) {
    add("good", absl::StrCat("Good enough: none of the ", report.conditions.size(),
                             " --fail-if conditions holds"));
  }
  for (const std::string& warning : Warnings(report)) {
    add("warn", warning);
  }
  return notes.empty() ? "" : absl::StrCat("<ul class=\"notes\">", notes, "</ul>\n");
}

std::string Tiles(const LoadResult& result) {
  constexpr double kMedian = 0.5;
  constexpr double kTail = 0.99;
  return absl::StrCat(
      "<div class=\"tiles\">", Tile(FormatNumber(result.CallsPerSecond()), "calls per second"),
      Tile(absl::StrCat(FormatNumber(result.GigabytesPerSecond()), " GB/s"),
           "of tensors, sent and received"),
      Tile(FormatTime(result.latency.Quantile(kMedian)), "latency, p50"),
      Tile(FormatTime(result.latency.Quantile(kTail)), "latency, p99"),
      Tile(FormatTime(result.latency.max()), "latency, max"),
      Tile(absl::StrCat(result.errors, " of ", result.calls), "calls with an error"),
      result.outages.count > 0 ? Tile(FormatTime(result.outages.total), "without any answer") : "",
      "</div>\n");
}

ChartAxis TimeSinceStart() { return {.title = "time since the start", .format = FormatSeconds}; }

ChartAxis LatencyAxis() { return {.title = "", .is_logarithmic = true, .format = FormatSeconds}; }

Chart ThroughputOverTime(const LoadResult& result) {
  Chart chart{.id = "throughput-over-time",
              .title = "Throughput over time",
              .x = TimeSinceStart(),
              .y = {.title = "per second", .format = FormatNumber},
              .series = {{.name = "answers"}, {.name = "errors"}}};
  const double length = Seconds(result.timeline.interval_length());
  const auto& intervals = result.timeline.intervals();
  for (std::size_t index = 0; index < intervals.size(); ++index) {
    const double begin = length * static_cast<double>(index);
    // The last interval may be incomplete.
    const double lasted = std::min(length, Seconds(result.time) - begin);
    if (lasted < length / 4 && index > 0) {
      break;
    }
    const double middle = begin + lasted / 2;
    chart.series[0].points.push_back(
        {.x = middle, .y = static_cast<double>(intervals[index].calls) / lasted});
    chart.series[1].points.push_back(
        {.x = middle, .y = static_cast<double>(intervals[index].errors) / lasted});
  }
  if (result.errors == 0) {
    chart.series.pop_back();
  }
  return chart;
}

Chart LatencyOverTime(const LoadResult& result) {
  Chart chart{.id = "latency-over-time",
              .title = "Latency over time",
              .x = TimeSinceStart(),
              .y = LatencyAxis()};
  constexpr std::array<NamedQuantile, 3> kFigures = {kReportedQuantiles[0], kReportedQuantiles[3],
                                                     kReportedQuantiles[6]};
  const double length = Seconds(result.timeline.interval_length());
  for (const NamedQuantile& figure : kFigures) {
    ChartSeries series{.name = std::string(figure.name)};
    double begin = 0;
    for (const Timeline::Interval& interval : result.timeline.intervals()) {
      series.points.push_back({.x = begin + length / 2,
                               .y = interval.latency.count() > 0
                                        ? Seconds(interval.latency.Quantile(figure.quantile))
                                        : std::nan(""),
                               .note = absl::StrCat(interval.calls, " answers")});
      begin += length;
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

ChartSeries HistogramBars(std::string name, const LatencyHistogram& histogram,
                          std::span<const std::chrono::nanoseconds> edges) {
  ChartSeries series{.name = std::move(name), .style = ChartStyle::kBars};
  const std::vector<std::uint64_t> counts = histogram.CountBetween(edges);
  for (std::size_t index = 0; index < edges.size(); ++index) {
    series.points.push_back(
        {.x = Seconds(edges[index]),
         .y = index < counts.size() ? static_cast<double>(counts[index]) : 0,
         .note = index < counts.size() ? absl::StrCat("to ", FormatTime(edges[index + 1])) : ""});
  }
  return series;
}

Chart Distribution(const LoadResult& result) {
  Chart chart{.id = "histogram",
              .title = "Distribution of latencies",
              .x = {.title = "time, logarithmic", .is_logarithmic = true, .format = FormatSeconds},
              .y = {.title = "calls", .format = FormatNumber}};
  if (result.latency.count() == 0) {
    return chart;
  }
  constexpr double kBarsPerDecade = 24;
  std::chrono::nanoseconds least = result.latency.min();
  std::chrono::nanoseconds most = result.latency.max();
  if (result.service_time.count() > 0) {
    least = std::min(least, result.service_time.min());
    most = std::max(most, result.service_time.max());
  }
  std::vector<std::chrono::nanoseconds> edges;
  const double last = std::log10(static_cast<double>(most.count()) + 1);
  double edge = std::log10(std::max(static_cast<double>(least.count()), 1.0));
  do {
    edges.emplace_back(std::llround(std::floor(std::pow(10, edge))));
    edge += 1 / kBarsPerDecade;
  } while (static_cast<double>(edges.back().count()) <= std::pow(10, last));
  chart.series.push_back(HistogramBars("latency", result.latency, edges));
  if (result.plan.rate.has_value()) {
    chart.series.push_back(HistogramBars("service time", result.service_time, edges));
  }
  return chart;
}

// Shows percentiles up to the highest one that the number of calls supports.
Chart Percentiles(const LoadResult& result) {
  Chart chart{
      .id = "percentiles",
      .title = "Latency by percentile",
      .x = {.title = "percentile",
            .is_logarithmic = true,
            .format =
                [](double one_in) { return absl::StrFormat("%.6g %%", 100 * (1 - 1 / one_in)); },
            .ticks = {1, 2, 10, 100, 1e3, 1e4, 1e5, 1e6}},
      .y = LatencyAxis(),
      .series = {}};
  constexpr double kPointsPerDecade = 10;
  const auto add = [&](std::string name, const LatencyHistogram& histogram) {
    ChartSeries series{.name = std::move(name)};
    const auto count = static_cast<double>(histogram.count());
    for (double exponent = 0; std::pow(10, exponent) <= count; exponent += 1 / kPointsPerDecade) {
      const double one_in = std::pow(10, exponent);
      series.points.push_back({.x = one_in, .y = Seconds(histogram.Quantile(1 - 1 / one_in))});
    }
    chart.series.push_back(std::move(series));
  };
  add("latency", result.latency);
  if (result.plan.rate.has_value()) {
    add("service time", result.service_time);
  }
  return chart;
}

// Returns what varies between the loads of a series.
double Step(const LoadReport& report, const MeasuredLoad& load) {
  return report.series == LoadSeries::kConcurrencySweep
             ? static_cast<double>(load.result.plan.concurrency)
             : load.result.plan.rate.value_or(0);
}

std::string_view StepName(const LoadReport& report) {
  return report.series == LoadSeries::kConcurrencySweep ? "calls under way" : "offered, calls/s";
}

std::vector<const MeasuredLoad*> InOrder(const LoadReport& report) {
  std::vector<const MeasuredLoad*> loads;
  for (const MeasuredLoad& load : report.loads) {
    loads.push_back(&load);
  }
  std::ranges::stable_sort(loads, {},
                           [&](const MeasuredLoad* load) { return Step(report, *load); });
  return loads;
}

Chart SweepOfThroughput(const LoadReport& report) {
  Chart chart{.id = "sweep-throughput",
              .title = "Throughput of each load",
              .x = {.title = std::string(StepName(report)), .format = FormatNumber},
              .y = {.title = "calls per second", .format = FormatNumber},
              .series = {{.name = "answered"}}};
  for (const MeasuredLoad* load : InOrder(report)) {
    chart.series[0].points.push_back(
        {.x = Step(report, *load), .y = load->result.CallsPerSecond()});
  }
  return chart;
}

Chart SweepOfLatency(const LoadReport& report) {
  Chart chart{.id = "sweep-latency",
              .title = "Latency of each load",
              .x = {.title = std::string(StepName(report)), .format = FormatNumber},
              .y = LatencyAxis()};
  for (const NamedQuantile& figure :
       {kReportedQuantiles[0], kReportedQuantiles[3], kReportedQuantiles[4]}) {
    ChartSeries series{.name = std::string(figure.name)};
    for (const MeasuredLoad* load : InOrder(report)) {
      series.points.push_back({.x = Step(report, *load),
                               .y = Seconds(load->result.latency.Quantile(figure.quantile)),
                               .note = load->result.IsSaturated() ? "saturated" : ""});
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

std::string FiguresTable(const LoadResult& result) {
  std::vector<TableRow> rows;
  rows.reserve(kReportedQuantiles.size() + 1);
  for (const NamedQuantile& figure : kReportedQuantiles) {
    rows.push_back({std::string(figure.name), FormatTime(result.latency.Quantile(figure.quantile)),
                    FormatTime(result.service_time.Quantile(figure.quantile))});
  }
  rows.push_back(
      {"mean", FormatTime(result.latency.Mean()), FormatTime(result.service_time.Mean())});
  return absl::StrCat("<section><h2>Percentiles</h2>\n",
                      Table({"", "latency", "service time"}, rows, std::nullopt), "</section>\n");
}

std::string LoadsTable(const LoadReport& report) {
  const bool is_search = report.series == LoadSeries::kRateSearch;
  TableRow names = {std::string(StepName(report)),
                    "answered/s",
                    "GB/s",
                    "p50",
                    "p99",
                    "p99.9",
                    "max",
                    "errors",
                    is_search ? report.latency_target : "saturated"};
  std::vector<TableRow> rows;
  for (const MeasuredLoad& load : report.loads) {
    const LoadResult& result = load.result;
    TableRow row = {FormatNumber(Step(report, load)), FormatNumber(result.CallsPerSecond()),
                    FormatNumber(result.GigabytesPerSecond())};
    for (const std::size_t figure : {0, 3, 4, 6}) {
      row.push_back(FormatTime(result.latency.Quantile(kReportedQuantiles[figure].quantile)));
    }
    row.push_back(absl::StrCat(result.errors));
    row.emplace_back(is_search ? (load.holds ? "met" : "not met")
                               : (result.IsSaturated() ? "yes" : "no"));
    rows.push_back(std::move(row));
  }
  return Table(names, rows, report.main_load());
}

std::string ServerTable(const ServerView& server) {
  std::vector<TableRow> rows;
  for (const ServerFact& fact : DescribeServer(server)) {
    rows.push_back({fact.name, fact.text});
  }
  return absl::StrCat("<section><h2>As the server saw it</h2>\n", Table({}, rows, std::nullopt),
                      "</section>\n");
}

}  // namespace

std::string LoadPage(const LoadReport& report) {
  const MeasuredLoad& main = report.loads[report.main_load()];
  const bool is_series = report.series != LoadSeries::kSingle;
  std::string page = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>quantd load test</title>\n<style>",
      std::string(kPageStyle), std::string(kChartStyle),
      "</style>\n</head>\n<body>\n<main>\n<h1>quantd load test</h1>\n");
  const std::string about_warmup = absl::StrCat("after a warm-up of ", FormatTime(report.warmup),
                                                " with ", report.warmup_calls, " calls");
  absl::StrAppend(&page, "<p class=\"about\">", EscapeHtml(DescribeTest(report)),
                  "</p>\n<p class=\"about\">",
                  EscapeHtml(absl::StrCat(
                      DescribePlan(report, main.result.plan), ", ", about_warmup, "; ",
                      absl::FormatTime("%Y-%m-%d %H:%M:%S %z", absl::FromChrono(report.started),
                                       absl::LocalTimeZone()))),
                  "</p>\n", Notes(report), Tiles(main.result));
  if (is_series) {
    absl::StrAppend(&page, "<h2>All loads</h2>\n<div class=\"charts\">\n",
                    DrawChart(SweepOfThroughput(report)), DrawChart(SweepOfLatency(report)),
                    "</div>\n<p></p>\n", LoadsTable(report), "<h2>",
                    EscapeHtml(DescribePlan(report, main.result.plan)), "</h2>\n");
  }
  absl::StrAppend(&page, "<div class=\"charts\">\n", DrawChart(ThroughputOverTime(main.result)),
                  DrawChart(LatencyOverTime(main.result)), DrawChart(Distribution(main.result)),
                  DrawChart(Percentiles(main.result)), "</div>\n<div class=\"charts\">\n",
                  FiguresTable(main.result));
  if (report.server.has_value()) {
    absl::StrAppend(&page, ServerTable(*report.server));
  }
  return absl::StrCat(page, "</div>\n</main>\n</body>\n</html>\n");
}

}  // namespace quantd::client
