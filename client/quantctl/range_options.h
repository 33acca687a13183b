// Options that choose a range and how values are encoded.

#ifndef QUANTD_CLIENT_QUANTCTL_RANGE_OPTIONS_H_
#define QUANTD_CLIENT_QUANTCTL_RANGE_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "client/library/client.h"
#include "client/library/range_of_data.h"
#include "core/quantization.h"

namespace quantd::client {

// Adds --num-bits and --narrow-range, which set `spec`. `spec` must outlive
// `app`, here and below.
void AddSpecOptions(CLI::App& app, core::QuantizationSpec* spec);

// Adds --numerics, which sets `spec`.
void AddNumericsOption(CLI::App& app, core::QuantizationSpec* spec);

// Adds --axis.
void AddAxisOption(CLI::App& app, std::optional<std::int32_t>* axis);

// The source of the range, which is exactly one of: two numbers, two files, the
// data itself.
struct RangeOptions {
  std::optional<float> min;
  std::optional<float> max;
  std::string min_file;
  std::string max_file;
  bool from_data = false;
  std::optional<std::int32_t> axis;
};

// Adds --min, --max, --min-file, --max-file, --range-from-data and --axis.
void AddRangeOptions(CLI::App& app, RangeOptions* options);

// Throws CLI::ValidationError, with a message that says what to give, unless the
// options name exactly one range.
void CheckRangeOptions(const RangeOptions& options);

// Returns the range of `data` that checked options name. Reads files. The server
// checks their values and the axis.
absl::StatusOr<RangeValues> LoadRange(const RangeOptions& options, const TensorView& data);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_RANGE_OPTIONS_H_
