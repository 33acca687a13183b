#include <memory>
#include <string>

#include "absl/strings/str_format.h"
#include "client/library/npy.h"
#include "client/quantctl/commands.h"
#include "client/quantctl/progress_bar.h"
#include "client/quantctl/range_options.h"
#include "client/quantctl/report.h"
#include "core/base/status_macros.h"
#include "core/error_statistics.h"

namespace quantd::client {
namespace {

struct FakeQuantOptions {
  std::string input;
  std::string output;
  RangeOptions range;
  core::QuantizationSpec spec;
  bool json = false;
};

void Print(const core::NudgedRange& range, const core::ErrorStatistics& statistics, bool json,
           std::ostream& output) {
  if (json) {
    PrintJson({{"nudged_range", ToJson(range)},
               {"sqnr_db", statistics.sqnr_db},
               {"max_abs_error", statistics.max_abs_error},
               {"clipped_share", statistics.clipped_share}},
              output);
    return;
  }
  PrintChannelTable(NudgedRangeColumns(range), output);
  PrintFact("SQNR", FormatDecibels(statistics.sqnr_db), output);
  PrintFact("max abs error", absl::StrFormat("%.6g", statistics.max_abs_error), output);
  PrintFact("clipped", absl::StrFormat("%.4g %%", 100 * statistics.clipped_share), output);
}

absl::StatusOr<FakeQuantizeResult> Call(const FakeQuantOptions& options, const TensorView& input,
                                        const core::Range& range, Client& client,
                                        const Terminal& terminal) {
  ProgressBar bar(terminal);
  return client.FakeQuantize(input, range, options.spec, ShowTensor(bar));
}

absl::Status FakeQuant(const FakeQuantOptions& options, Client& client, const Terminal& terminal) {
  ASSIGN_OR_RETURN(const NpyArray input, ReadNpy(options.input));
  ASSIGN_OR_RETURN(const RangeValues range, LoadRange(options.range, input.view()));
  ASSIGN_OR_RETURN(const FakeQuantizeResult result,
                   Call(options, input.view(), range.view(), client, terminal));
  ASSIGN_OR_RETURN(const core::ErrorStatistics statistics,
                   core::MeasureError(input.shape, input.values, result.output, result.nudged_range,
                                      range.axis));
  RETURN_IF_ERROR(WriteNpy(options.output, input.shape, result.output));
  Print(result.nudged_range, statistics, options.json, terminal.output);
  return absl::OkStatus();
}

}  // namespace

void AddFakeQuantCommand(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand(
      "fake-quant",
      "Rounds a tensor to the values that codes of a few bits can represent; prints the range that "
      "was actually used and the error: SQNR in dB, max abs error, share of clipped elements");
  const auto options = std::make_shared<FakeQuantOptions>();
  command->add_option("--input", options->input, ".npy file, float32: the tensor to quantize")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--output", options->output,
                   ".npy file to write, float32: the quantized tensor, in the input's shape")
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
      return FakeQuant(*options, client, terminal);
    });
  });
}

}  // namespace quantd::client
