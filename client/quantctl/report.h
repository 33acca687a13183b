// Prints results: tables for people, JSON for machines.

#ifndef QUANTD_CLIENT_QUANTCTL_REPORT_H_
#define QUANTD_CLIENT_QUANTCTL_REPORT_H_

#include <nlohmann/json.hpp>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/quantization.h"

namespace quantd::client {

// JSON whose keys stay in the order in which they were added.
using Json = nlohmann::ordered_json;

// Prints one object on one line. Numbers that are not finite become null, and bytes
// that are not valid UTF-8 are replaced.
void PrintJson(const Json& object, std::ostream& output);

// Returns {"min": [], "max": [], "scale": [], "zero_point": []}.
Json ToJson(const core::NudgedRange& range);

// A named column of a table, with one text per channel.
struct Column {
  std::string_view name;
  std::vector<std::string> texts;
};

// Returns a column of the values, rounded to six digits.
Column NumberColumn(std::string_view name, std::span<const float> values);

// Returns the columns nudged min, nudged max, scale and zero point.
std::vector<Column> NudgedRangeColumns(const core::NudgedRange& range);

// Prints one row per channel, with the channel's number. If there are many channels,
// prints only the first and the last few. All columns must have the same length.
void PrintChannelTable(const std::vector<Column>& columns, std::ostream& output);

// Returns "31.26 dB", "infinite (no error)" or "undefined (no signal)".
std::string FormatDecibels(double value);

// Prints a line such as "SQNR            31.26 dB".
void PrintFact(std::string_view name, std::string_view value, std::ostream& output);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_REPORT_H_
