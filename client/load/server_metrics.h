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

// The values of labels, by name.
using Labels = std::map<std::string, std::string, std::less<>>;

// The samples on a page of metrics.
class MetricsPage {
 public:
  // Parses Prometheus' text format 0.0.4. Ignores comments and timestamps.
  //
  // Errors: kInvalidArgument, with the first line that is not a valid sample.
  static absl::StatusOr<MetricsPage> Parse(std::string_view text);

  // Returns the sum of all samples of `name` that have at least these labels; 0 if
  // there are none.
  double Sum(std::string_view name, const Labels& labels) const;

  // Returns the same sum separately for each value of `label`.
  std::map<std::string, double> SumBy(std::string_view label, std::string_view name,
                                      const Labels& labels) const;

 private:
  struct Sample {
    Labels labels;
    double value = 0;
  };

  // The samples by name.
  std::map<std::string, std::vector<Sample>, std::less<>> samples_;
};

// Reads the metrics page of a quantd server over HTTP.
//
// Errors: those of HttpGet() and MetricsPage::Parse(); kFailedPrecondition if the page
// belongs to another program. All messages name the URL.
absl::StatusOr<MetricsPage> ScrapeMetrics(const std::string& url,
                                          std::chrono::milliseconds timeout);

// A server's work between two scrapes of its metrics. Times are in seconds.
struct ServerView {
  struct Times {
    double mean = 0;
    // Interpolated within the server's buckets, like PromQL's histogram_quantile().
    // Never above the last finite bucket.
    double p50 = 0;
    double p99 = 0;
  };

  // Figures of one method: the calls that ended, in total and by status code ("OK",
  // "ResourceExhausted", …); the messages of calls; the time from the arrival of a
  // call to its answer, or nullopt if no call ended.
  double calls = 0;
  std::map<std::string, double> calls_by_code;
  double messages_received = 0;
  double messages_sent = 0;
  std::optional<Times> handling_seconds;

  // Figures of the whole server: the tensor elements that were computed; the mean time
  // of a kernel run, or nullopt if none ran; the CPU time; the requests that were
  // refused, by reason.
  double elements = 0;
  std::optional<double> mean_kernel_seconds;
  double cpu_seconds = 0;
  std::map<std::string, double> rejected;

  // Values of the second scrape.
  double resident_bytes = 0;
  double in_flight_requests = 0;
};

// Returns what the server did between two pages of its metrics. `grpc_method` is a name
// from the schema ("FakeQuantize"). Codes and reasons that did not occur are left out.
//
// Errors: kAborted if the server was restarted in between, so that its counters started
// again from 0.
absl::StatusOr<ServerView> ViewBetween(const MetricsPage& before, const MetricsPage& after,
                                       std::string_view grpc_method);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_SERVER_METRICS_H_
