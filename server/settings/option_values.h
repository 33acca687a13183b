// Reads and writes the values of settings: sizes and durations with units.

#ifndef QUANTD_SERVER_SETTINGS_OPTION_VALUES_H_
#define QUANTD_SERVER_SETTINGS_OPTION_VALUES_H_

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace quantd::server {

// Parses a size such as "268435456", "256MiB" or "1GiB" and returns it in bytes.
// The units are B, KiB, MiB and GiB.
//
// Errors: kInvalidArgument, with the text and what was expected.
absl::StatusOr<std::uint64_t> ParseByteSize(std::string_view text);

// Returns the shortest text that ParseByteSize() parses as `bytes`.
std::string FormatByteSize(std::uint64_t bytes);

// Parses a duration such as "30" or "2.5" (seconds), "2.5s", "500ms" or "1m30s",
// from 0 to a day.
//
// Errors: kInvalidArgument, with the text and what was expected.
absl::StatusOr<std::chrono::milliseconds> ParseDuration(std::string_view text);

// Returns a text that ParseDuration() parses as `duration`.
std::string FormatDuration(std::chrono::milliseconds duration);

// Parses permissions of a file in octal, such as "660" or "0660", from 0 to 777.
//
// Errors: kInvalidArgument, with the text and what was expected.
absl::StatusOr<mode_t> ParsePermissions(std::string_view text);

// Returns a text that ParsePermissions() parses as `permissions`. It has no leading zero,
// because TOML permits none in a number.
std::string FormatPermissions(mode_t permissions);

// Parses a whole number from `min` to `max`.
//
// Errors: kInvalidArgument, with the text and what was expected.
absl::StatusOr<std::uint64_t> ParseWholeNumber(std::string_view text, std::uint64_t min,
                                               std::uint64_t max);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SETTINGS_OPTION_VALUES_H_
