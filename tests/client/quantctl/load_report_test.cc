#include "client/quantctl/load_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <sstream>
#include <string>
#include <thread>

namespace quantd::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Returns the result of an open loop that met its rate.
LoadResult GoodResult(double rate = 1000) {
  LoadResult result;
  result.plan.rate = rate;
  result.plan.concurrency = 16;
  result.plan.duration = seconds(1);
  result.time = seconds(1);
  result.calls = static_cast<std::uint64_t>(rate);
  result.status_codes = {{"OK", result.calls}};
  result.due = result.calls;
  result.sending_time = seconds(1);
  result.scheduled_time = seconds(1);
  result.latency.Add(milliseconds(2), result.calls);
  result.service_time.Add(milliseconds(1), result.calls);
  result.timeline.AddCall(milliseconds(500), milliseconds(2));
  return result;
}

LoadReport ReportOf(LoadSeries series, std::vector<MeasuredLoad> loads) {
  LoadReport report;
  report.address = "localhost:50051";
  report.method = "fake-quantize";
  report.tensors = "float32 [1024], 8 bits";
  report.series = series;
  report.loads = std::move(loads);
  return report;
}

std::string Summary(const LoadReport& report) {
  std::ostringstream output;
  PrintLoadSummary(report, output);
  return output.str();
}

TEST(LoadWarnings, AGoodResultHasNone) {
  EXPECT_THAT(Warnings(MeasuredLoad{.result = GoodResult()}), IsEmpty());
}

TEST(LoadWarnings, SaturationIsReportedWithBothRates) {
  LoadResult result = GoodResult(20000);
  result.calls = 14210;
  result.unsent = 5790;
  EXPECT_THAT(Warnings(MeasuredLoad{.result = result}),
              ElementsAre(AllOf(HasSubstr("saturated: offered 20000/s, sent 14210/s"),
                                HasSubstr("5790 calls were never sent"))));
}

TEST(LoadWarnings, AClientThatUsesAllProcessorsIsReportedAsTheBottleneck) {
  LoadResult result = GoodResult();
  result.client_cpu_time = milliseconds(950) * std::thread::hardware_concurrency();
  EXPECT_THAT(Warnings(MeasuredLoad{.result = result}),
              ElementsAre(HasSubstr("the client itself is the bottleneck: it used 95 %")));
}

TEST(LoadWarnings, AClientThatSendsLateIsReported) {
  LoadResult result = GoodResult();
  result.client_delay.Add(milliseconds(3), 20);
  EXPECT_THAT(Warnings(MeasuredLoad{.result = result}),
              ElementsAre(HasSubstr("1 % of them by 3.00 ms or more")));
}

TEST(LoadWarnings, ErrorsAreReportedByCodeWithTheFirstMessage) {
  LoadResult result = GoodResult();
  result.errors = 3;
  result.status_codes = {{"OK", 997}, {"ABORTED", 1}, {"UNAVAILABLE", 2}};
  result.messages = {{"ABORTED", "cut"}, {"UNAVAILABLE", "gone"}};
  EXPECT_THAT(Warnings(MeasuredLoad{.result = result}),
              ElementsAre("1 call ended with ABORTED; the first: cut",
                          "2 calls ended with UNAVAILABLE; the first: gone"));
}

TEST(LoadWarnings, AnUnstableTrialIsReported) {
  EXPECT_THAT(Warnings(MeasuredLoad{.result = GoodResult(), .is_stable = false}),
              ElementsAre(HasSubstr("unstable: the last three windows differ")));
}

TEST(LoadReport, ShowsTheFastestUnsaturatedLoadOfASweep) {
  LoadResult saturated = GoodResult(9000);
  saturated.calls = 5000;
  const LoadReport report = ReportOf(LoadSeries::kRateSweep, {{.result = GoodResult(1000)},
                                                              {.result = GoodResult(3000)},
                                                              {.result = GoodResult(2000)},
                                                              {.result = saturated}});
  EXPECT_EQ(report.main_load(), 1U);
  EXPECT_EQ(ReportOf(LoadSeries::kRateSweep, {{.result = saturated}}).main_load(), 0U);
  EXPECT_THAT(Summary(report), HasSubstr("open loop, 3000/s (constant), at most 16 calls"));
}

TEST(LoadReport, ShowsTheBestTrialOfASearchOrOtherwiseTheLast) {
  LoadReport report = ReportOf(LoadSeries::kRateSearch,
                               {{.result = GoodResult(1000)}, {.result = GoodResult(500)}});
  report.latency_target = "p99=1ms";
  EXPECT_THAT(Summary(report), HasSubstr("no rate was found that meets p99=1ms"));
  EXPECT_EQ(report.main_load(), 1U);
  report.best = 0;
  EXPECT_THAT(Summary(report), HasSubstr("highest rate that meets p99=1ms: 1000/s"));
}

TEST(LoadReport, HistogramInTheSummaryCountsEveryCall) {
  LoadResult result = GoodResult(0);
  result.latency.Add(std::chrono::microseconds(120), 7);
  result.latency.Add(std::chrono::microseconds(250), 70);
  EXPECT_THAT(Summary(ReportOf(LoadSeries::kSingle, {{.result = result}})),
              AllOf(HasSubstr("    100 µs |####                                     7\n"),
                    HasSubstr("    150 µs |                                         0\n"),
                    HasSubstr("    200 µs |######################################## 70\n")));
}

TEST(LoadReport, SaysHowLongNobodyAnswered) {
  LoadResult result = GoodResult();
  EXPECT_THAT(Summary(ReportOf(LoadSeries::kSingle, {{.result = result}})),
              Not(HasSubstr("outages")));
  EXPECT_THAT(LoadPage(ReportOf(LoadSeries::kSingle, {{.result = result}})),
              Not(HasSubstr("without any answer")));

  result.outages = {.count = 1, .total = milliseconds(600), .longest = milliseconds(600)};
  EXPECT_THAT(Summary(ReportOf(LoadSeries::kSingle, {{.result = result}})),
              HasSubstr("\noutages           1; no call was answered for 600 ms\n"));

  result.outages = {.count = 2, .total = milliseconds(1500), .longest = seconds(1)};
  const LoadReport report = ReportOf(LoadSeries::kSingle, {{.result = result}});
  EXPECT_THAT(
      Summary(report),
      HasSubstr(
          "\noutages           2; no call was answered for 1.50 s in total, 1.00 s at most\n"));
  EXPECT_THAT(LoadPage(report), HasSubstr("<b>1.50 s</b><span>without any answer</span>"));
  std::ostringstream json;
  PrintLoadJson(report, json);
  EXPECT_THAT(json.str(),
              HasSubstr(R"("outages":2,"outage_seconds":1.5,"longest_outage_seconds":1.0)"));
}

TEST(LoadReport, PageShowsTheResultsAndEscapesMarkup) {
  LoadReport report = ReportOf(LoadSeries::kSingle, {{.result = GoodResult()}});
  report.address = "<b>&co";
  report.failures = {"p99>1ms (p99 is 2.00 ms)"};
  const std::string page = LoadPage(report);
  EXPECT_THAT(page, AllOf(HasSubstr("at &lt;b&gt;&amp;co"), Not(HasSubstr("<b>&co")),
                          HasSubstr("p99&gt;1ms (p99 is 2.00 ms)"), HasSubstr("2.00 ms")));
}

TEST(LoadReport, CanDescribeALoadWithoutCalls) {
  LoadResult result;
  result.plan.calls = 1;
  const LoadReport report = ReportOf(LoadSeries::kSingle, {{.result = result}});
  EXPECT_THAT(Summary(report), HasSubstr("0 in 0 s, 0 errors"));
  EXPECT_THAT(LoadPage(report), HasSubstr("No call was answered."));
  std::ostringstream output;
  PrintLoadJson(report, output);
  EXPECT_THAT(output.str(), HasSubstr("\"calls\":0"));
}

}  // namespace
}  // namespace quantd::client
