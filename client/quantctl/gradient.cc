#include <memory>
#include <string>
#include <vector>

#include "client/library/npy.h"
#include "client/quantctl/commands.h"
#include "client/quantctl/progress_bar.h"
#include "client/quantctl/range_options.h"
#include "client/quantctl/report.h"
#include "core/base/status_macros.h"

namespace quantd::client {
namespace {

struct GradientOptions {
  std::string gradients;
  std::string inputs;
  std::string output;
  RangeOptions range;
  core::QuantizationSpec spec;
  bool json = false;
};

void Print(const FakeQuantizeGradientResult& result, bool json, std::ostream& output) {
  if (json) {
    PrintJson({{"min_gradient", result.min_gradient},
               {"max_gradient", result.max_gradient},
               {"nudged_range", ToJson(result.nudged_range)}},
              output);
    return;
  }
  std::vector<Column> columns = {NumberColumn("min gradient", result.min_gradient),
                                 NumberColumn("max gradient", result.max_gradient)};
  for (Column& column : NudgedRangeColumns(result.nudged_range)) {
    columns.push_back(std::move(column));
  }
  PrintChannelTable(columns, output);
}

absl::StatusOr<FakeQuantizeGradientResult> Call(const GradientOptions& options,
                                                const TensorView& gradients,
                                                const TensorView& inputs, const core::Range& range,
                                                Client& client, const Terminal& terminal) {
  ProgressBar bar(terminal);
  return client.FakeQuantizeGradient(gradients, inputs, range, options.spec, ShowTensor(bar));
}

absl::Status Gradient(const GradientOptions& options, Client& client, const Terminal& terminal) {
  ASSIGN_OR_RETURN(const NpyArray gradients, ReadNpy(options.gradients));
  ASSIGN_OR_RETURN(const NpyArray inputs, ReadNpy(options.inputs));
  ASSIGN_OR_RETURN(const RangeValues range, LoadRange(options.range, inputs.view()));
  ASSIGN_OR_RETURN(const FakeQuantizeGradientResult result,
                   Call(options, gradients.view(), inputs.view(), range.view(), client, terminal));
  RETURN_IF_ERROR(WriteNpy(options.output, inputs.shape, result.input_gradients));
  Print(result, options.json, terminal.output);
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
                   ".npy file, float32: the gradient of the loss with respect to fake-quant's "
                   "output")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--inputs", options->inputs,
                   ".npy file, float32, of the same shape: the input of fake-quant")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--output", options->output,
                   ".npy file to write, float32: the gradient with respect to the inputs")
      ->type_name("FILE")
      ->required();
  AddRangeOptions(*command, &options->range);
  AddSpecOptions(*command, &options->spec);
  AddNumericsOption(*command, &options->spec);
  command->add_flag("--json", options->json,
                    "Print one JSON object; non-finite numbers become null");
  command->callback([options, chosen] {
    CheckRangeOptions(options->range);
    *chosen = CommandOf([options](Client& client, const Terminal& terminal) {
      return Gradient(*options, client, terminal);
    });
  });
}

}  // namespace quantd::client
