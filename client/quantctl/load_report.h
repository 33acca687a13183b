// All that is told of a load test, before it takes a form.

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

// A load that was measured, with what a search says of it.
struct MeasuredLoad {
  LoadResult result;
  // See RateTrial.
  bool is_stable = true;
  bool holds = true;
};

enum class LoadSeries { kSingle, kRateSweep, kConcurrencySweep, kRateSearch };

struct LoadReport {
  // What was tested, and with what.
  std::string address;
  std::optional<ServerInfo> server_info;
  std::string method;
  std::string tensors;
  std::size_t connections = 1;
  std::chrono::system_clock::time_point started;
  // Before everything that was measured.
  std::chrono::nanoseconds warmup{0};
  std::uint64_t warmup_calls = 0;

  // What came of it; at least one load.
  LoadSeries series = LoadSeries::kSingle;
  std::vector<MeasuredLoad> loads;
  // Of a search: the target as it was given, and the trial with the highest rate
  // that keeps it.
  std::string latency_target;
  std::optional<std::size_t> best;
  // How the server saw all loads together.
  std::optional<ServerView> server;
  // What is to be known of them all, each as a sentence.
  std::vector<std::string> warnings;

  // Conditions of --fail-if, and those of them that hold, each with its figure.
  std::vector<std::string> conditions;
  std::vector<std::string> failures;

  // The load that is shown in full: the only one; the one with the most calls a
  // second of a sweep, of those that kept their rate if any did; the best of a
  // search or, where none is, its last.
  std::size_t main_load() const;
};

// "tcp" or "unix"
std::string_view TransportOf(std::string_view address);

// "fake-quantize of float32 [1024], 8 bits, at localhost:50051 (quantd 0.1.0, AVX3)"
std::string DescribeTest(const LoadReport& report);
// "open loop, 5000/s (constant), at most 128 calls under way, 1 connection"
std::string DescribePlan(const LoadReport& report, const LoadPlan& plan);

// What makes a load's result worth less than it seems, or is wrong with it, each
// as a sentence: a rate that was not kept, a client that was the bottleneck, a
// trial that did not become stable, errors.
std::vector<std::string> Warnings(const MeasuredLoad& load);
// The report's own warnings, and those of its main load.
std::vector<std::string> Warnings(const LoadReport& report);

// A line about the server's own view.
struct ServerFact {
  std::string name;
  std::string text;
};
std::vector<ServerFact> DescribeServer(const ServerView& server);

// For people: figures, and a histogram of bars.
void PrintLoadSummary(const LoadReport& report, std::ostream& output);

// One JSON object on a line; docs/load-testing.md lists its keys.
void PrintLoadJson(const LoadReport& report, std::ostream& output);

// A line of names, and one for each load.
void PrintLoadCsv(const LoadReport& report, std::ostream& output);

// An HTML page that needs nothing else: no network, no script.
std::string LoadPage(const LoadReport& report);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_LOAD_REPORT_H_
