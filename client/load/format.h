// Figures of a load as people read them.

#ifndef QUANTD_CLIENT_LOAD_FORMAT_H_
#define QUANTD_CLIENT_LOAD_FORMAT_H_

#include <chrono>
#include <cstdint>
#include <string>

namespace quantd::client {

// Three digits with the unit that fits: "742 ns", "21.5 µs", "1.20 ms", "3.00 s".
std::string FormatTime(std::chrono::nanoseconds time);
std::string FormatTime(std::chrono::duration<double> time);

// A number of which about three digits matter: "0.0123", "12.3", "14210".
std::string FormatNumber(double value);

// "0.125 %"
std::string FormatShare(double share);

// In the unit that fits: "4 KiB", "1.5 MiB".
std::string FormatBytes(double bytes);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_FORMAT_H_
