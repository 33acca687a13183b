#include "server/telemetry/metrics_endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <list>
#include <string>
#include <vector>

#include "server/telemetry/http_connection.h"
#include "tests/server/http_client.h"

namespace quantd::server {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

struct RunningEndpoint {
  explicit RunningEndpoint(const std::string& address = "127.0.0.1:0") {
    auto started = MetricsEndpoint::Start(address, {}, &metrics, nullptr);
    EXPECT_TRUE(started.ok()) << started.status();
    endpoint = *std::move(started);
  }

  std::string url() const { return endpoint->url(); }

  // The URL of the same port of another host.
  std::string UrlOf(const std::string& host) const {
    core::HostPort address = HttpUrl(url()).address;
    address.host = host;
    return "http://" + core::FormatHostPort(address) + "/metrics";
  }

  Metrics metrics{"TEST", {}};
  std::unique_ptr<MetricsEndpoint> endpoint;
};

TEST(MetricsEndpoint, ServesMetricsOfTheServerAndTheProcess) {
  const RunningEndpoint running("localhost:0");
  EXPECT_THAT(running.url(), MatchesRegex("http://127[.]0[.]0[.]1:[1-9][0-9]+/metrics"));
  const std::string page = HttpGet(running.url());
  EXPECT_THAT(page, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(page, HasSubstr("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  for (const char* name :
       {"\nquantd_build_info{", "\nprocess_cpu_seconds_total ", "\nprocess_open_fds ",
        "\nprocess_resident_memory_bytes ", "\nprocess_start_time_seconds "}) {
    EXPECT_THAT(page, HasSubstr(name));
  }
}

TEST(MetricsEndpoint, ErrorsNameAnAddressThatIsInUse) {
  const RunningEndpoint first;
  const std::string address = core::FormatHostPort(HttpUrl(first.url()).address);
  Metrics metrics("TEST", {});
  const absl::Status status = MetricsEndpoint::Start(address, {}, &metrics, nullptr).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(address), HasSubstr("Address already in use"),
                    HasSubstr("choose another one with --metrics-listen")));
}

TEST(MetricsEndpoint, ErrorsNameAnAddressOfAnotherMachineOrAnUnknownHost) {
  Metrics metrics("TEST", {});
  // TEST-NET-1 of RFC 5737.
  const absl::Status elsewhere =
      MetricsEndpoint::Start("192.0.2.1:9464", {}, &metrics, nullptr).status();
  EXPECT_EQ(elsewhere.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(elsewhere.message()),
              AllOf(HasSubstr("192.0.2.1:9464"), HasSubstr("Cannot assign requested address")));
  const absl::Status unknown =
      MetricsEndpoint::Start("no.such.invalid:9464", {}, &metrics, nullptr).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(unknown.message()),
              AllOf(HasSubstr("no.such.invalid"), HasSubstr("--metrics-listen")));
}

TEST(MetricsEndpoint, ServesOverIpv6) {
  const RunningEndpoint running("[::1]:0");
  EXPECT_THAT(running.url(), MatchesRegex("http://[[]::1[]]:[1-9][0-9]+/metrics"));
  EXPECT_THAT(HttpGet(running.url()), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST(MetricsEndpoint, ServesLocalhostOverBothFamilies) {
  const RunningEndpoint running("localhost:0");
  EXPECT_THAT(HttpGet(running.UrlOf("127.0.0.1")), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(HttpGet(running.UrlOf("::1")), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST(MetricsEndpoint, RefusesLocalhostIfOneOfItsFamiliesIsInUse) {
  const RunningEndpoint other("[::1]:0");
  const std::string address = "localhost:" + std::to_string(HttpUrl(other.url()).address.port);
  Metrics metrics("TEST", {});
  EXPECT_EQ(MetricsEndpoint::Start(address, {}, &metrics, nullptr).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST(MetricsEndpoint, ServesAllAddressesOfBothFamilies) {
  const RunningEndpoint running("[::]:0");
  EXPECT_THAT(HttpGet(running.UrlOf("127.0.0.1")), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(HttpGet(running.UrlOf("::1")), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST(MetricsEndpoint, AnswersHeadWithoutThePage) {
  const RunningEndpoint running;
  const std::string answer = HttpRequest("HEAD", running.url());
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, ContainsRegex("\r\nContent-Length: [1-9][0-9]+\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST(MetricsEndpoint, IgnoresTheQuery) {
  const RunningEndpoint running;
  EXPECT_THAT(HttpGet(running.url() + "?name=value"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST(MetricsEndpoint, NeverCompresses) {
  const RunningEndpoint running;
  for (const char* encodings : {"gzip", "gzip;q=0", "identity;q=0, *;q=0.5"}) {
    const std::string answer =
        HttpRequest("GET", running.url(), std::string("Accept-Encoding: ") + encodings + "\r\n");
    EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), Not(HasSubstr("Content-Encoding")),
                              HasSubstr("\nquantd_build_info{")));
  }
}

TEST(MetricsEndpoint, RefusesOtherPaths) {
  const RunningEndpoint running;
  for (const char* suffix : {"x", "/", "/../metrics"}) {
    EXPECT_THAT(HttpGet(running.url() + suffix), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  }
}

TEST(MetricsEndpoint, RefusesOtherMethodsEvenIfTheirBodyIsLarge) {
  const RunningEndpoint running;
  const std::string body(50'000, 'x');
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
    const HttpUrl url(running.url());
    const HttpClient client(url.address);
    client.Send(std::string(method) + " /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
    EXPECT_THAT(client.ReceiveAll(), AllOf(StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"),
                                           HasSubstr("\r\nAllow: GET, HEAD\r\n")));
  }
}

TEST(MetricsEndpoint, RefusesWhatIsNoRequest) {
  const RunningEndpoint running;
  const HttpUrl url(running.url());
  for (const char* text : {"\r\n\r\n\r\n", "nonsense\r\n\r\n", "GET /metrics HTTP/7.0\r\n\r\n",
                           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}) {
    const HttpClient client(url.address);
    client.Send(text);
    EXPECT_THAT(client.ReceiveAll(), StartsWith("HTTP/1.1 400 Bad Request\r\n")) << text;
  }
}

TEST(MetricsEndpoint, RefusesALargeHeader) {
  const RunningEndpoint running;
  EXPECT_THAT(HttpRequest("GET", running.url(),
                          "Large: " + std::string(HttpConnection::kMaxHeaderBytes, 'x') + "\r\n"),
              StartsWith("HTTP/1.1 431 "));
  // One that never ends.
  const HttpClient client(HttpUrl(running.url()).address);
  client.Send("GET /" + std::string(3 * HttpConnection::kMaxHeaderBytes, 'x'));
  EXPECT_THAT(client.ReceiveAll(), StartsWith("HTTP/1.1 431 "));
}

// Returns how long an ordinary scrape takes.
std::chrono::duration<double> TimeOfAScrape(const std::string& url) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(HttpGet(url), StartsWith("HTTP/1.1 200 OK\r\n"));
  return std::chrono::steady_clock::now() - start;
}

// Far below the age at which a connection ends by itself.
constexpr std::chrono::seconds kPrompt = HttpConnection::kMaxAge / 2;

TEST(MetricsEndpoint, IsNotBlockedByClientsThatSendHalfARequest) {
  const RunningEndpoint running;
  const HttpUrl url(running.url());
  std::list<HttpClient> idle;
  for (std::size_t i = 0; i < 2 * HttpServer::kMaxConnections; ++i) {
    const HttpClient& client = idle.emplace_back(url.address);
    ASSERT_TRUE(client.connected());
    client.Send(i % 2 == 0 ? "" : "GET /metrics HTTP/1.1\r\nHost:");
    if (i % 50 == 0) {
      EXPECT_LT(TimeOfAScrape(running.url()), kPrompt) << i << " clients";
    }
  }
  EXPECT_LT(TimeOfAScrape(running.url()), kPrompt);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(idle.front().ReceiveAll(), "");
  EXPECT_LT(std::chrono::steady_clock::now() - start, kPrompt) << "the oldest makes room";
}

TEST(MetricsEndpoint, IsNotBlockedByClientsThatDoNotReadTheAnswer) {
  const RunningEndpoint running;
  const HttpUrl url(running.url());
  std::list<HttpClient> idle;
  for (std::size_t i = 0; i < HttpServer::kMaxConnections + 50; ++i) {
    idle.emplace_back(url.address).Send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  EXPECT_LT(TimeOfAScrape(running.url()), kPrompt);
}

TEST(MetricsEndpoint, AnswersManyScrapersAtOnce) {
  const RunningEndpoint running;
  std::vector<std::future<std::string>> answers;
  for (int i = 0; i < 100; ++i) {
    answers.push_back(std::async(std::launch::async, HttpGet, running.url()));
  }
  for (std::future<std::string>& answer : answers) {
    EXPECT_THAT(answer.get(), AllOf(StartsWith("HTTP/1.1 200 OK\r\n"),
                                    HasSubstr("\nprocess_start_time_seconds ")));
  }
}

TEST(MetricsEndpoint, EndsAtOnceWithClientsThatAreConnected) {
  RunningEndpoint running;
  const HttpClient idle(HttpUrl(running.url()).address);
  ASSERT_TRUE(idle.connected());
  const auto start = std::chrono::steady_clock::now();
  running.endpoint.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, kPrompt);
  EXPECT_EQ(idle.ReceiveAll(), "");
}

}  // namespace
}  // namespace quantd::server
