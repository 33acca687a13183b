// Charts as SVG, to stand in an HTML page.

#ifndef QUANTD_CLIENT_QUANTCTL_SVG_CHART_H_
#define QUANTD_CLIENT_QUANTCTL_SVG_CHART_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace quantd::client {

struct ChartAxis {
  // With the unit, unless `format` tells it.
  std::string title;
  // Values are above 0 then.
  bool is_logarithmic = false;
  // A value as text, for ticks and tooltips.
  std::function<std::string(double)> format = nullptr;
  // Where ticks stand; empty for round values.
  std::vector<double> ticks = {};
};

struct ChartPoint {
  double x;
  double y;
  // What else a tooltip tells.
  std::string note = {};
};

enum class ChartStyle { kLine, kBars };

struct ChartSeries {
  std::string name;
  ChartStyle style = ChartStyle::kLine;
  // In order of x. Bars reach to the next point's x; the last point ends the last
  // bar.
  std::vector<ChartPoint> points = {};
};

struct Chart {
  // Of the element, for links: "latency-over-time".
  std::string id;
  std::string title;
  ChartAxis x;
  ChartAxis y;
  std::vector<ChartSeries> series = {};
};

// A <figure> with the chart, its title and a legend, and a tooltip at each
// point. Series have the classes s0, s1, …, which kChartStyle colours. A chart
// without points says so.
std::string DrawChart(const Chart& chart);

// The CSS that charts need: light and dark.
extern const std::string_view kChartStyle;

// `text` with what HTML takes for markup replaced.
std::string EscapeHtml(std::string_view text);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_SVG_CHART_H_
