#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/library/npy.h"
#include "client/quantctl/commands.h"
#include "client/quantctl/parameter_options.h"
#include "client/quantctl/progress_bar.h"
#include "client/quantctl/report.h"
#include "client/quantctl/tensor_files.h"
#include "core/base/status_macros.h"

namespace quantd::client {
namespace {

constexpr ParameterSources kGradientSources{.from_data = true};

struct GradientOptions {
  std::string gradients;
  std::string inputs;
  std::string output;
  bool is_bfloat16 = false;
  ParameterOptions parameters;
  core::QuantizationSpec spec;
  bool json = false;
};

void Print(const FakeQuantizeGradientResult& result, bool json, std::ostream& output) {
  const bool has_range = !result.nudged_range.min.empty();
  if (json) {
    Json object = {{"numerics", OptionText(result.numerics)},
                   {"min_gradient", result.min_gradient},
                   {"max_gradient", result.max_gradient}};
    if (has_range) {
      object["nudged_range"] = ToJson(result.nudged_range);
    }
    PrintJson(object, output);
    return;
  }
  std::vector<Column> columns;
  if (!result.min_gradient.empty()) {
    columns = {NumberColumn("min gradient", result.min_gradient),
               NumberColumn("max gradient", result.max_gradient)};
  }
  for (Column& column : NudgedRangeColumns(result.nudged_range)) {
    columns.push_back(std::move(column));
  }
  if (!columns.empty()) {
    PrintChannelTable(columns, output);
  }
  PrintFact("numerics", OptionText(result.numerics), output);
}

absl::StatusOr<FakeQuantizeGradientResult> Call(const GradientOptions& options,
                                                const TensorView& gradients,
                                                const TensorView& inputs,
                                                const ParameterValues& parameters, Client& client,
                                                const Terminal& terminal) {
  ProgressBar bar(terminal);
  return client.FakeQuantizeGradient(gradients, inputs, WithoutDataRange(ViewOf(parameters)),
                                     options.spec, ShowTensor(bar, inputs.type));
}

absl::Status Gradient(const GradientOptions& options, Client& client, const Terminal& terminal) {
  ASSIGN_OR_RETURN(const NpyArray gradients,
                   ReadFloatTensor(options.gradients, options.is_bfloat16));
  ASSIGN_OR_RETURN(const NpyArray inputs, ReadFloatTensor(options.inputs, options.is_bfloat16));
  std::vector<std::string> warnings;
  ASSIGN_OR_RETURN(const ParameterValues parameters,
                   LoadParameters(options.parameters, inputs, options.spec, &warnings));
  PrintWarnings(warnings, terminal.error);
  ASSIGN_OR_RETURN(const FakeQuantizeGradientResult result,
                   Call(options, gradients.view(), inputs.view(), parameters, client, terminal));
  RETURN_IF_ERROR(WriteTensor(options.output, inputs.shape, result.input_gradients, terminal,
                              {.bfloat16_as_uint16 = options.is_bfloat16}));
  Print(result, options.json, ReportStream({options.output}, terminal));
  return absl::OkStatus();
}

}  // namespace

void AddGradientCommand(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand(
      "gradient",
      "Passes a gradient back through fake-quant: writes the gradient with respect to the inputs, "
      "and prints the gradients with respect to min and max");
  const auto options = std::make_shared<GradientOptions>();
  command
      ->add_option("--gradients", options->gradients,
                   ".npy file, of the type of --inputs: the gradient of the loss with respect to "
                   "fake-quant's output")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--inputs", options->inputs,
                   ".npy file, float32, float16, bfloat16 or float64, of the same shape: the input "
                   "of fake-quant")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--output", options->output,
                   ".npy file to write, or - for the standard output, of the type of --inputs: the "
                   "gradient with respect to the inputs")
      ->type_name("FILE")
      ->required();
  AddFloatTypeOption(*command, &options->is_bfloat16);
  AddParameterOptions(*command, kGradientSources, &options->parameters);
  AddSpecOptions(*command, &options->spec);
  command->add_flag("--json", options->json,
                    "Print one JSON object; non-finite numbers become null");
  command->callback([options, chosen] {
    CheckParameterOptions(options->parameters, kGradientSources);
    *chosen = CommandOf([options](Client& client, const Terminal& terminal) {
      return Gradient(*options, client, terminal);
    });
  });
}

}  // namespace quantd::client
