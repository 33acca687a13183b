#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "client/library/npy.h"
#include "client/quantctl/commands.h"
#include "client/quantctl/parameter_options.h"
#include "client/quantctl/progress_bar.h"
#include "client/quantctl/quantization_error.h"
#include "client/quantctl/report.h"
#include "client/quantctl/tensor_files.h"
#include "core/base/status_macros.h"
#include "core/error_statistics.h"
#include "core/parameter_layout.h"
#include "core/quantizer.h"
#include "core/resolved_spec.h"
#include "core/support.h"

namespace quantd::client {
namespace {

constexpr ParameterSources kFakeQuantSources{.from_data = true};

struct FakeQuantOptions {
  std::string input;
  std::string output;
  bool is_bfloat16 = false;
  ParameterOptions parameters;
  core::QuantizationSpec spec;
  bool json = false;
};

// What a fake quantization is reported with.
struct FakeQuantReport {
  core::Numerics numerics;
  core::NudgedRange nudged_range;
  // Only if there is no range.
  core::UsedParameters scales = {};
  core::ErrorStatistics error = {};

  bool has_range() const { return !nudged_range.min.empty(); }
};

void Print(const FakeQuantReport& report, bool json, std::ostream& output) {
  if (json) {
    Json object = {{"numerics", OptionText(report.numerics)}};
    if (report.has_range()) {
      object["nudged_range"] = ToJson(report.nudged_range);
    } else {
      object["parameters"] = ToJson(report.scales);
    }
    AddError(report.error, &object);
    PrintJson(object, output);
    return;
  }
  if (report.has_range()) {
    PrintChannelTable(NudgedRangeColumns(report.nudged_range), output);
  } else {
    PrintChannelTable(ScaleColumns(report.scales), output,
                      report.scales.block_size.has_value() ? "block" : "channel");
  }
  PrintFact("numerics", OptionText(report.numerics), output);
  PrintError(report.error, output);
}

core::UsedParameters AsUsed(const AffineValues& values) {
  core::UsedParameters used;
  used.axis = values.axis;
  used.block_size = values.block_size;
  used.scale.assign(values.scale.begin(), values.scale.end());
  used.zero_point.assign(values.zero_point.begin(), values.zero_point.end());
  used.zero_point.resize(used.scale.size());
  return used;
}

absl::StatusOr<FakeQuantReport> MakeReport(const FakeQuantOptions& options, const NpyArray& input,
                                           const ParameterValues& parameters,
                                           const FakeQuantizeResult& result) {
  FakeQuantReport report{.numerics = result.numerics, .nudged_range = result.nudged_range};
  const FloatView original(input.elements);
  const FloatView quantized(result.output);
  if (report.has_range()) {
    ASSIGN_OR_RETURN(report.error,
                     core::MeasureError(input.shape, original.values(), quantized.values(),
                                        report.nudged_range, AxisOf(ViewOf(parameters))));
    return report;
  }
  const core::AffineParameters affine = std::get<AffineValues>(parameters).view();
  const core::ElementType type = input.elements.type();
  ASSIGN_OR_RETURN(const core::ResolvedSpec spec,
                   core::Resolve(core::OperationKind::kFakeQuantize, affine, options.spec,
                                 {.input = type, .output = type}));
  ASSIGN_OR_RETURN(const core::ParameterLayout layout,
                   core::MakeParameterLayout(input.shape, affine));
  ASSIGN_OR_RETURN(report.error, MeasureError(input.shape, original.values(), quantized.values(),
                                              LimitsOf(affine, spec.codes), layout));
  report.scales = AsUsed(std::get<AffineValues>(parameters));
  return report;
}

absl::StatusOr<FakeQuantizeResult> Call(const FakeQuantOptions& options, const TensorView& input,
                                        const ParameterValues& parameters, Client& client,
                                        const Terminal& terminal) {
  ProgressBar bar(terminal);
  return client.FakeQuantize(input, WithoutDataRange(ViewOf(parameters)), options.spec,
                             ShowTensor(bar, input.type));
}

absl::Status FakeQuant(const FakeQuantOptions& options, Client& client, const Terminal& terminal) {
  ASSIGN_OR_RETURN(const NpyArray input, ReadFloatTensor(options.input, options.is_bfloat16));
  std::vector<std::string> warnings;
  ASSIGN_OR_RETURN(const ParameterValues parameters,
                   LoadParameters(options.parameters, input, options.spec, &warnings));
  PrintWarnings(warnings, terminal.error);
  ASSIGN_OR_RETURN(const FakeQuantizeResult result,
                   Call(options, input.view(), parameters, client, terminal));
  ASSIGN_OR_RETURN(const FakeQuantReport report, MakeReport(options, input, parameters, result));
  RETURN_IF_ERROR(WriteTensor(options.output, input.shape, result.output, terminal,
                              {.bfloat16_as_uint16 = options.is_bfloat16}));
  Print(report, options.json, ReportStream({options.output}, terminal));
  return absl::OkStatus();
}

}  // namespace

void AddFakeQuantCommand(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand(
      "fake-quant",
      "Rounds a tensor to the values that codes of a few bits can represent; prints the range that "
      "was actually used and the error: SQNR in dB, max abs error, share of clipped elements");
  const auto options = std::make_shared<FakeQuantOptions>();
  command
      ->add_option("--input", options->input,
                   ".npy file, or - for the standard input, float32, float16, bfloat16 or float64: "
                   "the tensor to quantize")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--output", options->output,
                   ".npy file to write, or - for the standard output: the quantized tensor, in the "
                   "input's shape and type")
      ->type_name("FILE")
      ->required();
  AddFloatTypeOption(*command, &options->is_bfloat16);
  AddParameterOptions(*command, kFakeQuantSources, &options->parameters);
  AddSpecOptions(*command, &options->spec);
  command->add_flag("--json", options->json,
                    "Print one JSON object; non-finite numbers become null");
  command->callback([options, chosen] {
    CheckParameterOptions(options->parameters, kFakeQuantSources);
    *chosen = CommandOf([options](Client& client, const Terminal& terminal) {
      return FakeQuant(*options, client, terminal);
    });
  });
}

}  // namespace quantd::client
