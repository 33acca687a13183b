#include "client/quantctl/range_options.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/library/npy.h"
#include "core/base/status_macros.h"

namespace quantd::client {
namespace {

constexpr char kTensorFlow[] = "tensorflow";
constexpr char kTensorFlowArgs[] = "tensorflow-args";

absl::StatusOr<std::vector<float>> ReadBounds(const std::string& path) {
  ASSIGN_OR_RETURN(NpyArray array, ReadNpy(path));
  if (array.shape.size() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": the array has ", array.shape.size(),
                     " dimensions; expected one, with one value per channel: save it with "
                     "np.save(\"x.npy\", x.ravel())"));
  }
  return std::move(array.values);
}

}  // namespace

void AddSpecOptions(CLI::App& app, core::QuantizationSpec* spec) {
  app.add_option("--num-bits", spec->num_bits, "Number of bits per code, from 2 to 16")
      ->type_name("BITS")
      ->capture_default_str();
  app.add_flag("--narrow-range", spec->narrow_range,
               "Do not use code 0, so that symmetric ranges have symmetric codes");
}

void AddNumericsOption(CLI::App& app, core::QuantizationSpec* spec) {
  const auto set_numerics = [spec](const std::string& name) {
    spec->numerics =
        name == kTensorFlowArgs ? core::Numerics::kTensorFlowArgs : core::Numerics::kTensorFlow;
  };
  app.add_option_function<std::string>(
         "--numerics", set_numerics,
         "Which op to reproduce bit for bit: tensorflow (FakeQuantWithMinMaxVars, and "
         "...PerChannel with an axis) or tensorflow-args (FakeQuantWithMinMaxArgs)")
      ->type_name(absl::StrCat(kTensorFlow, "|", kTensorFlowArgs))
      ->check(CLI::IsMember(std::vector<std::string>{kTensorFlow, kTensorFlowArgs}).description(""))
      ->default_str(kTensorFlow);
}

void AddAxisOption(CLI::App& app, std::optional<std::int32_t>* axis) {
  app.add_option(
         "--axis", *axis,
         "The dimension with one range per index, counted from 0; -1 is the last dimension. "
         "Default: one range for the whole tensor")
      ->type_name("K");
}

void AddRangeOptions(CLI::App& app, RangeOptions* options) {
  app.add_option("--min", options->min, "Lower end of the range, in the tensor's units")
      ->type_name("NUMBER");
  app.add_option("--max", options->max, "Upper end of the range, in the tensor's units")
      ->type_name("NUMBER");
  app.add_option("--min-file", options->min_file,
                 ".npy file, float32, one dimension: one lower end per channel")
      ->type_name("FILE");
  app.add_option("--max-file", options->max_file,
                 ".npy file, float32, one dimension: one upper end per channel")
      ->type_name("FILE");
  app.add_flag(
      "--range-from-data", options->from_data,
      "Use the tensor's minimum and maximum as the range (per channel with --axis); NaN is "
      "ignored");
  AddAxisOption(app, &options->axis);
}

void CheckRangeOptions(const RangeOptions& options) {
  const bool has_numbers = options.min.has_value() || options.max.has_value();
  const bool has_files = !options.min_file.empty() || !options.max_file.empty();
  const int sources = static_cast<int>(has_numbers) + static_cast<int>(has_files) +
                      static_cast<int>(options.from_data);
  if (sources == 0) {
    throw CLI::ValidationError(
        "the range is missing; expected --min and --max, or --min-file and --max-file, or "
        "--range-from-data");
  }
  if (sources > 1) {
    throw CLI::ValidationError(
        "the range is given twice; expected only one of --min and --max, --min-file and "
        "--max-file, and --range-from-data");
  }
  if (has_numbers && !(options.min.has_value() && options.max.has_value())) {
    throw CLI::ValidationError(options.min.has_value()
                                   ? "--max is missing; expected it with --min"
                                   : "--min is missing; expected it with --max");
  }
  if (has_files && (options.min_file.empty() || options.max_file.empty())) {
    throw CLI::ValidationError(options.max_file.empty()
                                   ? "--max-file is missing; expected it with --min-file"
                                   : "--min-file is missing; expected it with --max-file");
  }
  if (has_numbers && options.axis.has_value()) {
    throw CLI::ValidationError(
        "--axis asks for one range per channel; expected --min-file and --max-file, or "
        "--range-from-data, instead of --min and --max");
  }
}

absl::StatusOr<RangeValues> LoadRange(const RangeOptions& options, const TensorView& data) {
  if (options.from_data) {
    return RangeOfData(data, options.axis);
  }
  if (options.min.has_value()) {
    return RangeValues{.min = {*options.min}, .max = {*options.max}, .axis = options.axis};
  }
  ASSIGN_OR_RETURN(std::vector<float> min, ReadBounds(options.min_file));
  ASSIGN_OR_RETURN(std::vector<float> max, ReadBounds(options.max_file));
  return RangeValues{.min = std::move(min), .max = std::move(max), .axis = options.axis};
}

}  // namespace quantd::client
