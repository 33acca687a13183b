// How settings are written: sizes with units, durations with units.

#ifndef QUANTD_SERVER_SETTINGS_OPTION_VALUES_H_
#define QUANTD_SERVER_SETTINGS_OPTION_VALUES_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace quantd::server {

// Reads "268435456", "256MiB" or "1GiB"; units B, KiB, MiB and GiB.
//
// Errors: kInvalidArgument, with the text and what was expected.
absl::StatusOr<std::uint64_t> ParseByteSize(std::string_view text);

// The shortest text that ParseByteSize() reads as `bytes`.
std::string FormatByteSize(std::uint64_t bytes);

// Reads "30" (seconds), "2.5s", "500ms" or "1m30s"; 0 up to a day.
//
// Errors: kInvalidArgument, with the text and what was expected.
absl::StatusOr<std::chrono::milliseconds> ParseDuration(std::string_view text);

// A text that ParseDuration() reads as `duration`.
std::string FormatDuration(std::chrono::milliseconds duration);

// Reads a whole number of min..max.
//
// Errors: kInvalidArgument, with the text and what was expected.
absl::StatusOr<std::uint64_t> ParseWholeNumber(std::string_view text, std::uint64_t min,
                                               std::uint64_t max);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SETTINGS_OPTION_VALUES_H_
