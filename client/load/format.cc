#include "client/load/format.h"

#include <array>
#include <cmath>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace quantd::client {
namespace {

// Formats with three digits and without an exponent.
std::string ThreeDigits(double value) {
  constexpr double kTwoBeforePoint = 9.995;
  constexpr double kThreeBeforePoint = 99.95;
  if (std::abs(value) >= kThreeBeforePoint) {
    return absl::StrFormat("%.0f", value);
  }
  return std::abs(value) >= kTwoBeforePoint ? absl::StrFormat("%.1f", value)
                                            : absl::StrFormat("%.2f", value);
}

}  // namespace

std::string FormatTime(std::chrono::nanoseconds time) {
  return FormatTime(std::chrono::duration<double>(time));
}

std::string FormatTime(std::chrono::duration<double> time) {
  struct Unit {
    double seconds;
    std::string_view name;
  };
  // A value that would be rounded to 1000 gets the next unit.
  constexpr double kAlmostOne = 0.9995;
  constexpr std::array<Unit, 3> kUnits = {{{.seconds = 1, .name = "s"},
                                           {.seconds = 1e-3, .name = "ms"},
                                           {.seconds = 1e-6, .name = "µs"}}};
  if (time.count() == 0) {
    return "0 s";
  }
  for (const Unit& unit : kUnits) {
    const double value = time.count() / unit.seconds;
    if (std::abs(value) >= kAlmostOne) {
      return absl::StrCat(ThreeDigits(value), " ", std::string(unit.name));
    }
  }
  constexpr double kNanosecondsPerSecond = 1e9;
  return absl::StrFormat("%.0f ns", time.count() * kNanosecondsPerSecond);
}

std::string FormatSeconds(double seconds) {
  return FormatTime(std::chrono::duration<double>(seconds));
}

std::string FormatNumber(double value) {
  constexpr double kInteger = 100;
  return std::abs(value) >= kInteger ? absl::StrFormat("%.0f", value)
                                     : absl::StrFormat("%.3g", value);
}

std::string FormatShare(double share) { return absl::StrFormat("%.3g %%", 100 * share); }

std::string FormatBytes(double bytes) {
  constexpr double kStep = 1024;
  constexpr std::array<std::string_view, 4> kUnits = {"bytes", "KiB", "MiB", "GiB"};
  std::size_t unit = 0;
  while (bytes >= kStep && unit + 1 < kUnits.size()) {
    bytes /= kStep;
    ++unit;
  }
  return absl::StrFormat("%.4g %s", bytes, kUnits[unit]);
}

}  // namespace quantd::client
