// Settings in a TOML file.

#ifndef QUANTD_SERVER_SETTINGS_CONFIGURATION_FILE_H_
#define QUANTD_SERVER_SETTINGS_CONFIGURATION_FILE_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/settings/options.h"

namespace quantd::server {

// Larger files are refused. They would hardly be configuration files, and toml++ uses
// stack for each table in a table: less than half of it for so many bytes.
inline constexpr std::size_t kMaxConfigurationBytes = std::size_t{64} << 10;

// Returns what the file at `path`, which may be a pipe, gives. The values have the
// types that their settings can have, but not necessarily permitted ones.
//
// Errors: kInvalidArgument, with the file, the line and the column of what is not
// TOML, is not a setting or has the wrong type, or with the reason why the file cannot
// be read; and with what was expected.
absl::StatusOr<GivenValues> ReadConfigurationFile(const std::string& path);

// The same for `text`, the contents of a file that messages call `path`.
absl::StatusOr<GivenValues> ParseConfiguration(const std::string& path, std::string_view text);

// Returns `options` as the text of a configuration file with the same settings.
//
// Errors: kInvalidArgument if a value is not valid UTF-8, which TOML cannot express.
absl::StatusOr<std::string> FormatConfiguration(const Options& options);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SETTINGS_CONFIGURATION_FILE_H_
