// Options that choose the parameters of a quantization, and how values are encoded.

#ifndef QUANTD_CLIENT_QUANTCTL_PARAMETER_OPTIONS_H_
#define QUANTD_CLIENT_QUANTCTL_PARAMETER_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/library/npy.h"
#include "client/library/parameters.h"
#include "core/base/element_type.h"
#include "core/quantization.h"

namespace quantd::client {

// Adds --num-bits and --narrow-range, which set `spec`. `spec` must outlive
// `app`, here and below.
void AddCodeOptions(CLI::App& app, core::QuantizationSpec* spec);

// Adds --num-bits, --narrow-range, --quant-min, --quant-max, --numerics, --precision,
// --signed-input and --rounding, which set `spec`.
void AddSpecOptions(CLI::App& app, core::QuantizationSpec* spec);

// Returns the value of --numerics: "tensorflow-xla", "onnx", …
std::string OptionText(core::Numerics numerics);

// Adds an option whose value is one of `types`. Parsing calls `set`.
CLI::Option* AddTypeOption(CLI::App& app, const std::string& name,
                           const std::vector<core::ElementType>& types,
                           const std::string& description,
                           std::function<void(core::ElementType)> set);

// Returns the types of codes, or of floats.
std::vector<core::ElementType> CodeTypes();
std::vector<core::ElementType> FloatTypes();

// Adds --axis.
void AddAxisOption(CLI::App& app, std::optional<std::int32_t>* axis);

// Where the parameters come from, which is exactly one of: two numbers or two files
// for a range, the range of the data as this program finds it, a scale, the data as
// the server finds its range.
struct ParameterOptions {
  std::optional<float> min;
  std::optional<float> max;
  std::string min_file;
  std::string max_file;
  bool from_data = false;
  // A number, or the name of a file.
  std::string scale;
  std::string zero_point;
  bool data_range = false;
  bool symmetric = false;
  std::optional<std::int32_t> axis;
  std::optional<std::uint32_t> block_size;

  // Whether any of them is set.
  bool AreGiven() const;
};

// Which sources a command offers besides ranges and scales.
struct ParameterSources {
  // The tensor is one of floats, so that its range can be found here.
  bool from_data = false;
  // The method takes a range that the server finds.
  bool data_range = false;
};

// Adds --min, --max, --min-file, --max-file, --scale, --zero-point, --axis,
// --block-size and, if they are offered, --range-from-data, --data-range and
// --symmetric.
void AddParameterOptions(CLI::App& app, const ParameterSources& offered, ParameterOptions* options);

// Throws CLI::ValidationError, with a message that says what to give, unless the
// options name exactly one source of parameters. `offered` as when they were added.
void CheckParameterOptions(const ParameterOptions& options, const ParameterSources& offered);

// Returns the parameters of `tensor` that checked options name, for a quantization with
// `spec`. Reads files. The server checks their values, the axis and the blocks. Adds a
// warning about channels that the range of the data makes zeros.
absl::StatusOr<ParameterValues> LoadParameters(const ParameterOptions& options,
                                               const NpyArray& tensor,
                                               const core::QuantizationSpec& spec,
                                               std::vector<std::string>* warnings);

// Returns `spec` with the number of bits of a type of codes, if it has none.
core::QuantizationSpec WithBitsOf(core::ElementType codes, core::QuantizationSpec spec);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_PARAMETER_OPTIONS_H_
