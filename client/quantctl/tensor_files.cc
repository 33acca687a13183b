#include "client/quantctl/tensor_files.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/quantctl/parameter_options.h"
#include "core/base/element_type.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"

namespace quantd::client {

void AddFloatTypeOption(CLI::App& app, bool* is_bfloat16) {
  AddTypeOption(app, "--type", {core::ElementType::kBFloat16},
                "What a file of uint16 holds; bfloat16 is then written as uint16, too. Other files "
                "say their type themselves: float32, float16, float64, or bfloat16 as ml_dtypes "
                "saves it",
                [is_bfloat16](core::ElementType) { *is_bfloat16 = true; });
}

absl::StatusOr<NpyArray> ReadFloatTensor(const std::string& path, bool is_bfloat16) {
  ASSIGN_OR_RETURN(NpyArray tensor, ReadNpy(path));
  if (is_bfloat16) {
    return Interpret(std::move(tensor), {.type = core::ElementType::kBFloat16}, path);
  }
  const core::ElementTypeRow& type = core::RowOf(tensor.elements.type());
  if (type.is_code) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": the array has elements of type ", core::ToAbsl(type.name),
        "; expected floats: dequantize codes first, or say --type bfloat16 if uint16 holds these"));
  }
  return tensor;
}

bool IsStandardOutput(const std::string& path) { return path == "-" || path == "/dev/stdout"; }

void CheckOutputs(std::initializer_list<std::string> paths) {
  if (std::ranges::count_if(paths, IsStandardOutput) > 1) {
    throw CLI::ValidationError(
        "several files are to be written to the standard output; expected one at most: name the "
        "others");
  }
}

std::ostream& ReportStream(std::initializer_list<std::string> paths, const Terminal& terminal) {
  return std::ranges::any_of(paths, IsStandardOutput) ? terminal.error : terminal.output;
}

absl::Status WriteTensor(const std::string& path, std::span<const std::int64_t> shape,
                         const Elements& elements, const Terminal& terminal,
                         const NpyStorage& storage) {
  return IsStandardOutput(path) ? WriteNpy(terminal.output, shape, elements, storage)
                                : WriteNpy(path, shape, elements, storage);
}

std::string DescribeTensor(const NpyArray& tensor) {
  return absl::StrCat(core::ToAbsl(core::RowOf(tensor.elements.type()).name), " [",
                      absl::StrJoin(tensor.shape, ","), "]");
}

}  // namespace quantd::client
