#include "client/quantctl/load_report.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/load/format.h"

namespace quantd::client {
namespace {

// From this share of the CPU on, the client counts as the bottleneck.
constexpr double kBusyShare = 0.9;
constexpr std::chrono::milliseconds kLongDelay{1};

std::string Plural(std::uint64_t count, std::string_view noun) {
  return absl::StrCat(count, " ", std::string(noun), count == 1 ? "" : "s");
}

void WarnOfRate(const LoadResult& result, std::vector<std::string>& warnings) {
  if (!result.IsSaturated()) {
    return;
  }
  std::string warning =
      absl::StrCat("saturated: offered ", FormatNumber(result.plan.rate.value_or(0)), "/s, sent ",
                   FormatNumber(result.SentPerSecond()),
                   "/s; latencies grow for as long as this "
                   "lasts");
  if (result.unsent > 0) {
    absl::StrAppend(&warning, "; ", Plural(result.unsent, "call"),
                    result.unsent == 1 ? " was" : " were",
                    " never sent, and the latencies include the time spent waiting");
  }
  warnings.push_back(std::move(warning));
}

void WarnOfClient(const LoadResult& result, std::vector<std::string>& warnings) {
  if (result.ClientCpuShare() >= kBusyShare) {
    warnings.push_back(absl::StrFormat(
        "the client itself is the bottleneck: it used %.0f %% of this machine's %s; run it on a "
        "separate machine, or reduce the load",
        100 * result.ClientCpuShare(),
        Plural(std::max(std::thread::hardware_concurrency(), 1U), "processor")));
  }
  constexpr double kDelayQuantile = 0.99;
  const std::chrono::nanoseconds delay = result.client_delay.Quantile(kDelayQuantile);
  if (delay > kLongDelay) {
    warnings.push_back(
        absl::StrCat("the client itself sent calls late, 1 % of them by ", FormatTime(delay),
                     " or more, because this machine is overloaded; the latencies include the "
                     "delay"));
  }
}

void WarnOfErrors(const LoadResult& result, std::vector<std::string>& warnings) {
  for (const auto& [code, count] : result.status_codes) {
    const auto message = result.messages.find(code);
    if (message != result.messages.end()) {
      warnings.push_back(absl::StrCat(Plural(count, "call"), " ended with ", code,
                                      "; the first: ", message->second));
    }
  }
}

// "OK 120, InvalidArgument 3"
std::string FormatCounts(const std::map<std::string, double>& counts) {
  return absl::StrJoin(counts, ", ", [](std::string* text, const auto& count) {
    absl::StrAppend(text, count.first, " ", FormatNumber(count.second));
  });
}

}  // namespace

std::size_t LoadReport::main_load() const {
  switch (series) {
    case LoadSeries::kSingle:
      return 0;
    case LoadSeries::kRateSearch:
      return best.value_or(loads.size() - 1);
    case LoadSeries::kRateSweep:
    case LoadSeries::kConcurrencySweep:
      break;
  }
  const auto most = std::ranges::max_element(loads, {}, [](const MeasuredLoad& load) {
    return std::pair(!load.result.IsSaturated(), load.result.CallsPerSecond());
  });
  return static_cast<std::size_t>(most - loads.begin());
}

std::string_view TransportOf(std::string_view address) {
  return address.starts_with("unix:") ? "unix" : "tcp";
}

std::string DescribeTest(const LoadReport& report) {
  std::string text = absl::StrCat(report.method, " of ", report.tensors, ", at ", report.address);
  if (report.server_info.has_value()) {
    absl::StrAppend(&text, " (quantd ", report.server_info->version, ", ",
                    report.server_info->simd_target, ", ",
                    Plural(report.server_info->worker_threads, "worker thread"), ")");
  }
  return text;
}

std::string DescribePlan(const LoadReport& report, const LoadPlan& plan) {
  std::string text =
      plan.rate.has_value()
          ? absl::StrCat("open loop, ", FormatNumber(*plan.rate), "/s (",
                         plan.arrivals == ArrivalProcess::kPoisson ? "Poisson" : "constant",
                         "), at most ", Plural(plan.concurrency, "call"), " under way")
          : absl::StrCat("closed loop, ", Plural(plan.concurrency, "call"), " under way");
  return absl::StrCat(text, ", ", Plural(report.connections, "connection"));
}

std::string DescribeOutages(const Outages& outages) {
  const std::string total =
      absl::StrCat(outages.count, "; no call was answered for ", FormatTime(outages.total));
  return outages.count == 1
             ? total
             : absl::StrCat(total, " in total, ", FormatTime(outages.longest), " at most");
}

std::vector<std::string> Warnings(const MeasuredLoad& load) {
  std::vector<std::string> warnings;
  WarnOfErrors(load.result, warnings);
  WarnOfRate(load.result, warnings);
  WarnOfClient(load.result, warnings);
  if (!load.is_stable) {
    warnings.emplace_back(
        "unstable: the last three windows differ by more than 10 %; raise --duration");
  }
  return warnings;
}

std::vector<std::string> Warnings(const LoadReport& report) {
  std::vector<std::string> warnings = report.warnings;
  std::ranges::move(Warnings(report.loads[report.main_load()]), std::back_inserter(warnings));
  return warnings;
}

std::vector<ServerFact> DescribeServer(const ServerView& server) {
  std::vector<ServerFact> facts = {
      {"calls",
       absl::StrCat(FormatNumber(server.calls), " (", FormatCounts(server.calls_by_code), ")")},
      {"messages", absl::StrCat(FormatNumber(server.messages_received), " received, ",
                                FormatNumber(server.messages_sent), " sent")},
  };
  if (server.handling_seconds.has_value()) {
    facts.push_back(
        {"handling time", absl::StrCat("mean ", FormatSeconds(server.handling_seconds->mean),
                                       ", p50 ", FormatSeconds(server.handling_seconds->p50),
                                       ", p99 ", FormatSeconds(server.handling_seconds->p99))});
  }
  if (server.mean_kernel_seconds.has_value()) {
    facts.push_back(
        {"in kernels", absl::StrCat("mean ", FormatSeconds(*server.mean_kernel_seconds))});
  }
  const double messages = std::max(server.messages_received, 1.0);
  facts.push_back(
      {"CPU", absl::StrCat(FormatSeconds(server.cpu_seconds), ", ",
                           FormatSeconds(server.cpu_seconds / messages), " per message")});
  facts.push_back({"memory", FormatBytes(server.resident_bytes)});
  facts.push_back({"rejected", server.rejected.empty() ? "none" : FormatCounts(server.rejected)});
  return facts;
}

}  // namespace quantd::client
