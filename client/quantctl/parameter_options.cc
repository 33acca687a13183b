#include "client/quantctl/parameter_options.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/library/range_of_data.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"
#include "core/numerics.h"

namespace quantd::client {
namespace {

// Reads one value per channel from a file or, with blocks, one per block in any shape.
absl::StatusOr<NpyArray> ReadParameters(const std::string& path, bool has_blocks = false) {
  ASSIGN_OR_RETURN(NpyArray array, ReadNpy(path));
  if (array.shape.size() > 1 && !has_blocks) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": the array has ", array.shape.size(),
                     " dimensions; expected one, with one value per channel: save it with "
                     "np.save(\"x.npy\", x.ravel())"));
  }
  return array;
}

absl::Status WrongType(const std::string& path, const NpyArray& array, absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": the array has elements of type ",
                   core::ToAbsl(core::RowOf(array.elements.type()).name), "; expected ", expected,
                   ": save it with np.save(\"x.npy\", x.astype(np.", expected, "))"));
}

absl::StatusOr<std::vector<float>> ReadFloats(const std::string& path, bool has_blocks = false) {
  ASSIGN_OR_RETURN(const NpyArray array, ReadParameters(path, has_blocks));
  if (core::RowOf(array.elements.type()).is_code) {
    return WrongType(path, array, "float32");
  }
  return ToFloats(array.elements);
}

absl::StatusOr<std::vector<std::int32_t>> ReadIntegers(const std::string& path, bool has_blocks) {
  ASSIGN_OR_RETURN(const NpyArray array, ReadParameters(path, has_blocks));
  if (!core::RowOf(array.elements.type()).is_code) {
    return WrongType(path, array, "int32");
  }
  return ToCodes(array.elements);
}

// "channels 3, 5 and 4 more", or "the tensor" if there is only one range.
std::string NameChannels(const std::vector<std::size_t>& channels, bool has_axis) {
  constexpr std::size_t kMaxNames = 8;
  if (!has_axis) {
    return "the tensor has";
  }
  const std::size_t named = std::min(channels.size(), kMaxNames);
  const auto end = channels.begin() + static_cast<std::ptrdiff_t>(named);
  return absl::StrCat(
      channels.size() == 1 ? "channel " : "channels ", absl::StrJoin(channels.begin(), end, ", "),
      named < channels.size() ? absl::StrCat(" and ", channels.size() - named, " more") : "",
      channels.size() == 1 ? " has" : " have");
}

absl::StatusOr<RangeValues> RangeOf(const NpyArray& tensor, std::optional<std::int32_t> axis,
                                    const core::QuantizationSpec& spec,
                                    std::vector<std::string>* warnings) {
  const FloatView values(tensor.elements);
  ASSIGN_OR_RETURN(const RangeValues data, RangeOfData({tensor.shape, values.values()}, axis));
  QuantizableRange quantizable = MakeQuantizable(data, spec);
  if (!quantizable.channels_of_zeros.empty() && tensor.elements.size() > 0) {
    warnings->push_back(
        absl::StrCat(NameChannels(quantizable.channels_of_zeros, axis.has_value()),
                     " only zeros, or values too close to 0 for a scale, which become zeros; the "
                     "range is taken as 0 to 1"));
  }
  return std::move(quantizable.range);
}

absl::StatusOr<RangeValues> LoadRange(const ParameterOptions& options) {
  if (options.min.has_value()) {
    return RangeValues{.min = {*options.min}, .max = {*options.max}, .axis = options.axis};
  }
  ASSIGN_OR_RETURN(std::vector<float> min, ReadFloats(options.min_file));
  ASSIGN_OR_RETURN(std::vector<float> max, ReadFloats(options.max_file));
  return RangeValues{.min = std::move(min), .max = std::move(max), .axis = options.axis};
}

std::optional<float> FloatIn(const std::string& text) {
  float value = 0;
  return absl::SimpleAtof(text, &value) ? std::optional(value) : std::nullopt;
}

std::optional<std::int32_t> IntegerIn(const std::string& text) {
  std::int32_t value = 0;
  return absl::SimpleAtoi(text, &value) ? std::optional(value) : std::nullopt;
}

absl::StatusOr<AffineValues> LoadScales(const ParameterOptions& options) {
  const bool has_blocks = options.block_size.has_value();
  AffineValues values{
      .scale = {}, .zero_point = {}, .axis = options.axis, .block_size = options.block_size};
  if (const std::optional<float> scale = FloatIn(options.scale); scale.has_value()) {
    values.scale = {*scale};
  } else {
    ASSIGN_OR_RETURN(values.scale, ReadFloats(options.scale, has_blocks));
  }
  if (const std::optional<std::int32_t> zero_point = IntegerIn(options.zero_point);
      zero_point.has_value()) {
    values.zero_point.assign(values.scale.size(), *zero_point);
  } else if (!options.zero_point.empty()) {
    ASSIGN_OR_RETURN(values.zero_point, ReadIntegers(options.zero_point, has_blocks));
  }
  return values;
}

void AddCodeRangeOptions(CLI::App& app, core::QuantizationSpec* spec) {
  app.add_option("--quant-min", spec->quant_min,
                 "Lowest code, instead of --num-bits and --narrow-range; only with --scale")
      ->type_name("CODE");
  app.add_option("--quant-max", spec->quant_max, "Highest code; only with --quant-min")
      ->type_name("CODE");
}

// Returns a name of the schema as the value of an option.
std::string AsOption(std::string_view name) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(core::ToAbsl(name)), {{"_", "-"}});
}

void AddRoundingOptions(CLI::App& app, core::QuantizationSpec* spec) {
  app.add_flag("--signed-input", spec->signed_input,
               "With --numerics tensorflow-quantize-and-dequantize, use codes on both sides of 0");
  std::vector<std::string> names;
  std::ranges::transform(core::kRoundingTable, std::back_inserter(names),
                         [](const core::RoundingRow& row) { return AsOption(row.name); });
  const auto set_rounding = [spec](const std::string& name) {
    for (const core::RoundingRow& row : core::kRoundingTable) {
      if (AsOption(row.name) == name) {
        spec->rounding = row.rounding;
      }
    }
  };
  app.add_option_function<std::string>(
         "--rounding", set_rounding,
         "What becomes of a value halfway between two codes, where the numerics has the choice: "
         "half-to-even (the default) or half-up with tensorflow-quantize-and-dequantize, "
         "half-away-from-zero (the default) or half-to-even with tensorflow-quantize-v2-scaled")
      ->type_name(absl::StrJoin(names, "|"))
      ->check(CLI::IsMember(names).description(""));
}

void AddNumericsOption(CLI::App& app, core::QuantizationSpec* spec) {
  std::vector<std::string> names;
  std::ranges::transform(core::kNumericsTable, std::back_inserter(names),
                         [](const core::NumericsRow& row) { return OptionText(row.numerics); });
  const auto set_numerics = [spec](const std::string& name) {
    const auto* const row = std::ranges::find_if(
        core::kNumericsTable,
        [&](const core::NumericsRow& numerics) { return OptionText(numerics.numerics) == name; });
    if (row != core::kNumericsTable.end()) {
      spec->numerics = row->numerics;
    }
  };
  app.add_option_function<std::string>(
         "--numerics", set_numerics,
         "Whose arithmetic to reproduce bit for bit; \"quantctl info\" lists what each one takes. "
         "Default: tensorflow with a range, onnx with a scale")
      ->type_name(absl::StrJoin(names, "|"))
      ->check(CLI::IsMember(names).description(""));
}

void AddScaleOptions(CLI::App& app, ParameterOptions* options) {
  app.add_option("--scale", options->scale,
                 "Distance between neighbouring codes: a number, or an .npy file, float32, with "
                 "one value per channel or block")
      ->type_name("NUMBER|FILE");
  app.add_option("--zero-point", options->zero_point,
                 "Code that represents 0: a number, or an .npy file of integers, one per scale. "
                 "Default: 0")
      ->type_name("NUMBER|FILE");
}

// Counts the sources that are given.
int CountSources(const ParameterOptions& options) {
  const bool has_numbers = options.min.has_value() || options.max.has_value();
  const bool has_files = !options.min_file.empty() || !options.max_file.empty();
  return static_cast<int>(has_numbers) + static_cast<int>(has_files) +
         static_cast<int>(options.from_data) + static_cast<int>(!options.scale.empty()) +
         static_cast<int>(options.data_range);
}

std::string SourcesText(const ParameterSources& offered) {
  return absl::StrCat("--min and --max, --min-file and --max-file",
                      offered.from_data ? ", --range-from-data" : "",
                      offered.data_range ? ", --data-range" : "", ", or --scale");
}

void CheckRangePairs(const ParameterOptions& options) {
  if (options.min.has_value() != options.max.has_value()) {
    throw CLI::ValidationError(options.min.has_value()
                                   ? "--max is missing; expected it with --min"
                                   : "--min is missing; expected it with --max");
  }
  if (options.min_file.empty() != options.max_file.empty()) {
    throw CLI::ValidationError(options.max_file.empty()
                                   ? "--max-file is missing; expected it with --min-file"
                                   : "--min-file is missing; expected it with --max-file");
  }
  if (options.min.has_value() && options.axis.has_value()) {
    throw CLI::ValidationError(
        "--axis asks for one range per channel; expected --min-file and --max-file instead of "
        "--min and --max");
  }
}

void CheckScaleOptions(const ParameterOptions& options) {
  if (options.scale.empty() && !options.zero_point.empty()) {
    throw CLI::ValidationError("--scale is missing; expected it with --zero-point");
  }
  if (FloatIn(options.scale).has_value() && options.axis.has_value()) {
    throw CLI::ValidationError(
        "--axis asks for one scale per channel; expected a file for --scale instead of a number");
  }
  if (options.block_size.has_value() && options.scale.empty() && !options.data_range) {
    throw CLI::ValidationError(
        "--block-size is for scales; expected it only with --scale, not with a range");
  }
  if (options.symmetric && !options.data_range) {
    throw CLI::ValidationError("--symmetric is given; expected it only with --data-range");
  }
}

std::vector<core::ElementType> TypesWhere(bool is_code) {
  std::vector<core::ElementType> types;
  for (const core::ElementTypeRow& row : core::kElementTypeTable) {
    if (row.is_code == is_code) {
      types.push_back(row.type);
    }
  }
  return types;
}

}  // namespace

void AddCodeOptions(CLI::App& app, core::QuantizationSpec* spec) {
  app.add_option("--num-bits", spec->num_bits,
                 "Number of bits per code, from 2 to 16. Default: as many as the type of codes "
                 "has, or 8 if there is none")
      ->type_name("BITS");
  app.add_flag("--narrow-range", spec->narrow_range,
               "Do not use the lowest code, so that symmetric ranges have symmetric codes");
}

void AddSpecOptions(CLI::App& app, core::QuantizationSpec* spec) {
  AddCodeOptions(app, spec);
  AddCodeRangeOptions(app, spec);
  AddNumericsOption(app, spec);
  AddTypeOption(
      app, "--precision",
      {core::ElementType::kFloat32, core::ElementType::kFloat16, core::ElementType::kBFloat16},
      "With --numerics onnx, the type in which a value is divided by its scale; float16 "
      "and bfloat16 only for tensors of that type. Default: float32",
      [spec](core::ElementType type) { spec->precision = type; });
  AddRoundingOptions(app, spec);
}

std::string OptionText(core::Numerics numerics) { return AsOption(core::RowOf(numerics).name); }

CLI::Option* AddTypeOption(CLI::App& app, const std::string& name,
                           const std::vector<core::ElementType>& types,
                           const std::string& description,
                           std::function<void(core::ElementType)> set) {
  std::vector<std::string> names;
  std::ranges::transform(types, std::back_inserter(names), [](core::ElementType type) {
    return std::string(core::RowOf(type).name);
  });
  const auto set_by_name = [set = std::move(set), types](const std::string& text) {
    const auto type = std::ranges::find_if(
        types, [&](core::ElementType other) { return core::RowOf(other).name == text; });
    if (type != types.end()) {
      set(*type);
    }
  };
  return app.add_option_function<std::string>(name, set_by_name, description)
      ->type_name(absl::StrJoin(names, "|"))
      ->check(CLI::IsMember(names).description(""));
}

std::vector<core::ElementType> CodeTypes() { return TypesWhere(true); }
std::vector<core::ElementType> FloatTypes() { return TypesWhere(false); }

void AddAxisOption(CLI::App& app, std::optional<std::int32_t>* axis) {
  app.add_option("--axis", *axis,
                 "The dimension with one range or scale per index, counted from 0; -1 is the last "
                 "dimension. Default: one for the whole tensor")
      ->type_name("K");
}

bool ParameterOptions::AreGiven() const {
  return CountSources(*this) > 0 || !zero_point.empty() || symmetric;
}

void AddParameterOptions(CLI::App& app, const ParameterSources& offered,
                         ParameterOptions* options) {
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
  if (offered.from_data) {
    app.add_flag(
        "--range-from-data", options->from_data,
        "Use the tensor's minimum and maximum as the range (per channel with --axis), with 0 "
        "included; NaN is ignored");
  }
  AddScaleOptions(app, options);
  AddAxisOption(app, &options->axis);
  app.add_option("--block-size", options->block_size,
                 "How many neighbouring elements along the axis share a scale; there is then one "
                 "scale per block, in C order")
      ->type_name("COUNT");
  if (offered.data_range) {
    app.add_flag("--data-range", options->data_range,
                 "Let the server compute range or scale from the tensor's minimum and maximum, "
                 "with 0 included; NaN is refused. With --numerics onnx: DynamicQuantizeLinear");
    app.add_flag("--symmetric", options->symmetric,
                 "With --data-range, use a range that is symmetric about 0");
  }
}

void CheckParameterOptions(const ParameterOptions& options, const ParameterSources& offered) {
  CheckScaleOptions(options);
  const int sources = CountSources(options);
  if (sources == 0) {
    throw CLI::ValidationError(
        absl::StrCat("the range is missing; expected ", SourcesText(offered)));
  }
  if (sources > 1) {
    throw CLI::ValidationError(
        absl::StrCat("the range is given twice; expected only one of ", SourcesText(offered)));
  }
  CheckRangePairs(options);
}

core::QuantizationSpec WithBitsOf(core::ElementType codes, core::QuantizationSpec spec) {
  if (!spec.num_bits.has_value()) {
    const core::ElementTypeRow& row = core::RowOf(codes);
    const auto levels = static_cast<std::uint64_t>(std::int64_t{row.highest} - row.lowest);
    spec.num_bits = static_cast<std::uint32_t>(std::bit_width(levels));
  }
  return spec;
}

absl::StatusOr<ParameterValues> LoadParameters(const ParameterOptions& options,
                                               const NpyArray& tensor,
                                               const core::QuantizationSpec& spec,
                                               std::vector<std::string>* warnings) {
  if (options.data_range) {
    return core::DataRange{
        .symmetric = options.symmetric, .axis = options.axis, .block_size = options.block_size};
  }
  if (!options.scale.empty()) {
    return LoadScales(options);
  }
  return options.from_data ? RangeOf(tensor, options.axis, spec, warnings) : LoadRange(options);
}

}  // namespace quantd::client
