// Prints results: tables for people, JSON for machines.

#ifndef QUANTD_CLIENT_QUANTCTL_REPORT_H_
#define QUANTD_CLIENT_QUANTCTL_REPORT_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error_statistics.h"
#include "core/quantization.h"
#include "core/quantizer.h"

namespace quantd::client {

// JSON whose keys stay in the order in which they were added.
using Json = nlohmann::ordered_json;

// Prints one object on one line. Numbers that are not finite become null, and bytes
// that are not valid UTF-8 are replaced. What a terminal would obey is escaped.
void PrintJson(const Json& object, std::ostream& output);

// Returns {"min": [], "max": [], "scale": [], "zero_point": []}.
Json ToJson(const core::NudgedRange& range);

// Returns {"scale": [], "zero_point": [], "axis": …, "block_size": …}; what there is not
// becomes null.
Json ToJson(const core::UsedParameters& parameters);

// Adds the keys sqnr_db, max_abs_error and clipped_share to a JSON object.
void AddError(const core::ErrorStatistics& statistics, Json* object);

// A named column of a table, with one text per channel.
struct Column {
  std::string_view name;
  std::vector<std::string> texts;
};

// Returns a column of the values, rounded to six digits.
Column NumberColumn(std::string_view name, std::span<const float> values);

// Returns a column of the values.
Column IntegerColumn(std::string_view name, std::span<const std::int32_t> values);

// Returns the columns nudged min, nudged max, scale and zero point; none for a range
// without values.
std::vector<Column> NudgedRangeColumns(const core::NudgedRange& range);

// Returns the columns scale and zero point.
std::vector<Column> ScaleColumns(const core::UsedParameters& parameters);

// Prints one row per channel, with the channel's number. If there are many channels,
// prints only the first and the last few. All columns must have the same length.
// `unit` is what a row is about.
void PrintChannelTable(const std::vector<Column>& columns, std::ostream& output,
                       std::string_view unit = "channel");

// Returns "31.26 dB", "infinite (no error)" or "undefined (no signal)".
std::string FormatDecibels(double value);

// Prints a line such as "SQNR            31.26 dB". `value` may come from a server.
void PrintFact(std::string_view name, std::string_view value, std::ostream& output);

// Prints a line for each warning, such as "quantctl: warning: channel 3 …".
void PrintWarnings(const std::vector<std::string>& warnings, std::ostream& error);

// Prints SQNR, max abs error and the share of clipped elements.
void PrintError(const core::ErrorStatistics& statistics, std::ostream& output);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_REPORT_H_
