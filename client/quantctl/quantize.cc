#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/library/npy.h"
#include "client/quantctl/commands.h"
#include "client/quantctl/parameter_options.h"
#include "client/quantctl/progress_bar.h"
#include "client/quantctl/quantization_error.h"
#include "client/quantctl/report.h"
#include "client/quantctl/tensor_files.h"
#include "core/base/status_macros.h"
#include "core/error_statistics.h"
#include "core/numerics.h"
#include "core/parameter_layout.h"
#include "core/quantizer.h"
#include "core/reference.h"
#include "core/resolved_spec.h"
#include "core/support.h"

namespace quantd::client {
namespace {

constexpr ParameterSources kQuantizeSources{.from_data = true, .data_range = true};

struct QuantizeOptions {
  std::string input;
  std::string output;
  std::string scale_output;
  std::string zero_point_output;
  bool is_bfloat16 = false;
  core::ElementType output_type = core::ElementType::kUint8;
  bool packed = false;
  ParameterOptions parameters;
  core::QuantizationSpec spec;
  bool json = false;
};

// Returns the values that codes stand for.
absl::StatusOr<std::vector<float>> ValuesOf(const QuantizeResult& result, const NpyArray& input,
                                            core::QuantizationSpec spec,
                                            const core::ParameterLayout& layout) {
  if (result.nudged_range.min.empty() ||
      core::RowOf(result.numerics).range->rule == core::RangeRule::kNudged) {
    return ValuesOf(result.output, result.parameters, layout);
  }
  // Its codes do not all lie at multiples of the scale from the zero point.
  spec.numerics = result.numerics;
  const std::vector<std::int32_t> codes = ToCodes(result.output);
  return core::reference::Dequantize(input.shape, codes,
                                     core::Range{.min = result.nudged_range.min,
                                                 .max = result.nudged_range.max,
                                                 .axis = result.parameters.axis},
                                     spec, result.output.type());
}

// Returns the error of the codes: how far the values that they stand for are from the
// input.
absl::StatusOr<core::ErrorStatistics> ErrorOf(const QuantizeResult& result, const NpyArray& input,
                                              core::QuantizationSpec spec) {
  const core::AffineParameters affine = ViewOf(result.parameters);
  ASSIGN_OR_RETURN(const core::ParameterLayout layout,
                   core::MakeParameterLayout(input.shape, affine));
  ValueLimits limits = LimitsOf(result.nudged_range);
  if (limits.min.empty()) {
    spec.numerics = result.numerics;
    ASSIGN_OR_RETURN(
        const core::ResolvedSpec resolved,
        core::Resolve(core::OperationKind::kQuantize, affine, spec,
                      {.input = input.elements.type(), .output = result.output.type()}));
    limits = LimitsOf(affine, resolved.codes);
  }
  ASSIGN_OR_RETURN(const std::vector<float> values, ValuesOf(result, input, spec, layout));
  const FloatView original(input.elements);
  return MeasureError(input.shape, original.values(), values, limits, layout);
}

void Print(const QuantizeResult& result, const core::ErrorStatistics& error, bool json,
           std::ostream& output) {
  const bool has_range = !result.nudged_range.min.empty();
  if (json) {
    Json object = {{"numerics", OptionText(result.numerics)},
                   {"parameters", ToJson(result.parameters)}};
    if (has_range) {
      object["nudged_range"] = ToJson(result.nudged_range);
    }
    AddError(error, &object);
    PrintJson(object, output);
    return;
  }
  std::vector<Column> columns = ScaleColumns(result.parameters);
  if (has_range) {
    columns.insert(columns.begin(), {NumberColumn("nudged min", result.nudged_range.min),
                                     NumberColumn("nudged max", result.nudged_range.max)});
  }
  PrintChannelTable(columns, output,
                    result.parameters.block_size.has_value() ? "block" : "channel");
  PrintFact("numerics", OptionText(result.numerics), output);
  PrintError(error, output);
}

absl::StatusOr<QuantizeResult> Call(const QuantizeOptions& options, const TensorView& input,
                                    const ParameterValues& parameters, Client& client,
                                    const Terminal& terminal) {
  ProgressBar bar(terminal);
  return client.Quantize(input, ViewOf(parameters), options.spec, options.output_type,
                         ShowTensor(bar, input.type));
}

// Writes the files that later calls need to dequantize the codes.
absl::Status WriteParameters(const QuantizeOptions& options, const core::UsedParameters& parameters,
                             const Terminal& terminal) {
  const std::vector shape = {static_cast<std::int64_t>(parameters.scale.size())};
  if (!options.scale_output.empty()) {
    RETURN_IF_ERROR(
        WriteTensor(options.scale_output, shape, Elements::Of<float>(parameters.scale), terminal));
  }
  return options.zero_point_output.empty()
             ? absl::OkStatus()
             : WriteTensor(options.zero_point_output, shape,
                           Elements::Of<std::int32_t>(parameters.zero_point), terminal);
}

absl::Status RunQuantize(const QuantizeOptions& options, Client& client, const Terminal& terminal) {
  ASSIGN_OR_RETURN(const NpyArray input, ReadFloatTensor(options.input, options.is_bfloat16));
  std::vector<std::string> warnings;
  ASSIGN_OR_RETURN(const ParameterValues parameters,
                   LoadParameters(options.parameters, input,
                                  WithBitsOf(options.output_type, options.spec), &warnings));
  PrintWarnings(warnings, terminal.error);
  ASSIGN_OR_RETURN(const QuantizeResult result,
                   Call(options, input.view(), parameters, client, terminal));
  ASSIGN_OR_RETURN(const core::ErrorStatistics error, ErrorOf(result, input, options.spec));
  RETURN_IF_ERROR(WriteTensor(options.output, input.shape, result.output, terminal,
                              {.packed = options.packed}));
  RETURN_IF_ERROR(WriteParameters(options, result.parameters, terminal));
  Print(result, error, options.json,
        ReportStream({options.output, options.scale_output, options.zero_point_output}, terminal));
  return absl::OkStatus();
}

void AddQuantizeFiles(CLI::App& command, QuantizeOptions* options) {
  command
      .add_option("--input", options->input,
                  ".npy file, or - for the standard input, float32, float16 or bfloat16: the "
                  "tensor to quantize")
      ->type_name("FILE")
      ->required();
  command
      .add_option("--output", options->output,
                  ".npy file to write, or - for the standard output: the codes, in the input's "
                  "shape; those of 4 and 2 bits as int8 or uint8")
      ->type_name("FILE")
      ->required();
  AddTypeOption(command, "--output-type", CodeTypes(), "Type of the codes",
                [options](core::ElementType type) { options->output_type = type; })
      ->default_str(std::string(core::RowOf(options->output_type).name));
  command.add_flag("--packed", options->packed,
                   "Write codes of 4 and 2 bits packed, as one dimension of uint8: the first code "
                   "in the low bits");
  command
      .add_option("--scale-output", options->scale_output,
                  ".npy file to write, float32, one dimension: the scales, for dequantize --scale")
      ->type_name("FILE");
  command
      .add_option("--zero-point-output", options->zero_point_output,
                  ".npy file to write, int32, one dimension: the zero points, for dequantize "
                  "--zero-point")
      ->type_name("FILE");
  AddFloatTypeOption(command, &options->is_bfloat16);
}

}  // namespace

void AddQuantizeCommand(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand(
      "quantize",
      "Rounds a tensor to integer codes; prints scale and zero point, and the error of the codes: "
      "SQNR in dB, max abs error, share of clipped elements");
  const auto options = std::make_shared<QuantizeOptions>();
  AddQuantizeFiles(*command, options.get());
  AddParameterOptions(*command, kQuantizeSources, &options->parameters);
  AddSpecOptions(*command, &options->spec);
  command->add_flag("--json", options->json,
                    "Print one JSON object; non-finite numbers become null");
  command->callback([options, chosen] {
    CheckParameterOptions(options->parameters, kQuantizeSources);
    CheckOutputs({options->output, options->scale_output, options->zero_point_output});
    *chosen = CommandOf([options](Client& client, const Terminal& terminal) {
      return RunQuantize(*options, client, terminal);
    });
  });
}

}  // namespace quantd::client
