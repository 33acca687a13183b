#include "client/load/server_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <chrono>
#include <cmath>
#include <latch>
#include <string>
#include <thread>
#include <utility>

#include "client/load/http_get.h"

namespace quantd::client {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

MetricsPage Page(const std::string& text) {
  absl::StatusOr<MetricsPage> page = MetricsPage::Parse(text);
  EXPECT_TRUE(page.ok()) << page.status();
  return *std::move(page);
}

TEST(MetricsPageTest, SumsSamplesWithTheGivenLabels) {
  const MetricsPage page = Page(
      "# HELP calls_total Calls.\n"
      "# TYPE calls_total counter\n"
      "calls_total{method=\"Get\",code=\"OK\"} 3\n"
      "calls_total{method=\"Get\",code=\"Internal\"} 0.5\n"
      "calls_total{method=\"Put\",code=\"OK\"} 1e3\n"
      "calls_total_of_another_kind 7\n");
  EXPECT_EQ(page.Sum("calls_total", {}), 1003.5);
  EXPECT_EQ(page.Sum("calls_total", {{"method", "Get"}}), 3.5);
  EXPECT_EQ(page.Sum("calls_total", {{"code", "OK"}, {"method", "Get"}}), 3);
  EXPECT_EQ(page.Sum("calls_total", {{"method", "Delete"}}), 0);
  EXPECT_EQ(page.Sum("calls_total", {{"colour", ""}}), 0);
  EXPECT_EQ(page.Sum("calls", {}), 0);
}

TEST(MetricsPageTest, SumsByTheValuesOfALabel) {
  const MetricsPage page = Page(
      "a{code=\"OK\",method=\"Get\"} 1\n"
      "a{code=\"OK\",method=\"Put\"} 2\n"
      "a{code=\"Internal\",method=\"Get\"} 4\n"
      "a{method=\"Get\"} 8\n");
  EXPECT_THAT(page.SumBy("code", "a", {}), ElementsAre(Pair("Internal", 4), Pair("OK", 3)));
  EXPECT_THAT(page.SumBy("code", "a", {{"method", "Get"}}),
              ElementsAre(Pair("Internal", 4), Pair("OK", 1)));
  EXPECT_THAT(page.SumBy("code", "b", {}), IsEmpty());
}

TEST(MetricsPageTest, ParsesEscapesInLabels) {
  const MetricsPage page = Page(R"(a{path="C:\\DIR\\",text="say \"x, y} z\"\n# no comment"} 1)");
  EXPECT_EQ(page.Sum("a", {{"path", R"(C:\DIR\)"}, {"text", "say \"x, y} z\"\n# no comment"}}), 1);
}

TEST(MetricsPageTest, ParsesEveryFormOfNumber) {
  const MetricsPage page = Page(
      "plus +Inf\n"
      "minus -Inf\n"
      "go NaN\n"
      "cpp Nan\n"
      "small -1.5e-05\n");
  EXPECT_EQ(page.Sum("plus", {}), HUGE_VAL);
  EXPECT_EQ(page.Sum("minus", {}), -HUGE_VAL);
  EXPECT_TRUE(std::isnan(page.Sum("go", {})));
  EXPECT_TRUE(std::isnan(page.Sum("cpp", {})));
  EXPECT_EQ(page.Sum("small", {}), -1.5e-5);
}

TEST(MetricsPageTest, IgnoresTimestampsCommentsAndBlanks) {
  const MetricsPage page = Page(
      "\n"
      "  # {\"} is no sample\n"
      "a 1 1395066363000\n"
      "b{} 2 -3982045\n"
      " \t c { x = \"1\" , y=\"2\", } \t 4 \n"
      "d{x=\"1\"}8");
  EXPECT_EQ(page.Sum("a", {}), 1);
  EXPECT_EQ(page.Sum("b", {}), 2);
  EXPECT_EQ(page.Sum("c", {{"x", "1"}, {"y", "2"}}), 4);
  EXPECT_EQ(page.Sum("d", {{"x", "1"}}), 8);
}

TEST(MetricsPageTest, NamesTheLineThatIsNotASample) {
  for (const std::string line : {"a",
                                 "a b",
                                 "1a 1",
                                 "{x=\"1\"} 1",
                                 "a{x=\"1\"}",
                                 "a{x=\"1\" 1",
                                 "a{x=\"1} 1",
                                 "a{x=1} 1",
                                 "a{x} 1",
                                 "a{=\"1\"} 1",
                                 "a{x=\"1\"y=\"2\"} 1",
                                 "a{,} 1",
                                 "a{x=\"\\t\"} 1",
                                 "a{x=\"\\",
                                 "a{x=\"1\",x=\"2\"} 1",
                                 "a 1 2.5",
                                 "a 1 2 3",
                                 "a 1,5",
                                 "a.b 1",
                                 "<html>"}) {
    const auto page = MetricsPage::Parse("# a page\nb 1\n" + line + "\n");
    EXPECT_TRUE(absl::IsInvalidArgument(page.status())) << line;
    EXPECT_THAT(std::string(page.status().message()), HasSubstr("line 3 is `" + line + "`"));
  }
}

TEST(MetricsPageTest, ShowsOnlyTheStartOfALongLine) {
  const auto page = MetricsPage::Parse(std::string(1000, '!'));
  EXPECT_THAT(std::string(page.status().message()), HasSubstr("`" + std::string(100, '!') + "…`"));
}

constexpr char kBefore[] = R"(
process_start_time_seconds 1700000000.25
process_cpu_seconds_total 10.5
process_resident_memory_bytes 1000000
quantd_in_flight_requests 1
quantd_elements_total{operation="fake_quantize"} 1000
quantd_elements_total{operation="fake_quantize_gradient"} 50
quantd_kernel_seconds_count{operation="fake_quantize"} 10
quantd_kernel_seconds_sum{operation="fake_quantize"} 0.5
quantd_rejected_requests_total{reason="IN_FLIGHT_LIMIT"} 3
quantd_rejected_requests_total{reason="SHUTTING_DOWN"} 2
grpc_server_handled_total{grpc_code="OK",grpc_method="FakeQuantize"} 8
grpc_server_handled_total{grpc_code="OK",grpc_method="GetServerInfo"} 7
grpc_server_handled_total{grpc_code="Internal",grpc_method="FakeQuantize"} 2
grpc_server_msg_received_total{grpc_method="FakeQuantize"} 10
grpc_server_msg_received_total{grpc_method="GetServerInfo"} 7
grpc_server_msg_sent_total{grpc_method="FakeQuantize"} 8
grpc_server_msg_sent_total{grpc_method="GetServerInfo"} 7
grpc_server_handling_seconds_count{grpc_method="FakeQuantize"} 10
grpc_server_handling_seconds_sum{grpc_method="FakeQuantize"} 20
grpc_server_handling_seconds_bucket{grpc_method="FakeQuantize",le="0.001"} 0
grpc_server_handling_seconds_bucket{grpc_method="FakeQuantize",le="0.005"} 10
grpc_server_handling_seconds_bucket{grpc_method="FakeQuantize",le="+Inf"} 10
grpc_server_handling_seconds_count{grpc_method="GetServerInfo"} 7
grpc_server_handling_seconds_sum{grpc_method="GetServerInfo"} 7
grpc_server_handling_seconds_bucket{grpc_method="GetServerInfo",le="+Inf"} 7
)";

constexpr char kAfter[] = R"(
process_start_time_seconds 1700000000.25
process_cpu_seconds_total 12
process_resident_memory_bytes 3000000
quantd_in_flight_requests 4
quantd_elements_total{operation="fake_quantize"} 1200
quantd_elements_total{operation="fake_quantize_gradient"} 80
quantd_kernel_seconds_count{operation="fake_quantize"} 14
quantd_kernel_seconds_sum{operation="fake_quantize"} 0.52
quantd_kernel_seconds_count{operation="fake_quantize_gradient"} 1
quantd_kernel_seconds_sum{operation="fake_quantize_gradient"} 0.03
quantd_rejected_requests_total{reason="IN_FLIGHT_LIMIT"} 4
quantd_rejected_requests_total{reason="SHUTTING_DOWN"} 2
quantd_rejected_requests_total{reason="A_NEW_ONE"} 1
grpc_server_handled_total{grpc_code="OK",grpc_method="FakeQuantize"} 17
grpc_server_handled_total{grpc_code="OK",grpc_method="GetServerInfo"} 70
grpc_server_handled_total{grpc_code="Internal",grpc_method="FakeQuantize"} 2
grpc_server_handled_total{grpc_code="ResourceExhausted",grpc_method="FakeQuantize"} 1
grpc_server_msg_received_total{grpc_method="FakeQuantize"} 20
grpc_server_msg_received_total{grpc_method="GetServerInfo"} 70
grpc_server_msg_sent_total{grpc_method="FakeQuantize"} 17
grpc_server_msg_sent_total{grpc_method="GetServerInfo"} 70
grpc_server_handling_seconds_count{grpc_method="FakeQuantize"} 20
grpc_server_handling_seconds_sum{grpc_method="FakeQuantize"} 20.03
grpc_server_handling_seconds_bucket{grpc_method="FakeQuantize",le="0.001"} 4
grpc_server_handling_seconds_bucket{grpc_method="FakeQuantize",le="0.005"} 20
grpc_server_handling_seconds_bucket{grpc_method="FakeQuantize",le="+Inf"} 20
grpc_server_handling_seconds_count{grpc_method="GetServerInfo"} 70
grpc_server_handling_seconds_sum{grpc_method="GetServerInfo"} 70
grpc_server_handling_seconds_bucket{grpc_method="GetServerInfo",le="+Inf"} 70
)";

ServerView View(const MetricsPage& before, const MetricsPage& after) {
  absl::StatusOr<ServerView> view = ViewBetween(before, after, "FakeQuantize");
  EXPECT_TRUE(view.ok()) << view.status();
  return *std::move(view);
}

TEST(ServerViewTest, CountsWhatTheMethodDid) {
  const ServerView view = View(Page(kBefore), Page(kAfter));
  EXPECT_EQ(view.calls, 10);
  EXPECT_THAT(view.calls_by_code, ElementsAre(Pair("OK", 9), Pair("ResourceExhausted", 1)));
  EXPECT_EQ(view.messages_received, 10);
  EXPECT_EQ(view.messages_sent, 9);
}

TEST(ServerViewTest, CountsWhatTheWholeServerDid) {
  const ServerView view = View(Page(kBefore), Page(kAfter));
  EXPECT_EQ(view.elements, 230);
  EXPECT_EQ(view.cpu_seconds, 1.5);
  EXPECT_THAT(view.rejected, ElementsAre(Pair("A_NEW_ONE", 1), Pair("IN_FLIGHT_LIMIT", 1)));
  ASSERT_TRUE(view.mean_kernel_seconds.has_value());
  EXPECT_NEAR(*view.mean_kernel_seconds, 0.01, 1e-12);  // 0.05 s in 5 runs.
}

TEST(ServerViewTest, ReportsTheStateAtTheEnd) {
  const ServerView view = View(Page(kBefore), Page(kAfter));
  EXPECT_EQ(view.resident_bytes, 3000000);
  EXPECT_EQ(view.in_flight_requests, 4);
}

TEST(ServerViewTest, InterpolatesTimesWithinTheirBuckets) {
  const ServerView view = View(Page(kBefore), Page(kAfter));
  ASSERT_TRUE(view.handling_seconds.has_value());
  EXPECT_NEAR(view.handling_seconds->mean, 0.003, 1e-12);
  // 4 of 10 calls took up to 1 ms and 6 up to 5 ms. The 5th is one sixth of the way
  // from 1 to 5 ms, and the 9.9th is 5.9 sixths.
  EXPECT_NEAR(view.handling_seconds->p50, 0.001 + 0.004 / 6, 1e-12);
  EXPECT_NEAR(view.handling_seconds->p99, 0.001 + 0.004 * 5.9 / 6, 1e-12);
}

TEST(ServerViewTest, HasNoTimesIfNothingRan) {
  const ServerView view = View(Page(kAfter), Page(kAfter));
  EXPECT_EQ(view.calls, 0);
  EXPECT_THAT(view.calls_by_code, IsEmpty());
  EXPECT_FALSE(view.handling_seconds.has_value());
  EXPECT_FALSE(view.mean_kernel_seconds.has_value());
  EXPECT_EQ(view.in_flight_requests, 4);
}

// Returns a histogram of 100 calls, with the given numbers of calls that took up to 1,
// 10 and 100 ms.
ServerView::Times TimesOf(int up_to_1, int up_to_10, int up_to_100) {
  const std::string bucket = "grpc_server_handling_seconds_bucket{grpc_method=\"FakeQuantize\",le=";
  const MetricsPage page =
      Page("grpc_server_handling_seconds_count{grpc_method=\"FakeQuantize\"} 100\n" + bucket +
           "\"+Inf\"} 100\n" + bucket + "\"0.1\"} " + std::to_string(up_to_100) + "\n" + bucket +
           "\"0.01\"} " + std::to_string(up_to_10) + "\n" + bucket + "\"0.001\"} " +
           std::to_string(up_to_1) + "\n");
  return View(Page(""), page).handling_seconds.value_or(ServerView::Times());
}

TEST(ServerViewTest, StartsTheFirstBucketAtZero) {
  EXPECT_NEAR(TimesOf(100, 100, 100).p50, 0.0005, 1e-12);
  EXPECT_NEAR(TimesOf(100, 100, 100).p99, 0.00099, 1e-12);
}

TEST(ServerViewTest, SkipsEmptyBuckets) {
  EXPECT_NEAR(TimesOf(0, 0, 100).p50, 0.055, 1e-12);
  EXPECT_NEAR(TimesOf(50, 50, 100).p50, 0.001, 1e-12);
  EXPECT_NEAR(TimesOf(50, 50, 100).p99, 0.01 + 0.09 * 0.98, 1e-12);
}

TEST(ServerViewTest, ReportsNoTimeBeyondTheLastFiniteBucket) {
  EXPECT_NEAR(TimesOf(40, 60, 98).p50, 0.001 + 0.009 / 2, 1e-12);
  EXPECT_EQ(TimesOf(40, 60, 98).p99, 0.1);
  EXPECT_EQ(TimesOf(0, 0, 0).p50, 0.1);
}

TEST(ServerViewTest, DetectsARestart) {
  const auto view = ViewBetween(Page("process_start_time_seconds 1700000000.25\n"),
                                Page("process_start_time_seconds 1700000000.5\n"), "FakeQuantize");
  EXPECT_TRUE(absl::IsAborted(view.status())) << view.status();
  EXPECT_THAT(std::string(view.status().message()), HasSubstr("restarted"));
}

using PageRequest = httplib::Request;
using Response = httplib::Response;

constexpr char kPage[] = "quantd_build_info{version=\"1\"} 1\n";
constexpr milliseconds kTimeout = std::chrono::seconds(30);
constexpr milliseconds kShortTimeout(50);

// Runs an HTTP server on this host until it is destroyed.
class PageServer {
 public:
  PageServer() {
    Show("/metrics", kPage);
    Show("/other", "go_goroutines 12\n");
    Show("/text", "Hello!\n");
    server_.Get("/broken", [](const PageRequest&, Response& response) { response.status = 500; });
    server_.Get("/moved",
                [](const PageRequest&, Response& response) { response.set_redirect("/metrics"); });
    server_.Get("/silent", [this](const PageRequest&, Response&) { end_.wait(); });
    server_.Get("/endless", [](const PageRequest&, Response& response) {
      response.set_chunked_content_provider("text/plain", [](std::size_t, httplib::DataSink& sink) {
        return sink.write("a 1\n", 4);
      });
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::jthread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) {
      std::this_thread::yield();
    }
  }
  ~PageServer() {
    end_.count_down();
    server_.stop();
  }
  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;

  std::string Address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string Url(const std::string& path) const { return "http://" + Address() + path; }

 private:
  void Show(const std::string& path, const std::string& text) {
    server_.Get(path, [text](const PageRequest&, Response& response) {
      response.set_content(text, "text/plain");
    });
  }

  httplib::Server server_;
  std::latch end_{1};
  int port_ = 0;
  std::jthread thread_;
};

TEST(HttpGetTest, GetsAPage) {
  const PageServer server;
  const auto page = HttpGet(server.Url("/text"), kTimeout);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(*page, "Hello!\n");
}

TEST(HttpGetTest, CompletesPartialUrls) {
  const PageServer server;
  for (const std::string& url : {server.Address(), server.Address() + "/metrics", server.Url("")}) {
    const auto page = HttpGet(url, kTimeout);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(*page, kPage) << url;
  }
}

TEST(HttpGetTest, ReportsTheStatusIfItIsNot200) {
  const PageServer server;
  const auto missing = HttpGet(server.Url("/no/page"), kTimeout);
  EXPECT_TRUE(absl::IsNotFound(missing.status())) << missing.status();
  EXPECT_THAT(std::string(missing.status().message()),
              HasSubstr(server.Url("/no/page") + " answered with HTTP status 404"));
  for (const auto& [path, status] : {std::pair("/broken", "500"), std::pair("/moved", "302")}) {
    const auto page = HttpGet(server.Url(path), kTimeout);
    EXPECT_TRUE(absl::IsUnknown(page.status())) << page.status();
    EXPECT_THAT(std::string(page.status().message()), HasSubstr(status));
  }
}

TEST(HttpGetTest, NamesTheUrlIfNothingListens) {
  const std::string url = PageServer().Url("/metrics");
  const auto page = HttpGet(url, kTimeout);
  EXPECT_TRUE(absl::IsUnavailable(page.status())) << page.status();
  EXPECT_THAT(std::string(page.status().message()), HasSubstr(url + " cannot be read"));
  EXPECT_THAT(std::string(page.status().message()), HasSubstr("nothing listens"));
}

TEST(HttpGetTest, TimesOutIfTheServerDoesNotAnswerOrNeverFinishes) {
  const PageServer server;
  for (const std::string path : {"/silent", "/endless"}) {
    const auto page = HttpGet(server.Url(path), kShortTimeout);
    EXPECT_TRUE(absl::IsUnavailable(page.status())) << page.status();
    EXPECT_THAT(std::string(page.status().message()), HasSubstr("within 50 ms"));
  }
}

TEST(HttpGetTest, RejectsInvalidUrls) {
  for (const std::string url :
       {"", "http://", "ftp://localhost:9464/metrics", "unix:/tmp/quantd",
        "localhost:", "localhost:0", "localhost:65536", "localhost:99999999999999999999",
        "localhost:metrics", "local host", "user@localhost", "[::1", "[::1]9464", "[]", "::1",
        "localhost/a b", "localhost/\r\nHost: x"}) {
    const auto page = HttpGet(url, kTimeout);
    EXPECT_TRUE(absl::IsInvalidArgument(page.status())) << url << ": " << page.status();
    EXPECT_THAT(std::string(page.status().message()),
                HasSubstr("\"" + url + "\" is not a valid URL"));
  }
}

TEST(ScrapeMetricsTest, ReadsAServersPage) {
  const PageServer server;
  const auto page = ScrapeMetrics(server.Address(), kTimeout);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->Sum("quantd_build_info", {{"version", "1"}}), 1);
}

TEST(ScrapeMetricsTest, RejectsPagesWithoutMetricsOrOfAnotherProgram) {
  const PageServer server;
  const auto text = ScrapeMetrics(server.Url("/text"), kTimeout);
  EXPECT_TRUE(absl::IsInvalidArgument(text.status())) << text.status();
  EXPECT_THAT(std::string(text.status().message()), HasSubstr(server.Url("/text") + ": line 1"));
  const auto other = ScrapeMetrics(server.Url("/other"), kTimeout);
  EXPECT_TRUE(absl::IsFailedPrecondition(other.status())) << other.status();
  EXPECT_THAT(std::string(other.status().message()), HasSubstr(server.Url("/other")));
  EXPECT_TRUE(absl::IsNotFound(ScrapeMetrics(server.Url("/none"), kTimeout).status()));
}

}  // namespace
}  // namespace quantd::client
