#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/load/format.h"
#include "client/load/latency_figure.h"
#include "client/quantctl/load_report.h"
#include "client/quantctl/report.h"

namespace quantd::client {
namespace {

Json ToJson(const LatencyHistogram& histogram) {
  Json figures = {{"mean", Seconds(histogram.Mean())}, {"min", Seconds(histogram.min())}};
  for (const NamedQuantile& figure : kReportedQuantiles) {
    figures[std::string(figure.key)] = Seconds(histogram.Quantile(figure.quantile));
  }
  return figures;
}

Json OrNull(const std::optional<double>& value) {
  return value.has_value() ? Json(*value) : Json();
}

Json ToJson(const Timeline& timeline) {
  Json intervals = Json::array();
  double begin = 0;
  for (const Timeline::Interval& interval : timeline.intervals()) {
    Json object = {{"seconds", begin}, {"calls", interval.calls}, {"errors", interval.errors}};
    object["latency_seconds"] = ToJson(interval.latency);
    intervals.push_back(std::move(object));
    begin += Seconds(timeline.interval_length());
  }
  return intervals;
}

Json ToJson(const MeasuredLoad& load) {
  const LoadResult& result = load.result;
  const bool is_open = result.plan.rate.has_value();
  return {
      {"loop", is_open ? "open" : "closed"},
      {"arrivals", !is_open                                           ? Json()
                   : result.plan.arrivals == ArrivalProcess::kPoisson ? Json("poisson")
                                                                      : Json("constant")},
      {"concurrency", result.plan.concurrency},
      {"seconds", Seconds(result.time)},
      {"calls", result.calls},
      {"errors", result.errors},
      {"error_rate", result.ErrorRate()},
      {"retries", result.retries},
      {"outages", result.outages.count},
      {"outage_seconds", Seconds(result.outages.total)},
      {"longest_outage_seconds", Seconds(result.outages.longest)},
      {"calls_per_second", result.CallsPerSecond()},
      {"elements_per_second", result.ElementsPerSecond()},
      {"gigabytes_per_second", result.GigabytesPerSecond()},
      {"offered_rate", OrNull(result.plan.rate)},
      {"sent_rate", result.SentPerSecond()},
      {"saturated", result.IsSaturated()},
      {"late_calls", result.late},
      {"unsent_calls", result.unsent},
      {"latency_seconds", ToJson(result.latency)},
      {"service_time_seconds", ToJson(result.service_time)},
      {"client_delay_seconds", ToJson(result.client_delay)},
      {"status_codes", result.status_codes},
      {"error_messages", result.messages},
      {"verified_answers", result.verified},
      {"client_cpu_seconds", Seconds(result.client_cpu_time)},
      {"client_cpu_share", result.ClientCpuShare()},
      {"interrupted", result.is_interrupted},
      {"warnings", Warnings(load)},
      {"timeline", ToJson(result.timeline)},
  };
}

Json ToJson(const ServerView& server) {
  Json object = {{"calls", server.calls},
                 {"calls_by_code", server.calls_by_code},
                 {"messages_received", server.messages_received},
                 {"messages_sent", server.messages_sent},
                 {"elements", server.elements},
                 {"handling_seconds", Json()},
                 {"kernel_seconds_mean", OrNull(server.mean_kernel_seconds)},
                 {"cpu_seconds", server.cpu_seconds},
                 {"resident_bytes", server.resident_bytes},
                 {"in_flight_requests", server.in_flight_requests},
                 {"rejected", server.rejected}};
  if (server.handling_seconds.has_value()) {
    object["handling_seconds"] = {{"mean", server.handling_seconds->mean},
                                  {"p50", server.handling_seconds->p50},
                                  {"p99", server.handling_seconds->p99}};
  }
  return object;
}

}  // namespace

void PrintLoadJson(const LoadReport& report, std::ostream& output) {
  Json object = {
      {"server", report.address},          {"transport", std::string(TransportOf(report.address))},
      {"server_version", Json()},          {"simd_target", Json()},
      {"method", report.method},           {"tensors", report.tensors},
      {"connections", report.connections}, {"warmup_calls", report.warmup_calls}};
  if (report.server_info.has_value()) {
    object["server_version"] = report.server_info->version;
    object["simd_target"] = report.server_info->simd_target;
  }
  if (report.series == LoadSeries::kRateSearch) {
    object["latency_target"] = report.latency_target;
    object["max_rate"] =
        report.best.has_value() ? OrNull(report.loads[*report.best].result.plan.rate) : Json();
  }
  // These keys describe a single load, or the main load of a series.
  object.update(ToJson(report.loads[report.main_load()]));
  if (report.series != LoadSeries::kSingle) {
    Json loads = Json::array();
    for (const MeasuredLoad& load : report.loads) {
      loads.push_back(ToJson(load));
      if (report.series == LoadSeries::kRateSearch) {
        loads.back()["stable"] = load.is_stable;
        loads.back()["holds"] = load.holds;
      }
    }
    object["loads"] = std::move(loads);
  }
  object["warnings"] = Warnings(report);
  object["server_view"] = report.server.has_value() ? ToJson(*report.server) : Json();
  object["not_good_enough"] = report.failures;
  PrintJson(object, output);
}

void PrintLoadCsv(const LoadReport& report, std::ostream& output) {
  std::vector<std::string> names = {
      "offered_rate",     "concurrency",          "seconds",   "calls",    "errors",
      "calls_per_second", "gigabytes_per_second", "sent_rate", "saturated"};
  for (const std::string_view prefix : {"latency_seconds_", "service_time_seconds_"}) {
    for (const NamedQuantile& figure : kReportedQuantiles) {
      names.push_back(absl::StrCat(std::string(prefix), std::string(figure.key)));
    }
  }
  output << absl::StrJoin(names, ",") << "\n";
  for (const MeasuredLoad& load : report.loads) {
    const LoadResult& result = load.result;
    std::vector<std::string> fields = {
        result.plan.rate.has_value() ? absl::StrCat(*result.plan.rate) : "",
        absl::StrCat(result.plan.concurrency),
        absl::StrCat(Seconds(result.time)),
        absl::StrCat(result.calls),
        absl::StrCat(result.errors),
        absl::StrCat(result.CallsPerSecond()),
        absl::StrCat(result.GigabytesPerSecond()),
        absl::StrCat(result.SentPerSecond()),
        result.IsSaturated() ? "true" : "false"};
    for (const LatencyHistogram* histogram : {&result.latency, &result.service_time}) {
      for (const NamedQuantile& figure : kReportedQuantiles) {
        fields.push_back(absl::StrCat(Seconds(histogram->Quantile(figure.quantile))));
      }
    }
    output << absl::StrJoin(fields, ",") << "\n";
  }
}

}  // namespace quantd::client
