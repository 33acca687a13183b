// Formats the figures of a load.

#ifndef QUANTD_CLIENT_LOAD_FORMAT_H_
#define QUANTD_CLIENT_LOAD_FORMAT_H_

#include <chrono>
#include <cstdint>
#include <string>

namespace quantd::client {

// Formats a time with three digits and a suitable unit: "742 ns", "21.5 µs",
// "1.20 ms", "3.00 s".
std::string FormatTime(std::chrono::nanoseconds time);
std::string FormatTime(std::chrono::duration<double> time);
std::string FormatSeconds(double seconds);

// Returns a time in seconds.
constexpr double Seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

// Formats a number with at least three significant digits: "0.0123", "12.3", "14210".
std::string FormatNumber(double value);

// Formats a share as a percentage: "0.125 %".
std::string FormatShare(double share);

// Formats a size in a suitable unit: "4 KiB", "1.5 MiB".
std::string FormatBytes(double bytes);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_FORMAT_H_
