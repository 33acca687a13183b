// How the values of `quantctl bench`'s options are written.
//
// What a function cannot read it refuses: it throws CLI::ValidationError, which
// names the option and says, with an example, what was expected.

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

// Calls a second, as in "2000" or "0.5": above 0, up to ten million.
double ReadRate(const std::string& option, const std::string& text);

// A whole number of 1..most.
std::size_t ReadCount(const std::string& option, const std::string& text, std::size_t most);

// "500ms", "10s" or "1m30s": 0 up to a year.
std::chrono::nanoseconds ReadDuration(const std::string& option, const std::string& text);

// A part of all, 0..1: "0.05" or "5%"; all where the text is empty.
double ReadShare(const std::string& text);

// Dimensions, as in "64,32", of a tensor of at most 512 MiB.
std::vector<std::int64_t> ReadShape(const std::string& text);

// "90:4KiB,9:1MiB,1:64MiB": weights above 0, and sizes of up to 512 MiB.
std::vector<MixPart> ReadMix(const std::string& text);

// The steps of a sweep, at most a thousand: "1000..10000:1000".
std::vector<double> ReadRates(const std::string& text);

// The same of "1..64", where each step doubles the one before, or "8..64:8"; each
// at most kMaxConcurrency.
std::vector<std::size_t> ReadConcurrencies(const std::string& text);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_BENCH_VALUES_H_
