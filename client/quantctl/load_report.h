// The contents of a load test's report, and its output formats.

#ifndef QUANTD_CLIENT_QUANTCTL_LOAD_REPORT_H_
#define QUANTD_CLIENT_QUANTCTL_LOAD_REPORT_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "client/library/client.h"
#include "client/load/load_result.h"
#include "client/load/server_metrics.h"

namespace quantd::client {

// A load that was measured and, if it was part of a search, the search's verdict.
struct MeasuredLoad {
  LoadResult result;
  // See RateTrial.
  bool is_stable = true;
  bool holds = true;
};

enum class LoadSeries { kSingle, kRateSweep, kConcurrencySweep, kRateSearch };

struct LoadReport {
  // What was tested, and how.
  std::string address;
  std::optional<ServerInfo> server_info;
  std::string method;
  std::string tensors;
  std::size_t connections = 1;
  std::chrono::system_clock::time_point started;
  // The warm-up before everything that was measured.
  std::chrono::nanoseconds warmup{0};
  std::uint64_t warmup_calls = 0;

  // The results; at least one load.
  LoadSeries series = LoadSeries::kSingle;
  std::vector<MeasuredLoad> loads;
  // Only for a search: the target as it was given, and the index of the trial with
  // the highest rate that meets it.
  std::string latency_target;
  std::optional<std::size_t> best;
  // The server's own view of all loads together.
  std::optional<ServerView> server;
  // Warnings about the test as a whole, one sentence each.
  std::vector<std::string> warnings;

  // The conditions of --fail-if, and the reasons why the result is not good enough.
  std::vector<std::string> conditions;
  std::vector<std::string> failures;

  // Returns the index of the load that is shown in full. For a sweep, this is the
  // load with the most calls per second; loads that are not saturated take
  // precedence. For a search, it is the best trial, or the last one if no trial met
  // the target.
  std::size_t main_load() const;
};

// Returns "tcp" or "unix".
std::string_view TransportOf(std::string_view address);

// Describes the test in words, such as
// "fake-quantize of float32 [1024], 8 bits, at localhost:50051 (quantd 0.1.0, AVX3)".
std::string DescribeTest(const LoadReport& report);
// Describes a load in words, such as
// "open loop, 5000/s (constant), at most 128 calls under way, 1 connection".
std::string DescribePlan(const LoadReport& report, const LoadPlan& plan);

// Describes when nobody answered, such as "2; no call was answered for 1.20 s in total, 0.80 s
// at most".
std::string DescribeOutages(const Outages& outages);

// Returns what is wrong with a load's result or limits its value, one sentence
// each: saturation, a client that was the bottleneck, a trial that did not become
// stable, errors.
std::vector<std::string> Warnings(const MeasuredLoad& load);
// Returns the report's own warnings, followed by those of its main load.
std::vector<std::string> Warnings(const LoadReport& report);

// One line about the server's own view.
struct ServerFact {
  std::string name;
  std::string text;
};
std::vector<ServerFact> DescribeServer(const ServerView& server);

// Prints the figures and a histogram for people to read.
void PrintLoadSummary(const LoadReport& report, std::ostream& output);

// Prints one JSON object on one line; docs/load-testing.md lists its keys.
void PrintLoadJson(const LoadReport& report, std::ostream& output);

// Prints a line of column names, and one line per load.
void PrintLoadCsv(const LoadReport& report, std::ostream& output);

// Returns a self-contained HTML page, which needs no network and no scripts.
std::string LoadPage(const LoadReport& report);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_LOAD_REPORT_H_
