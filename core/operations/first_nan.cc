#include "core/operations/first_nan.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <span>

#include "core/base/element_type.h"
#include "core/base/float16.h"
#include "core/operations/staging.h"

namespace quantd::core {
namespace {

bool IsNan(float value) { return std::isnan(value); }
template <StagedFloat T>
bool IsNan(T value) {
  return std::isnan(ToFloat(value));
}

template <typename T>
std::optional<std::size_t> FirstNanOf(const TensorView& tensor,
                                      const std::function<bool(std::size_t)>& counts) {
  Stage<T> stage;
  const std::size_t element_count = tensor.element_count();
  for (std::size_t first = 0; first < element_count; first += kStagedElements) {
    const std::size_t count = std::min(kStagedElements, element_count - first);
    tensor.bytes.CopyTo(first, std::span(stage.elements, count));
    for (std::size_t i = 0; i < count; ++i) {
      if (IsNan(stage.elements[i]) && counts(first + i)) {
        return first + i;
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::size_t> FirstNan(const TensorView& tensor,
                                    const std::function<bool(std::size_t)>& counts) {
  switch (tensor.type) {
    case ElementType::kFloat32:
      return FirstNanOf<float>(tensor, counts);
    case ElementType::kFloat16:
      return FirstNanOf<Float16>(tensor, counts);
    case ElementType::kBFloat16:
      return FirstNanOf<BFloat16>(tensor, counts);
    default:
      assert(false && "only floats have NaN");
  }
  return std::nullopt;
}

}  // namespace quantd::core
