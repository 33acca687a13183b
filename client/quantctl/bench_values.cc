#include "client/quantctl/bench_values.h"

#include <CLI/CLI.hpp>
#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "client/load/format.h"

namespace quantd::client {
namespace {

constexpr double kMaxRate = 1e7;
constexpr std::size_t kMaxSteps = 1000;
// Protobuf's messages are limited to 2 GiB, and a gradient request contains two
// tensors.
constexpr std::size_t kMaxTensorBytes = std::size_t{1} << 29U;

template <typename Number>
Number ReadNumber(const std::string& option, const std::string& text, Number least, Number most) {
  double value = 0;
  if (!absl::SimpleAtod(text, &value) || !(value >= static_cast<double>(least)) ||
      !(value <= static_cast<double>(most)) ||
      (std::is_integral_v<Number> && value != std::floor(value))) {
    Refuse(absl::StrCat(option, ": \"", text, "\" is not valid"),
           absl::StrCat(std::is_integral_v<Number> ? "a whole number" : "a number", " from ", least,
                        " to ", most));
  }
  return static_cast<Number>(value);
}

std::size_t ReadBytes(const std::string& option, const std::string& text) {
  std::string bytes = text;
  const std::string problem = CLI::AsSizeValue(/*kb_is_1000=*/true)(bytes);
  std::size_t size = 0;
  if (!problem.empty() || !absl::SimpleAtoi(bytes, &size) || size == 0 ||
      size % sizeof(float) != 0 || size > kMaxTensorBytes) {
    Refuse(absl::StrCat(option, ": \"", text, "\" is not a valid tensor size"),
           absl::StrCat("a multiple of 4 bytes, such as 4KiB or 1MiB, up to ",
                        FormatBytes(kMaxTensorBytes)));
  }
  return size;
}

struct Steps {
  std::string first;
  std::string last;
  std::optional<std::string> step;
};

Steps ReadSteps(const std::string& option, const std::string& text, const std::string& example) {
  const std::vector<std::string> ends =
      absl::StrSplit(text, absl::MaxSplits(absl::string_view(".."), 1));
  if (ends.size() != 2) {
    Refuse(absl::StrCat(option, ": \"", text, "\" is not a valid sweep"), example);
  }
  const std::vector<std::string> last = absl::StrSplit(ends.back(), absl::MaxSplits(':', 1));
  return {.first = ends.front(),
          .last = last.front(),
          .step = last.size() == 2 ? std::optional(last.back()) : std::nullopt};
}

// Returns the values of `step_at(index)`, an increasing sequence, up to `last`.
template <typename Number, typename StepAt>
std::vector<Number> Walk(const std::string& option, Number last, const StepAt& step_at) {
  std::vector<Number> steps;
  while (step_at(steps.size()) <= last) {
    if (steps.size() == kMaxSteps) {
      Refuse(absl::StrCat(option, " has over ", kMaxSteps, " steps"), "a larger STEP");
    }
    steps.push_back(step_at(steps.size()));
  }
  if (steps.empty()) {
    Refuse(absl::StrCat(option, " ends before it begins"), "A..B, where A is at most B");
  }
  return steps;
}

}  // namespace

void Refuse(const std::string& what, const std::string& expected) {
  throw CLI::ValidationError(absl::StrCat(what, "; expected ", expected));
}

double ReadRate(const std::string& option, const std::string& text) {
  return ReadNumber(option, text, std::numeric_limits<double>::min(), kMaxRate);
}

std::size_t ReadCount(const std::string& option, const std::string& text, std::size_t most) {
  return ReadNumber<std::size_t>(option, text, 1, most);
}

std::chrono::nanoseconds ReadDuration(const std::string& option, const std::string& text) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration) || duration < absl::ZeroDuration() ||
      duration > absl::Hours(24 * 365)) {
    Refuse(absl::StrCat(option, ": \"", text, "\" is not a valid duration"),
           "a number with its unit, such as 500ms, 10s or 2m");
  }
  return absl::ToChronoNanoseconds(duration);
}

double ReadShare(const std::string& text) {
  if (text.empty()) {
    return 1;
  }
  constexpr double kPercent = 100;
  const bool is_percent = text.back() == '%';
  double share = 0;
  if (!absl::SimpleAtod(text.substr(0, text.size() - (is_percent ? 1 : 0)), &share) ||
      !((share /= is_percent ? kPercent : 1) >= 0 && share <= 1)) {
    Refuse(absl::StrCat("--verify: \"", text, "\" is not a valid share"),
           "a number from 0 to 1, or from 0% to 100%");
  }
  return share;
}

std::vector<std::int64_t> ReadShape(const std::string& text) {
  std::vector<std::int64_t> shape;
  std::size_t bytes = sizeof(float);
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    std::int64_t dimension = 0;
    if (!absl::SimpleAtoi(part, &dimension) || dimension < 0) {
      Refuse(absl::StrCat("--shape: \"", text, "\" is not a valid shape"),
             "dimensions separated by commas, such as 64,32");
    }
    if (static_cast<std::size_t>(dimension) > kMaxTensorBytes ||
        (bytes *= static_cast<std::size_t>(dimension)) > kMaxTensorBytes) {
      Refuse(absl::StrCat("--shape: ", text, " is too large"),
             absl::StrCat("a tensor of at most ", FormatBytes(kMaxTensorBytes)));
    }
    shape.push_back(dimension);
  }
  return shape;
}

std::vector<MixPart> ReadMix(const std::string& text) {
  std::vector<MixPart> mix;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const std::vector<std::string> fields = absl::StrSplit(part, absl::MaxSplits(':', 1));
    double weight = 0;
    if (fields.size() != 2 || !absl::SimpleAtod(fields.front(), &weight) || !(weight > 0) ||
        !std::isfinite(weight)) {
      Refuse(absl::StrCat("--mix: \"", part, "\" is not a valid part of a mix"),
             "WEIGHT:SIZE, such as --mix 90:4KiB,9:1MiB,1:64MiB");
    }
    mix.push_back({.weight = weight, .bytes = ReadBytes("--mix", fields.back())});
  }
  return mix;
}

std::vector<double> ReadRates(const std::string& text) {
  const std::string option = "--sweep-rate";
  const Steps steps =
      ReadSteps(option, text, "A..B:STEP in calls per second, such as 1000..10000:1000");
  if (!steps.step.has_value()) {
    Refuse("--sweep-rate has no step", "A..B:STEP, such as 1000..10000:1000");
  }
  const double step = ReadRate(option, *steps.step);
  const double first = ReadRate(option, steps.first);
  const double last = ReadRate(option, steps.last);
  return Walk(option, last,
              [=](std::size_t index) { return first + static_cast<double>(index) * step; });
}

std::vector<std::size_t> ReadConcurrencies(const std::string& text) {
  const std::string option = "--sweep-concurrency";
  const Steps steps = ReadSteps(option, text, "A..B, which doubles, or A..B:STEP, such as 1..64");
  const std::size_t step =
      steps.step.has_value() ? ReadCount(option, *steps.step, kMaxConcurrency) : 0;
  const std::size_t first = ReadCount(option, steps.first, kMaxConcurrency);
  const std::size_t last = ReadCount(option, steps.last, kMaxConcurrency);
  return Walk(option, last,
              [=](std::size_t index) { return step > 0 ? first + index * step : first << index; });
}

}  // namespace quantd::client
