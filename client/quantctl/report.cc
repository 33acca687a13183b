#include "client/quantctl/report.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iomanip>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/quantctl/printable.h"

namespace quantd::client {
namespace {

// If there are more channels than this, only the first and the last are printed.
constexpr std::size_t kMaxRows = 16;
constexpr std::size_t kLastRows = 4;
constexpr std::size_t kFirstRows = kMaxRows - kLastRows;

constexpr int kColumnWidth = 14;
constexpr int kChannelWidth = 9;
constexpr int kNameWidth = 18;

void PrintRow(std::size_t channel, const std::vector<Column>& columns, std::ostream& output) {
  output << std::setw(kChannelWidth) << channel;
  for (const Column& column : columns) {
    output << std::setw(kColumnWidth) << column.texts[channel];
  }
  output << "\n";
}

}  // namespace

void PrintJson(const Json& object, std::ostream& output) {
  output << PrintableJson(object.dump(-1, ' ', false, Json::error_handler_t::replace)) << "\n";
}

Json ToJson(const core::NudgedRange& range) {
  return {{"min", range.min},
          {"max", range.max},
          {"scale", range.scale},
          {"zero_point", range.zero_point}};
}

Json ToJson(const core::UsedParameters& parameters) {
  Json object = {{"scale", parameters.scale}, {"zero_point", parameters.zero_point}};
  object["axis"] = parameters.axis.has_value() ? Json(*parameters.axis) : Json();
  object["block_size"] = parameters.block_size.has_value() ? Json(*parameters.block_size) : Json();
  return object;
}

void AddError(const core::ErrorStatistics& statistics, Json* object) {
  (*object)["sqnr_db"] = statistics.sqnr_db;
  (*object)["max_abs_error"] = statistics.max_abs_error;
  (*object)["clipped_share"] = statistics.clipped_share;
}

Column NumberColumn(std::string_view name, std::span<const float> values) {
  Column column{.name = name, .texts = {}};
  for (const float value : values) {
    column.texts.push_back(absl::StrFormat("%.6g", value));
  }
  return column;
}

Column IntegerColumn(std::string_view name, std::span<const std::int32_t> values) {
  Column column{.name = name, .texts = {}};
  for (const std::int32_t value : values) {
    column.texts.push_back(absl::StrCat(value));
  }
  return column;
}

std::vector<Column> NudgedRangeColumns(const core::NudgedRange& range) {
  if (range.min.empty()) {
    return {};
  }
  return {NumberColumn("nudged min", range.min), NumberColumn("nudged max", range.max),
          NumberColumn("scale", range.scale), IntegerColumn("zero point", range.zero_point)};
}

std::vector<Column> ScaleColumns(const core::UsedParameters& parameters) {
  return {NumberColumn("scale", parameters.scale),
          IntegerColumn("zero point", parameters.zero_point)};
}

void PrintChannelTable(const std::vector<Column>& columns, std::ostream& output,
                       std::string_view unit) {
  output << std::setw(kChannelWidth) << unit;
  for (const Column& column : columns) {
    output << std::setw(kColumnWidth) << column.name;
  }
  output << "\n";
  const std::size_t channels = columns.empty() ? 0 : columns.front().texts.size();
  const std::size_t first_rows = channels > kMaxRows ? kFirstRows : channels;
  for (std::size_t channel = 0; channel < first_rows; ++channel) {
    PrintRow(channel, columns, output);
  }
  if (channels > kMaxRows) {
    output << "      ... " << channels - kMaxRows << " more (--json prints all)\n";
    for (std::size_t channel = channels - kLastRows; channel < channels; ++channel) {
      PrintRow(channel, columns, output);
    }
  }
}

std::string FormatDecibels(double value) {
  if (std::isnan(value)) {
    return "undefined (no signal)";
  }
  return std::isinf(value) && value > 0 ? "infinite (no error)" : absl::StrFormat("%.2f dB", value);
}

void PrintFact(std::string_view name, std::string_view value, std::ostream& output) {
  output << std::left << std::setw(kNameWidth) << name << std::right << Printable(value) << "\n";
}

void PrintWarnings(const std::vector<std::string>& warnings, std::ostream& error) {
  for (const std::string& warning : warnings) {
    error << "quantctl: warning: " << Printable(warning) << "\n";
  }
}

void PrintError(const core::ErrorStatistics& statistics, std::ostream& output) {
  PrintFact("SQNR", FormatDecibels(statistics.sqnr_db), output);
  PrintFact("max abs error", absl::StrFormat("%.6g", statistics.max_abs_error), output);
  PrintFact("clipped", absl::StrFormat("%.4g %%", 100 * statistics.clipped_share), output);
}

}  // namespace quantd::client
