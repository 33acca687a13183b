#include "client/quantctl/svg_chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace quantd::client {
namespace {

// All lengths are in units of the drawing, which is scaled to the page.
constexpr double kWidth = 640;
constexpr double kHeight = 300;
constexpr double kLeft = 66;
constexpr double kRight = 14;
constexpr double kTop = 12;
constexpr double kBottom = 46;
constexpr double kPointRadius = 2.2;
// The radius of the invisible circle that triggers the tooltip.
constexpr double kTargetRadius = 7;
constexpr double kTickGap = 6;
constexpr double kTitleGap = 36;
constexpr double kTextDrop = 4;

struct Interval {
  double least = std::numeric_limits<double>::infinity();
  double most = -std::numeric_limits<double>::infinity();

  void Include(double value) {
    least = std::min(least, value);
    most = std::max(most, value);
  }
};

// Returns the smallest number that is at least `value` and is 1, 2 or 5 times a power
// of ten.
double RoundUp(double value) {
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double step : {1.0, 2.0, 5.0}) {
    if (step * power >= value * (1 - 1e-9)) {
      return step * power;
    }
  }
  return 10 * power;
}

std::vector<double> LinearTicks(const Interval& interval) {
  constexpr double kCount = 5;
  const double step = RoundUp((interval.most - interval.least) / kCount);
  std::vector<double> ticks;
  for (double number = std::ceil(interval.least / step - 1e-9);
       number * step <= interval.most + step * 1e-9; ++number) {
    // Rounding up can result in -0; adding 0 makes it 0.
    ticks.push_back(number * step + 0.0);
  }
  return ticks;
}

std::vector<double> LogarithmicTicks(const Interval& interval) {
  constexpr double kManyDecades = 3;
  const bool has_many = interval.most > interval.least * std::pow(10, kManyDecades);
  std::vector<double> ticks;
  const auto first = static_cast<int>(std::floor(std::log10(interval.least)));
  const auto last = static_cast<int>(std::ceil(std::log10(interval.most)));
  for (int exponent = first; exponent <= last; ++exponent) {
    for (const double step : {1.0, 2.0, 5.0}) {
      if (step == 1 || !has_many) {
        ticks.push_back(step * std::pow(10, exponent));
      }
    }
  }
  return ticks;
}

// Maps the values of an axis to positions on the drawing.
class Scale {
 public:
  Scale(const ChartAxis& axis, Interval values, double from, double to)
      : is_logarithmic_(axis.is_logarithmic),
        interval_(Widened(axis, values)),
        from_(from),
        to_(to) {
    ticks_ = !axis.ticks.empty() ? axis.ticks
             : is_logarithmic_   ? LogarithmicTicks(interval_)
                                 : LinearTicks(interval_);
    std::erase_if(ticks_, [this](double tick) {
      return tick < interval_.least * (1 - 1e-9) || tick > interval_.most * (1 + 1e-9);
    });
  }

  double Place(double value) const {
    const double share =
        is_logarithmic_
            ? std::log(value / interval_.least) / std::log(interval_.most / interval_.least)
            : (value - interval_.least) / (interval_.most - interval_.least);
    return from_ + (to_ - from_) * share;
  }

  double origin() const { return from_; }
  const std::vector<double>& ticks() const { return ticks_; }

 private:
  // Adds some room, and makes sure that the interval is not empty.
  static Interval Widened(const ChartAxis& axis, Interval values) {
    constexpr double kRoom = 1.05;
    if (axis.is_logarithmic) {
      return {.least = values.least / kRoom, .most = values.most * kRoom};
    }
    values.Include(0);
    return {.least = 0, .most = values.most > 0 ? values.most * kRoom : 1};
  }

  bool is_logarithmic_;
  Interval interval_;
  double from_;
  double to_;
  std::vector<double> ticks_;
};

// Whether an axis can show `value`.
bool IsShown(const ChartAxis& axis, double value) {
  return std::isfinite(value) && (!axis.is_logarithmic || value > 0);
}

Interval ValuesOf(const Chart& chart, const ChartAxis& axis, double ChartPoint::*value) {
  Interval interval;
  for (const ChartSeries& series : chart.series) {
    for (const ChartPoint& point : series.points) {
      if (IsShown(axis, point.*value)) {
        interval.Include(point.*value);
      }
    }
  }
  return interval;
}

std::string Line(double x1, double y1, double x2, double y2, std::string_view style) {
  return absl::StrFormat(R"(<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>)", style, x1,
                         y1, x2, y2);
}

std::string Text(double x, double y, std::string_view anchor, const std::string& text) {
  return absl::StrFormat(R"(<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>)", x, y, anchor,
                         EscapeHtml(text));
}

std::string DrawAxes(const Chart& chart, const Scale& x, const Scale& y) {
  std::string svg;
  for (const double tick : y.ticks()) {
    const double place = y.Place(tick);
    absl::StrAppend(&svg, Line(kLeft, place, kWidth - kRight, place, "grid"),
                    Text(kLeft - kTickGap, place + kTextDrop, "end", chart.y.format(tick)));
  }
  for (const double tick : x.ticks()) {
    const double place = x.Place(tick);
    absl::StrAppend(&svg,
                    Line(place, kHeight - kBottom, place, kHeight - kBottom + kTickGap / 2, "axis"),
                    Text(place, kHeight - kBottom + 3 * kTickGap, "middle", chart.x.format(tick)));
  }
  absl::StrAppend(
      &svg, Line(kLeft, kHeight - kBottom, kWidth - kRight, kHeight - kBottom, "axis"),
      Text((kLeft + kWidth - kRight) / 2, kHeight - kBottom + kTitleGap, "middle", chart.x.title));
  return svg;
}

std::string Tooltip(const Chart& chart, const ChartSeries& series, const ChartPoint& point) {
  return absl::StrCat(
      "<title>",
      EscapeHtml(absl::StrCat(series.name, ": ", chart.y.format(point.y), " at ",
                              chart.x.format(point.x), point.note.empty() ? "" : "\n", point.note)),
      "</title>");
}

std::string DrawLine(const Chart& chart, const ChartSeries& series, std::size_t number,
                     const Scale& x, const Scale& y) {
  std::string path;
  std::string points;
  bool is_pen_down = false;
  for (const ChartPoint& point : series.points) {
    if (!IsShown(chart.x, point.x) || !IsShown(chart.y, point.y)) {
      is_pen_down = false;
      continue;
    }
    const double px = x.Place(point.x);
    const double py = y.Place(point.y);
    absl::StrAppendFormat(&path, "%s%.1f %.1f", is_pen_down ? "L" : "M", px, py);
    absl::StrAppendFormat(
        &points,
        R"(<g class="point"><circle class="target" cx="%.1f" cy="%.1f" r="%.1f"/>)"
        R"(<circle class="dot" cx="%.1f" cy="%.1f" r="%.1f"/>%s</g>)",
        px, py, kTargetRadius, px, py, kPointRadius, Tooltip(chart, series, point));
    is_pen_down = true;
  }
  return absl::StrFormat(R"(<g class="s%d"><path d="%s"/>%s</g>)", number, path, points);
}

std::string DrawBars(const Chart& chart, const ChartSeries& series, std::size_t number,
                     const Scale& x, const Scale& y) {
  std::string bars;
  for (std::size_t index = 0; index + 1 < series.points.size(); ++index) {
    const ChartPoint& point = series.points[index];
    const double from = x.Place(point.x);
    const double to = x.Place(series.points[index + 1].x);
    const double top = y.Place(point.y);
    if (point.y > 0) {
      absl::StrAppendFormat(&bars,
                            R"(<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f">%s</rect>)", from,
                            top, std::max(to - from - 0.5, 0.5), std::max(y.origin() - top, 0.5),
                            Tooltip(chart, series, point));
    }
  }
  return absl::StrFormat(R"(<g class="s%d bars">%s</g>)", number, bars);
}

std::string DrawLegend(const Chart& chart) {
  std::string legend;
  for (std::size_t number = 0; number < chart.series.size(); ++number) {
    absl::StrAppend(&legend, "<span class=\"s", number, "\"><i></i>",
                    EscapeHtml(chart.series[number].name), "</span>");
  }
  return absl::StrCat("<p class=\"legend\">", legend, "<span class=\"unit\">",
                      EscapeHtml(chart.y.title), "</span></p>");
}

}  // namespace

const std::string_view kChartStyle = R"(
figure { margin: 0; }
figure svg { width: 100%; height: auto; display: block; }
figure text { fill: var(--faint); font-size: 12px; }
figure .grid { stroke: var(--line); }
figure .axis { stroke: var(--faint); }
figure path { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linejoin: round; }
figure .dot { fill: currentColor; }
figure .target { fill: transparent; }
figure .point:hover .dot { stroke: currentColor; stroke-width: 4; }
figure .bars rect { fill: currentColor; opacity: 0.55; }
figure .bars rect:hover { opacity: 0.9; }
.s0 { color: var(--s0); } .s1 { color: var(--s1); } .s2 { color: var(--s2); } .s3 { color: var(--s3); }
.legend { margin: 0 0 0.3rem; font-size: 0.8rem; }
.legend i { display: inline-block; width: 0.8em; height: 0.8em; border-radius: 2px; margin-right: 0.35em; background: currentColor; }
.legend span { margin-right: 1em; }
.legend .unit { color: var(--faint); }
:root { --s0: #0072b2; --s1: #c4500a; --s2: #00805c; --s3: #a8437f; }
@media (prefers-color-scheme: dark) {
  :root { --s0: #63b3ed; --s1: #f6985b; --s2: #4fd1a5; --s3: #e79bc7; }
}
)";

std::string EscapeHtml(std::string_view text) {
  return absl::StrReplaceAll(
      std::string(text),
      {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string DrawChart(const Chart& chart) {
  const Interval xs = ValuesOf(chart, chart.x, &ChartPoint::x);
  const Interval ys = ValuesOf(chart, chart.y, &ChartPoint::y);
  std::string figure = absl::StrCat("<figure id=\"", chart.id, "\"><figcaption>",
                                    EscapeHtml(chart.title), "</figcaption>");
  if (xs.least > xs.most || ys.least > ys.most) {
    return absl::StrCat(figure, "<p class=\"empty\">No call was answered.</p></figure>\n");
  }
  const Scale x(chart.x, xs, kLeft, kWidth - kRight);
  const Scale y(chart.y, ys, kHeight - kBottom, kTop);
  absl::StrAppend(&figure, DrawLegend(chart), "<svg viewBox=\"0 0 ", kWidth, " ", kHeight,
                  R"(" role="img" aria-label=")", EscapeHtml(chart.title), "\">",
                  DrawAxes(chart, x, y));
  for (std::size_t number = 0; number < chart.series.size(); ++number) {
    const ChartSeries& series = chart.series[number];
    absl::StrAppend(&figure, series.style == ChartStyle::kBars
                                 ? DrawBars(chart, series, number, x, y)
                                 : DrawLine(chart, series, number, x, y));
  }
  return absl::StrCat(figure, "</svg></figure>\n");
}

}  // namespace quantd::client
