#include "client/quantctl/tensor_files.h"

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

std::string DescribeTensor(const NpyArray& tensor) {
  return absl::StrCat(core::ToAbsl(core::RowOf(tensor.elements.type()).name), " [",
                      absl::StrJoin(tensor.shape, ","), "]");
}

}  // namespace quantd::client
