// Results as quantctl prints them: tables for people, JSON for machines.

#ifndef QUANTD_CLIENT_QUANTCTL_REPORT_H_
#define QUANTD_CLIENT_QUANTCTL_REPORT_H_

#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "core/quantization.h"

namespace quantd::client {

// Keeps its keys in the order in which they were added.
using Json = nlohmann::ordered_json;

// One object on a line of its own. Numbers that are not finite become null, and
// text that is not UTF-8 is mended.
void PrintJson(const Json& object, std::ostream& output);

// {"min": [], "max": [], "scale": [], "zero_point": []}
Json ToJson(const core::NudgedRange& range);

// A named column of a table, one text a channel.
struct Column {
  std::string_view name;
  std::vector<std::string> texts;
};

// The values to six digits.
Column NumberColumn(std::string_view name, const std::vector<float>& values);

// min, max, scale and zero point.
std::vector<Column> NudgedRangeColumns(const core::NudgedRange& range);

// Prints a row for each channel, with its number; of many channels the first
// and last few. The columns have as many texts as there are channels.
void PrintChannelTable(const std::vector<Column>& columns, std::ostream& output);

// "31.26 dB", "infinite (no error)" or "undefined (no signal)".
std::string FormatDecibels(double value);

// A line such as "SQNR            31.26 dB".
void PrintFact(std::string_view name, std::string_view value, std::ostream& output);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_REPORT_H_
