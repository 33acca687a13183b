#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/library/npy.h"
#include "client/library/range_training.h"
#include "client/quantctl/commands.h"
#include "client/quantctl/parameter_options.h"
#include "client/quantctl/progress_bar.h"
#include "client/quantctl/report.h"
#include "client/quantctl/tensor_files.h"
#include "core/base/status_macros.h"

namespace quantd::client {
namespace {

constexpr int kMaxSteps = 1000000;
constexpr double kMinLearningRate = 1e-9;
constexpr double kMaxLearningRate = 1;

struct TrainRangeOptions {
  std::string input;
  std::string min_output;
  std::string max_output;
  bool is_bfloat16 = false;
  std::optional<std::int32_t> axis;
  RangeTrainingOptions training;
  bool json = false;
};

absl::StatusOr<TrainedRange> Train(const TrainRangeOptions& options, const TensorView& input,
                                   Client& client, const Terminal& terminal) {
  ProgressBar bar(terminal);
  return TrainRange(
      input, options.axis, options.training, MakePasses(input, options.training.spec, &client),
      [&bar](const RangeTrainingProgress& progress) {
        bar.Show(progress.step, progress.steps, absl::StrFormat("loss %.6g", progress.loss));
      });
}

absl::Status WriteBounds(const std::string& path, const std::vector<float>& values,
                         const Terminal& terminal) {
  if (path.empty()) {
    return absl::OkStatus();
  }
  return WriteTensor(path, std::vector{static_cast<std::int64_t>(values.size())},
                     Elements::Of<float>(values), terminal);
}

void Print(const TrainedRange& trained, bool json, std::ostream& output) {
  if (json) {
    PrintJson({{"min", trained.range.min},
               {"max", trained.range.max},
               {"sqnr_db_before", trained.sqnr_db_before},
               {"sqnr_db_after", trained.sqnr_db_after},
               {"steps", trained.steps}},
              output);
    return;
  }
  PrintChannelTable(
      {NumberColumn("min", trained.range.min), NumberColumn("max", trained.range.max)}, output);
  PrintFact("SQNR before", FormatDecibels(trained.sqnr_db_before), output);
  PrintFact("SQNR after", FormatDecibels(trained.sqnr_db_after), output);
  PrintFact("steps", absl::StrCat(trained.steps), output);
}

absl::Status RunTrainRange(const TrainRangeOptions& options, Client& client,
                           const Terminal& terminal) {
  ASSIGN_OR_RETURN(const NpyArray input, ReadFloatTensor(options.input, options.is_bfloat16));
  const FloatView values(input.elements);
  ASSIGN_OR_RETURN(const TrainedRange trained,
                   Train(options, {input.shape, values.values()}, client, terminal));
  RETURN_IF_ERROR(WriteBounds(options.min_output, trained.range.min, terminal));
  RETURN_IF_ERROR(WriteBounds(options.max_output, trained.range.max, terminal));
  Print(trained, options.json, ReportStream({options.min_output, options.max_output}, terminal));
  return absl::OkStatus();
}

void AddTrainingOptions(CLI::App& command, RangeTrainingOptions* training) {
  AddCodeOptions(command, &training->spec);
  command.add_option("--steps", training->steps, "Steps of gradient descent to take")
      ->type_name("COUNT")
      ->check(CLI::Range(1, kMaxSteps).description(""))
      ->capture_default_str();
  command
      .add_option(
          "--learning-rate", training->learning_rate,
          "Length of the first step, as a share of the width of the initial range; decreases "
          "to a hundredth of that by the last step")
      ->type_name("SHARE")
      ->check(CLI::Range(kMinLearningRate, kMaxLearningRate).description(""))
      ->capture_default_str();
}

}  // namespace

void AddTrainRangeCommand(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand(
      "train-range",
      "Learns the range that quantizes a tensor with the least squared error, by gradient descent "
      "(Adam) from the range of the data; prints the range, and the SQNR in dB before and after");
  const auto options = std::make_shared<TrainRangeOptions>();
  command
      ->add_option("--input", options->input,
                   ".npy file, or - for the standard input, float32, float16, bfloat16 or float64: "
                   "the tensor to quantize")
      ->type_name("FILE")
      ->required();
  AddFloatTypeOption(*command, &options->is_bfloat16);
  AddAxisOption(*command, &options->axis);
  AddTrainingOptions(*command, &options->training);
  command
      ->add_option("--min-output", options->min_output,
                   ".npy file to write, float32, one dimension: the learned lower ends, for "
                   "fake-quant --min-file")
      ->type_name("FILE");
  command
      ->add_option("--max-output", options->max_output,
                   ".npy file to write, float32, one dimension: the learned upper ends, for "
                   "fake-quant --max-file")
      ->type_name("FILE");
  command->add_flag("--json", options->json,
                    "Print one JSON object; non-finite numbers become null");
  command->callback([options, chosen] {
    CheckOutputs({options->min_output, options->max_output});
    *chosen = CommandOf([options](Client& client, const Terminal& terminal) {
      return RunTrainRange(*options, client, terminal);
    });
  });
}

}  // namespace quantd::client
