#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/library/atomic_file.h"
#include "client/load/format.h"
#include "client/load/load_tester.h"
#include "client/load/rate_search.h"
#include "client/load/server_metrics.h"
#include "client/quantctl/bench_options.h"
#include "client/quantctl/commands.h"
#include "client/quantctl/load_report.h"
#include "client/quantctl/progress_bar.h"
#include "client/quantctl/quantctl.h"
#include "client/quantctl/tensor_files.h"
#include "core/base/status_macros.h"

namespace quantd::client {
namespace {

// Describes what distinguishes a load of a sweep from the others.
std::string DescribeStep(const LoadPlan& plan) {
  return plan.rate.has_value() ? absl::StrCat("at ", FormatNumber(*plan.rate), "/s")
                               : absl::StrCat("with ", plan.concurrency, " calls under way");
}

// Runs one load test.
class LoadTest {
 public:
  LoadTest(const BenchOptions& options, const ClientOptions& server, const Terminal& terminal)
      : options_(options),
        server_(server),
        bar_(terminal),
        stop_(terminal.interruption != nullptr ? terminal.interruption->Heed()
                                               : std::stop_token()) {}

  absl::StatusOr<LoadReport> Run() && {
    RETURN_IF_ERROR(Connect());
    WarmUp();
    ASSIGN_OR_RETURN(const MetricsPage before, ScrapeIfAsked());
    options_.find_max_rate ? Search() : RunSeries();
    if (stop_.stop_requested()) {
      report_.warnings.emplace_back("interrupted: the results only cover the time until then");
    }
    if (!options_.metrics_url.empty()) {
      LookAtServer(before);
    }
    return std::move(report_);
  }

 private:
  // Fills in the report's description of the test, and opens the connections.
  absl::Status Connect() {
    report_.address = server_.address;
    report_.method = BenchMethodName(options_);
    report_.tensors = DescribeTensors(options_);
    report_.started = std::chrono::system_clock::now();
    report_.warmup = options_.warmup;
    for (const Condition& condition : options_.fail_if) {
      report_.conditions.push_back(condition.text());
    }
    ASSIGN_OR_RETURN(Workload workload, MakeWorkload(options_, &report_.warnings));
    ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Connect(server_));
    const absl::StatusOr<ServerInfo> info = client->GetServerInfo();
    if (info.ok()) {
      report_.server_info = *info;
    } else if (!absl::IsUnimplemented(info.status())) {
      return info.status();
    }
    ASSIGN_OR_RETURN(const std::vector<ServerAddress> addresses,
                     ParseServerAddresses(server_.address));
    // What a single server fails to do is a result.
    const RetryOptions retry = addresses.size() > 1 ? server_.retry : LoadTesterOptions().retry;
    report_.connections = std::max(options_.connections, addresses.size());
    ASSIGN_OR_RETURN(tester_, LoadTester::Connect({.address = server_.address,
                                                   .security = server_.security,
                                                   .retry = retry,
                                                   .timeout = server_.timeout,
                                                   .connections = report_.connections},
                                                  std::move(workload)));
    return absl::OkStatus();
  }

  // Runs the first load of a series, or the closed loop of a search, without
  // counting it.
  void WarmUp() {
    if (options_.warmup.count() == 0) {
      return;
    }
    LoadPlan plan = MakePlans(options_).front();
    plan.calls.reset();
    plan.duration = options_.warmup;
    report_.warmup_calls = tester_->Run(plan, stop_, nullptr).calls;
  }

  absl::StatusOr<MetricsPage> ScrapeIfAsked() const {
    return options_.metrics_url.empty() ? MetricsPage()
                                        : ScrapeMetrics(options_.metrics_url, server_.timeout);
  }

  // Adds the server's own view to the report. If the server can no longer be
  // reached, adds a warning instead, and the results are still reported.
  void LookAtServer(const MetricsPage& before) {
    const absl::StatusOr<MetricsPage> after = ScrapeIfAsked();
    absl::StatusOr<ServerView> view =
        after.ok() ? ViewBetween(before, *after, options_.method.name) : after.status();
    if (view.ok()) {
      report_.server = *std::move(view);
    } else {
      report_.warnings.push_back(
          absl::StrCat("the server's own view is missing: ", view.status().message()));
    }
  }

  void RunSeries() {
    const std::vector<LoadPlan> plans = MakePlans(options_);
    if (!options_.sweep_rates.empty()) {
      report_.series = LoadSeries::kRateSweep;
    } else if (!options_.sweep_concurrencies.empty()) {
      report_.series = LoadSeries::kConcurrencySweep;
    }
    for (const LoadPlan& plan : plans) {
      // The first load runs even after an interruption, so that there is a report.
      if (report_.loads.empty() || !stop_.stop_requested()) {
        report_.loads.push_back({.result = Measure(plan)});
      }
    }
  }

  void Search() {
    const LoadPlan window = MakePlans(options_).front();
    const auto measure = [&](std::optional<double> rate) {
      LoadPlan plan = window;
      plan.rate = rate;
      LoadResult result = Measure(plan);
      if (report_.loads.empty()) {
        report_.loads.push_back({.result = result, .holds = false});
      }
      return result;
    };
    RateSearchResult found = FindMaxRate(measure, *options_.latency_target);
    report_.series = LoadSeries::kRateSearch;
    report_.latency_target = options_.latency_target_text;
    // If no trial was completed, the report shows the closed loop that a search
    // starts with.
    if (!found.trials.empty()) {
      report_.loads.clear();
    }
    for (RateTrial& trial : found.trials) {
      report_.loads.push_back(
          {.result = std::move(trial.result), .is_stable = trial.is_stable, .holds = trial.holds});
    }
    report_.best = found.best;
  }

  LoadResult Measure(const LoadPlan& plan) {
    return tester_->Run(plan, stop_, [&](const LoadProgress& progress) { Show(plan, progress); });
  }

  void Show(const LoadPlan& plan, const LoadProgress& progress) {
    const std::string text = absl::StrCat(FormatNumber(progress.calls_per_second), " calls/s, p99 ",
                                          FormatTime(progress.p99), ", ", progress.errors,
                                          " errors, ", DescribeStep(plan));
    if (plan.duration.has_value()) {
      const auto seconds = [](std::chrono::nanoseconds time) {
        return std::chrono::duration<double>(time).count();
      };
      bar_.Show(static_cast<std::int64_t>(seconds(progress.elapsed)),
                static_cast<std::int64_t>(std::max(seconds(*plan.duration), 1.0)), text);
    } else {
      bar_.Show(static_cast<std::int64_t>(progress.calls), static_cast<std::int64_t>(*plan.calls),
                text);
    }
  }

  const BenchOptions& options_;
  const ClientOptions& server_;
  ProgressBar bar_;
  const std::stop_token stop_;
  std::unique_ptr<LoadTester> tester_;
  LoadReport report_;
};

// Returns the reasons why the result is not good enough: what --fail-if and --verify
// find in any load or, for a search, in its main load.
std::vector<std::string> FindFailures(const BenchOptions& options, const LoadReport& report) {
  std::vector<std::string> failures;
  const bool is_search = report.series == LoadSeries::kRateSearch;
  if (is_search && !report.best.has_value()) {
    failures.push_back(absl::StrCat("no rate was found that meets ", report.latency_target));
  }
  const std::span<const MeasuredLoad> loads =
      is_search ? std::span(report.loads).subspan(report.main_load(), 1) : report.loads;
  for (const MeasuredLoad& load : loads) {
    const std::string where =
        loads.size() > 1 ? absl::StrCat(DescribeStep(load.result.plan), ": ") : "";
    const auto wrong = load.result.status_codes.find(kWrongAnswer);
    if (wrong != load.result.status_codes.end()) {
      failures.push_back(absl::StrCat(where, wrong->second, " wrong answers; the first: ",
                                      load.result.messages.at(kWrongAnswer)));
    }
    for (const Condition& condition : options.fail_if) {
      if (condition.HoldsFor(load.result)) {
        failures.push_back(absl::StrCat(where, condition.Explain(load.result)));
      }
    }
  }
  return failures;
}

void Print(const LoadReport& report, LoadOutput kind, std::ostream& output) {
  switch (kind) {
    case LoadOutput::kText:
      PrintLoadSummary(report, output);
      break;
    case LoadOutput::kJson:
      PrintLoadJson(report, output);
      break;
    case LoadOutput::kCsv:
      PrintLoadCsv(report, output);
      break;
  }
}

absl::Status WriteReport(const LoadReport& report, const std::string& path) {
  const std::string page = LoadPage(report);
  const absl::Status status = WriteFileAtomically(path, {std::as_bytes(std::span(page))});
  return status.ok() ? status
                     : absl::Status(status.code(),
                                    absl::StrCat("cannot write ", path, ": ", status.message()));
}

absl::StatusOr<int> Bench(const BenchOptions& options, const ClientOptions& server,
                          const Terminal& terminal) {
  ASSIGN_OR_RETURN(LoadReport report, LoadTest(options, server, terminal).Run());
  report.failures = FindFailures(options, report);
  Print(report, options.output, ReportStream({options.report}, terminal));
  if (IsStandardOutput(options.report)) {
    terminal.output << LoadPage(report);
  } else if (!options.report.empty()) {
    RETURN_IF_ERROR(WriteReport(report, options.report));
  }
  if (!report.failures.empty()) {
    return kExitNotGoodEnough;
  }
  const bool has_answers = std::ranges::any_of(
      report.loads, [](const MeasuredLoad& load) { return load.result.ok_calls() > 0; });
  return has_answers ? kExitSuccess : kExitFailure;
}

}  // namespace

void AddBenchCommand(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand("bench",
                                         "Measures how much load the server sustains. Exit code 3 "
                                         "if a condition of --fail-if holds, an "
                                         "answer was wrong, or no rate meets the target");
  const auto options = std::make_shared<BenchOptions>();
  AddBenchOptions(*command, options.get());
  command->callback([options, chosen] {
    CheckBenchOptions(*options);
    *chosen = [options](const ClientOptions& server, const Terminal& terminal) {
      return Bench(*options, server, terminal);
    };
  });
}

}  // namespace quantd::client
