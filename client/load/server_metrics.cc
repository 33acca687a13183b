#include "client/load/server_metrics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/load/http_get.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"

namespace quantd::client {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }
bool IsNotBlank(char c) { return !IsBlank(c); }
bool IsNameCharacter(char c) { return absl::ascii_isalnum(c) || c == '_' || c == ':'; }

// Parses a line from left to right. There may be blanks between the parts.
class LineReader {
 public:
  explicit LineReader(absl::string_view line) : rest_(line) {}

  bool TakeCharacter(char c) {
    SkipBlanks();
    const bool is_next = !rest_.empty() && rest_.front() == c;
    rest_.remove_prefix(is_next ? 1 : 0);
    return is_next;
  }

  // Returns an empty name if the line does not continue with a name.
  absl::string_view TakeName() {
    SkipBlanks();
    const bool is_number = !rest_.empty() && absl::ascii_isdigit(rest_.front());
    return is_number ? absl::string_view() : TakeWhile(IsNameCharacter);
  }

  // Returns the text before the next blank, or before the end of the line.
  absl::string_view TakeWord() {
    SkipBlanks();
    return TakeWhile(IsNotBlank);
  }

  // Parses {NAME="VALUE",…}, or nothing.
  bool TakeLabels(Labels* labels) {
    if (!TakeCharacter('{')) {
      return true;
    }
    while (!TakeCharacter('}')) {
      if (!TakeLabel(labels)) {
        return false;
      }
      // A comma may follow the last label, too.
      if (!TakeCharacter(',')) {
        return TakeCharacter('}');
      }
    }
    return true;
  }

  bool IsAtEnd() {
    SkipBlanks();
    return rest_.empty();
  }

 private:
  void SkipBlanks() { TakeWhile(IsBlank); }

  absl::string_view TakeWhile(bool (*belongs)(char)) {
    const auto* const end = std::find_if_not(rest_.begin(), rest_.end(), belongs);
    const absl::string_view taken = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(taken.size());
    return taken;
  }

  bool TakeLabel(Labels* labels) {
    const absl::string_view name = TakeName();
    if (name.empty() || !TakeCharacter('=') || !TakeCharacter('"')) {
      return false;
    }
    const std::optional<std::string> value = TakeToQuote();
    return value.has_value() && labels->emplace(name, *value).second;
  }

  // Consumes a label's value and the closing quotation mark. Returns the value.
  std::optional<std::string> TakeToQuote() {
    std::string value;
    for (std::size_t i = 0; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return value;
      }
      if (rest_[i] != '\\') {
        value += rest_[i];
      } else if (const auto character = Unescape(rest_.substr(++i, 1)); character.has_value()) {
        value += *character;
      } else {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  // Returns the character that a backslash followed by `next` represents.
  static std::optional<char> Unescape(absl::string_view next) {
    if (next == "n") {
      return '\n';
    }
    return next == "\\" || next == "\"" ? std::optional(next.front()) : std::nullopt;
  }

  absl::string_view rest_;
};

// Parses NAME{LABEL="VALUE",…} NUMBER [TIMESTAMP]. Returns false if `line` has another
// form.
bool ParseSample(absl::string_view line, std::string* name, Labels* labels, double* value) {
  LineReader reader(line);
  *name = std::string(reader.TakeName());
  if (name->empty() || !reader.TakeLabels(labels) || !absl::SimpleAtod(reader.TakeWord(), value)) {
    return false;
  }
  std::int64_t timestamp = 0;
  return reader.IsAtEnd() || (absl::SimpleAtoi(reader.TakeWord(), &timestamp) && reader.IsAtEnd());
}

absl::Status NoSample(std::size_t number, absl::string_view line) {
  constexpr std::size_t kMaxExcerptLength = 100;
  return absl::InvalidArgumentError(absl::StrCat(
      "line ", number, " is `", line.substr(0, kMaxExcerptLength),
      line.size() > kMaxExcerptLength ? "…" : "",
      "`; expected NAME{LABEL=\"VALUE\",…} NUMBER: check that the URL is that of a page of "
      "Prometheus metrics"));
}

bool HasLabels(const Labels& labels, const Labels& expected) {
  return std::ranges::includes(labels, expected);
}

// Computes how much counters grew from one page to the next.
class Growth {
 public:
  Growth(const MetricsPage& before, const MetricsPage& after) : before_(before), after_(after) {}

  double Of(std::string_view name, const Labels& labels = {}) const {
    return after_.Sum(name, labels) - before_.Sum(name, labels);
  }

  std::map<std::string, double> By(std::string_view label, std::string_view name,
                                   const Labels& labels = {}) const {
    std::map<std::string, double> growth = after_.SumBy(label, name, labels);
    for (const auto& [value, sum] : before_.SumBy(label, name, labels)) {
      growth[value] -= sum;
    }
    return growth;
  }

  // Leaves out counters that did not grow.
  std::map<std::string, double> PositiveBy(std::string_view label, std::string_view name,
                                           const Labels& labels = {}) const {
    std::map<std::string, double> growth = By(label, name, labels);
    std::erase_if(growth, [](const auto& entry) { return entry.second <= 0; });
    return growth;
  }

 private:
  const MetricsPage& before_;
  const MetricsPage& after_;
};

// The times that a histogram observed between two pages.
class ObservedTimes {
 public:
  ObservedTimes(const Growth& growth, absl::string_view name, const Labels& labels = {})
      : count_(growth.Of(absl::StrCat(name, "_count"), labels)),
        sum_(growth.Of(absl::StrCat(name, "_sum"), labels)) {
    for (const auto& [bound, count] : growth.By("le", absl::StrCat(name, "_bucket"), labels)) {
      double number = 0;
      if (absl::SimpleAtod(bound, &number) && !std::isnan(number)) {
        counts_up_to_[number] += count;
      }
    }
  }

  bool empty() const { return count_ <= 0; }
  double Mean() const { return sum_ / count_; }

  // Like PromQL's histogram_quantile(), this assumes that values are spread evenly
  // between the bounds of a bucket.
  double Quantile(double quantile) const {
    const double rank = quantile * count_;
    double lower_bound = 0;
    double count_below = 0;
    for (const auto& [bound, count] : counts_up_to_) {
      if (std::isinf(bound)) {
        break;
      }
      if (count >= rank) {
        return std::lerp(lower_bound, bound, (rank - count_below) / (count - count_below));
      }
      lower_bound = bound;
      count_below = count;
    }
    return lower_bound;
  }

 private:
  double count_;
  double sum_;
  // Cumulative counts, by upper bound.
  std::map<double, double> counts_up_to_;
};

std::optional<ServerView::Times> Summarize(const ObservedTimes& times) {
  if (times.empty()) {
    return std::nullopt;
  }
  constexpr double kMedian = 0.5;
  constexpr double kTail = 0.99;
  return ServerView::Times{
      .mean = times.Mean(), .p50 = times.Quantile(kMedian), .p99 = times.Quantile(kTail)};
}

// On pages of the same server, this only changes when the server is restarted.
double StartTime(const MetricsPage& page) { return page.Sum("process_start_time_seconds", {}); }

}  // namespace

absl::StatusOr<MetricsPage> MetricsPage::Parse(std::string_view text) {
  MetricsPage page;
  std::size_t number = 0;
  for (absl::string_view line : absl::StrSplit(core::ToAbsl(text), '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') {
      continue;
    }
    std::string name;
    Sample sample;
    if (!ParseSample(line, &name, &sample.labels, &sample.value)) {
      return NoSample(number, line);
    }
    page.samples_[name].push_back(std::move(sample));
  }
  return page;
}

double MetricsPage::Sum(std::string_view name, const Labels& labels) const {
  double sum = 0;
  if (const auto samples = samples_.find(name); samples != samples_.end()) {
    for (const Sample& sample : samples->second) {
      sum += HasLabels(sample.labels, labels) ? sample.value : 0;
    }
  }
  return sum;
}

std::map<std::string, double> MetricsPage::SumBy(std::string_view label, std::string_view name,
                                                 const Labels& labels) const {
  std::map<std::string, double> sums;
  if (const auto samples = samples_.find(name); samples != samples_.end()) {
    for (const Sample& sample : samples->second) {
      const auto value = sample.labels.find(label);
      if (value != sample.labels.end() && HasLabels(sample.labels, labels)) {
        sums[value->second] += sample.value;
      }
    }
  }
  return sums;
}

absl::StatusOr<MetricsPage> ScrapeMetrics(const std::string& url,
                                          std::chrono::milliseconds timeout) {
  ASSIGN_OR_RETURN(const std::string text, HttpGet(url, timeout));
  absl::StatusOr<MetricsPage> page = MetricsPage::Parse(text);
  if (!page.ok()) {
    return absl::Status(page.status().code(), absl::StrCat(url, ": ", page.status().message()));
  }
  // This metric of quantd is always 1.
  if (page->Sum("quantd_build_info", {}) == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(url,
                     " shows the metrics of another program; expected those of quantd: use the URL "
                     "that quantd prints when it starts"));
  }
  return page;
}

absl::StatusOr<ServerView> ViewBetween(const MetricsPage& before, const MetricsPage& after,
                                       std::string_view grpc_method) {
  if (StartTime(before) != StartTime(after)) {
    return absl::AbortedError(
        "the server was restarted between two scrapes of its metrics, which reset its counters; "
        "expected the same server all the time: find out why it ended, and repeat the load");
  }
  const Growth growth(before, after);
  const Labels method = {{"grpc_method", std::string(grpc_method)}};
  const ObservedTimes kernel_times(growth, "quantd_kernel_seconds");
  return ServerView{
      .calls = growth.Of("grpc_server_handled_total", method),
      .calls_by_code = growth.PositiveBy("grpc_code", "grpc_server_handled_total", method),
      .messages_received = growth.Of("grpc_server_msg_received_total", method),
      .messages_sent = growth.Of("grpc_server_msg_sent_total", method),
      .handling_seconds = Summarize(ObservedTimes(growth, "grpc_server_handling_seconds", method)),
      .elements = growth.Of("quantd_elements_total"),
      .mean_kernel_seconds =
          kernel_times.empty() ? std::nullopt : std::optional(kernel_times.Mean()),
      .cpu_seconds = growth.Of("process_cpu_seconds_total"),
      .rejected = growth.PositiveBy("reason", "quantd_rejected_requests_total"),
      .resident_bytes = after.Sum("process_resident_memory_bytes", {}),
      .in_flight_requests = after.Sum("quantd_in_flight_requests", {})};
}

}  // namespace quantd::client
