#include "client/quantctl/svg_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"

namespace quantd::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

ChartAxis NumberAxis(bool is_logarithmic = false) {
  return {.title = "things", .is_logarithmic = is_logarithmic, .format = [](double value) {
            return absl::StrFormat("%g things", value);
          }};
}

Chart ChartOf(ChartSeries series, bool is_logarithmic = false) {
  return {.id = "chart",
          .title = "Things & more",
          .x = NumberAxis(),
          .y = NumberAxis(is_logarithmic),
          .series = {std::move(series)}};
}

TEST(SvgChart, DrawsALineWithOneTooltipPerPoint) {
  const std::string svg = DrawChart(
      ChartOf({.name = "a", .points = {{.x = 0, .y = 0}, {.x = 10, .y = 5, .note = "last"}}}));
  EXPECT_THAT(svg, AllOf(HasSubstr("<figure id=\"chart\"><figcaption>Things &amp; more<"),
                         HasSubstr("<path d=\"M66.0 254.0L"),
                         HasSubstr("<title>a: 5 things at 10 things\nlast</title>"),
                         HasSubstr("<title>a: 0 things at 0 things</title>")));
}

TEST(SvgChart, LinesHaveGapsAtMissingValues) {
  const std::string svg = DrawChart(ChartOf(
      {.name = "a",
       .points = {
           {.x = 0, .y = 1}, {.x = 1, .y = 1}, {.x = 2, .y = std::nan("")}, {.x = 3, .y = 1}}}));
  const std::size_t begin = svg.find("<path d=\"") + 9;
  const std::string path = svg.substr(begin, svg.find('"', begin) - begin);
  EXPECT_EQ(std::ranges::count(path, 'M'), 2) << path;
  EXPECT_EQ(std::ranges::count(path, 'L'), 1) << path;
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(SvgChart, BarsExtendToTheNextPointAndEmptyBarsAreLeftOut) {
  const std::string svg = DrawChart(ChartOf(
      {.name = "a",
       .style = ChartStyle::kBars,
       .points = {{.x = 0, .y = 4}, {.x = 1, .y = 0}, {.x = 2, .y = 2}, {.x = 4, .y = 0}}}));
  std::size_t bars = 0;
  for (std::size_t at = svg.find("<rect"); at != std::string::npos;
       at = svg.find("<rect", at + 1)) {
    ++bars;
  }
  EXPECT_EQ(bars, 2U);
}

TEST(SvgChart, LinearTicksAreRoundAndStartAtZero) {
  const std::string svg =
      DrawChart(ChartOf({.name = "a", .points = {{.x = 1, .y = 1}, {.x = 2, .y = 97}}}));
  EXPECT_THAT(svg, AllOf(HasSubstr(">0 things<"), HasSubstr(">50 things<"),
                         HasSubstr(">100 things<"), Not(HasSubstr(">-0 things<"))));
}

TEST(SvgChart, LogarithmicTicksArePowersOfTenOverManyDecades) {
  const std::string svg =
      DrawChart(ChartOf({.name = "a", .points = {{.x = 1, .y = 1}, {.x = 2, .y = 1e6}}}, true));
  EXPECT_THAT(svg, AllOf(HasSubstr(">1 things<"), HasSubstr(">1000 things<"),
                         HasSubstr(">1e+06 things<"), Not(HasSubstr(">20 things<"))));
}

TEST(SvgChart, DrawsSinglePointsAndEqualValues) {
  for (const bool is_logarithmic : {false, true}) {
    const std::string svg =
        DrawChart(ChartOf({.name = "a", .points = {{.x = 7, .y = 3}}}, is_logarithmic));
    EXPECT_THAT(svg, AllOf(HasSubstr("<circle"), Not(HasSubstr("nan")), Not(HasSubstr("inf"))));
  }
}

TEST(SvgChart, WithoutPointsItShowsANote) {
  EXPECT_THAT(DrawChart(ChartOf({.name = "a"})),
              AllOf(HasSubstr("No call was answered."), Not(HasSubstr("<svg"))));
}

TEST(EscapeHtml, EscapesAllMarkup) {
  EXPECT_EQ(EscapeHtml("a<b> & \"c\" 'd'"), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
}

}  // namespace
}  // namespace quantd::client
