// Draws charts as SVG, for HTML pages.

#ifndef QUANTD_CLIENT_QUANTCTL_SVG_CHART_H_
#define QUANTD_CLIENT_QUANTCTL_SVG_CHART_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace quantd::client {

struct ChartAxis {
  // With the unit, unless `format` adds it.
  std::string title;
  // If true, only values above 0 are shown.
  bool is_logarithmic = false;
  // Formats a value for ticks and tooltips.
  std::function<std::string(double)> format = nullptr;
  // The positions of ticks; if empty, ticks are at round values.
  std::vector<double> ticks = {};
};

struct ChartPoint {
  double x;
  double y;
  // Additional text for the tooltip.
  std::string note = {};
};

enum class ChartStyle { kLine, kBars };

struct ChartSeries {
  std::string name;
  ChartStyle style = ChartStyle::kLine;
  // In order of x. A bar extends to the x of the next point; the last point only
  // ends the last bar.
  std::vector<ChartPoint> points = {};
};

struct Chart {
  // The id of the element, for links: "latency-over-time".
  std::string id;
  std::string title;
  ChartAxis x;
  ChartAxis y;
  std::vector<ChartSeries> series = {};
};

// Returns a <figure> with the chart, its title, a legend, and one tooltip per
// point. Series have the classes s0, s1, …, which kChartStyle colors. A chart
// without points shows a note instead.
std::string DrawChart(const Chart& chart);

// The CSS that charts need, for light and dark mode.
extern const std::string_view kChartStyle;

// Escapes the characters of `text` that are markup in HTML.
std::string EscapeHtml(std::string_view text);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_SVG_CHART_H_
