// Parses the values of `quantctl bench`'s options.
//
// All functions throw CLI::ValidationError for text that they cannot parse. The
// message names the option and says, with an example, what was expected.

#ifndef QUANTD_CLIENT_QUANTCTL_BENCH_VALUES_H_
#define QUANTD_CLIENT_QUANTCTL_BENCH_VALUES_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace quantd::client {

inline constexpr std::size_t kMaxConcurrency = 65536;

// Tensors of one size in a mix.
struct MixPart {
  double weight;
  std::size_t bytes;
};

// Throws CLI::ValidationError: "`what`; expected `expected`".
[[noreturn]] void Refuse(const std::string& what, const std::string& expected);

// Parses a number of calls per second, such as "2000" or "0.5": above 0 and at most
// ten million.
double ReadRate(const std::string& option, const std::string& text);

// Parses a whole number from 1 to `most`.
std::size_t ReadCount(const std::string& option, const std::string& text, std::size_t most);

// Parses a duration such as "500ms", "10s" or "1m30s", from 0 to a year.
std::chrono::nanoseconds ReadDuration(const std::string& option, const std::string& text);

// Parses a share such as "0.05" or "5%", from 0 to 1. Empty text means 1.
double ReadShare(const std::string& text);

// Parses the dimensions, such as "64,32", of a tensor of at most 512 MiB.
std::vector<std::int64_t> ReadShape(const std::string& text);

// Parses a mix such as "90:4KiB,9:1MiB,1:64MiB": weights above 0, and sizes of at
// most 512 MiB.
std::vector<MixPart> ReadMix(const std::string& text);

// Parses the rates of a sweep, such as "1000..10000:1000". Returns one rate per
// step, and at most a thousand.
std::vector<double> ReadRates(const std::string& text);

// Parses the concurrencies of a sweep: "1..64", where each step doubles the one
// before, or "8..64:8". Each is at most kMaxConcurrency.
std::vector<std::size_t> ReadConcurrencies(const std::string& text);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_BENCH_VALUES_H_
