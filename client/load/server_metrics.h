// The server's own view of a load, from its Prometheus metrics.

#ifndef QUANTD_CLIENT_LOAD_SERVER_METRICS_H_
#define QUANTD_CLIENT_LOAD_SERVER_METRICS_H_

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace quantd::client {

// Values by the labels' names.
using Labels = std::map<std::string, std::string, std::less<>>;

// The samples on a page of metrics.
class MetricsPage {
 public:
  // Reads Prometheus' text format 0.0.4. Comments and timestamps are passed over.
  //
  // Errors: kInvalidArgument, naming the first line that is no sample.
  static absl::StatusOr<MetricsPage> Parse(std::string_view text);

  // The sum of all samples of `name` that have at least these labels; 0 where
  // there is none.
  double Sum(std::string_view name, const Labels& labels) const;

  // The same for each value of `label`.
  std::map<std::string, double> SumBy(std::string_view label, std::string_view name,
                                      const Labels& labels) const;

 private:
  struct Sample {
    Labels labels;
    double value = 0;
  };

  // By name.
  std::map<std::string, std::vector<Sample>, std::less<>> samples_;
};

// Reads the metrics page of a quantd, over HTTP.
//
// Errors: those of HttpGet() and MetricsPage::Parse(), and kFailedPrecondition
// where the page is another program's. All name the URL.
absl::StatusOr<MetricsPage> ScrapeMetrics(const std::string& url,
                                          std::chrono::milliseconds timeout);

// What a server did between two looks at its metrics. Times are in seconds.
struct ServerView {
  struct Times {
    double mean = 0;
    // Interpolated within the server's buckets, as PromQL's histogram_quantile()
    // does; never above the last finite bucket.
    double p50 = 0;
    double p99 = 0;
  };

  // Of one method: calls that ended, all and by status code ("OK",
  // "ResourceExhausted", …); the messages of calls; the time from a call's arrival
  // to its answer, unless no call ended.
  double calls = 0;
  std::map<std::string, double> calls_by_code;
  double messages_received = 0;
  double messages_sent = 0;
  std::optional<Times> handling_seconds;

  // Of the whole server: tensor elements that were computed; the mean time of a
  // kernel's run, unless none ran; requests that were refused, by reason.
  double elements = 0;
  std::optional<double> mean_kernel_seconds;
  double cpu_seconds = 0;
  std::map<std::string, double> rejected;

  // As the second look found them.
  double resident_bytes = 0;
  double in_flight_requests = 0;
};

// What the server did between two pages of its metrics; `grpc_method` is a name
// as in the schema ("FakeQuantize"). Codes and reasons that did not occur are
// left out.
//
// Errors: kAborted where the server was restarted in between, so that its
// counters began anew.
absl::StatusOr<ServerView> ViewBetween(const MetricsPage& before, const MetricsPage& after,
                                       std::string_view grpc_method);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_SERVER_METRICS_H_
