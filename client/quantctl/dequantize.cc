#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/library/npy.h"
#include "client/quantctl/bench_values.h"
#include "client/quantctl/commands.h"
#include "client/quantctl/parameter_options.h"
#include "client/quantctl/progress_bar.h"
#include "client/quantctl/report.h"
#include "client/quantctl/tensor_files.h"
#include "core/base/status_macros.h"

namespace quantd::client {
namespace {

constexpr ParameterSources kDequantizeSources{};

struct DequantizeOptions {
  std::string input;
  std::string output;
  std::optional<core::ElementType> type;
  bool packed = false;
  std::optional<std::vector<std::int64_t>> shape;
  core::ElementType output_type = core::ElementType::kFloat32;
  ParameterOptions parameters;
  core::QuantizationSpec spec;
  bool json = false;
};

absl::StatusOr<NpyArray> ReadCodes(const DequantizeOptions& options) {
  ASSIGN_OR_RETURN(NpyArray codes, ReadNpy(options.input));
  return options.type.has_value()
             ? Interpret(std::move(codes),
                         {.type = *options.type, .packed = options.packed, .shape = options.shape},
                         options.input)
             : codes;
}

absl::StatusOr<DequantizeResult> Call(const DequantizeOptions& options, const TensorView& codes,
                                      const ParameterValues& parameters, Client& client,
                                      const Terminal& terminal) {
  ProgressBar bar(terminal);
  return client.Dequantize(codes, WithoutDataRange(ViewOf(parameters)), options.spec,
                           options.output_type, ShowTensor(bar, options.output_type));
}

absl::Status RunDequantize(const DequantizeOptions& options, Client& client,
                           const Terminal& terminal) {
  ASSIGN_OR_RETURN(NpyArray codes, ReadCodes(options));
  std::vector<std::string> warnings;
  ASSIGN_OR_RETURN(const ParameterValues parameters,
                   LoadParameters(options.parameters, codes, options.spec, &warnings));
  PrintWarnings(warnings, terminal.error);
  ASSIGN_OR_RETURN(DequantizeResult result,
                   Call(options, codes.view(), parameters, client, terminal));
  const NpyArray output{.shape = std::move(codes.shape), .elements = std::move(result.output)};
  RETURN_IF_ERROR(WriteTensor(options.output, output.shape, output.elements, terminal));
  std::ostream& report = ReportStream({options.output}, terminal);
  if (options.json) {
    PrintJson({{"numerics", OptionText(result.numerics)}, {"shape", output.shape}}, report);
  } else {
    PrintFact("numerics", OptionText(result.numerics), report);
    PrintFact("output", DescribeTensor(output), report);
  }
  return absl::OkStatus();
}

// The types that are stored as another one.
std::vector<core::ElementType> PackableTypes() {
  return {core::ElementType::kInt4, core::ElementType::kUint4, core::ElementType::kInt2,
          core::ElementType::kUint2};
}

void AddDequantizeFiles(CLI::App& command, DequantizeOptions* options) {
  command
      .add_option("--input", options->input,
                  ".npy file, or - for the standard input, int8, uint8, int16, uint16 or int32: "
                  "the codes")
      ->type_name("FILE")
      ->required();
  AddTypeOption(command, "--type", PackableTypes(),
                "Type of codes of 4 or 2 bits, which files have as int8 or uint8, or packed. Other "
                "files say their type themselves",
                [options](core::ElementType type) { options->type = type; });
  command.add_flag("--packed", options->packed,
                   "The codes are packed, as quantize --packed writes them; only with --type");
  command
      .add_option_function<std::string>(
          "--shape", [options](const std::string& text) { options->shape = ReadShape(text); },
          "Dimensions of packed codes. Default: one, with as many codes as the bytes hold")
      ->type_name("N,…");
  command
      .add_option(
          "--output", options->output,
          ".npy file to write, or - for the standard output: the values, in the shape of the "
          "codes; bfloat16 as ml_dtypes saves it")
      ->type_name("FILE")
      ->required();
  AddTypeOption(
      command, "--output-type",
      {core::ElementType::kFloat32, core::ElementType::kFloat16, core::ElementType::kBFloat16},
      "Type of the values", [options](core::ElementType type) { options->output_type = type; })
      ->default_str(std::string(core::RowOf(options->output_type).name));
}

void CheckDequantizeOptions(const DequantizeOptions& options) {
  if (options.packed && !options.type.has_value()) {
    throw CLI::ValidationError("--type is missing; expected it with --packed");
  }
  if (options.shape.has_value() && !options.packed) {
    throw CLI::ValidationError("--shape is given; expected it only with --packed");
  }
}

}  // namespace

void AddDequantizeCommand(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand(
      "dequantize", "Computes the values that integer codes represent: the inverse of quantize");
  const auto options = std::make_shared<DequantizeOptions>();
  AddDequantizeFiles(*command, options.get());
  AddParameterOptions(*command, kDequantizeSources, &options->parameters);
  AddSpecOptions(*command, &options->spec);
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, chosen] {
    CheckDequantizeOptions(*options);
    CheckParameterOptions(options->parameters, kDequantizeSources);
    *chosen = CommandOf([options](Client& client, const Terminal& terminal) {
      return RunDequantize(*options, client, terminal);
    });
  });
}

}  // namespace quantd::client
