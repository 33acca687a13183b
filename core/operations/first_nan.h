// Where a tensor has NaN, for the errors that name it.

#ifndef QUANTD_CORE_OPERATIONS_FIRST_NAN_H_
#define QUANTD_CORE_OPERATIONS_FIRST_NAN_H_

#include <cstddef>
#include <functional>
#include <optional>

#include "core/base/tensor_view.h"

namespace quantd::core {

// Returns the index of the first NaN among the elements for which `counts` is true. The
// tensor is of float32 or a 16-bit float.
std::optional<std::size_t> FirstNan(const TensorView& tensor,
                                    const std::function<bool(std::size_t element)>& counts);

}  // namespace quantd::core

#endif  // QUANTD_CORE_OPERATIONS_FIRST_NAN_H_
