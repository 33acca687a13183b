// What each operation takes with each numerics, for servers to list and clients to
// read. Follows from the table of core/numerics.h.

#ifndef QUANTD_CORE_SUPPORT_H_
#define QUANTD_CORE_SUPPORT_H_

#include <optional>

#include "core/base/element_type.h"
#include "core/quantization.h"

namespace quantd::core {

enum class OperationKind { kFakeQuantize, kFakeQuantizeGradient, kQuantize, kDequantize };

// The two kinds of parameters.
enum class ParameterSource { kRange, kAffine };

// The parameters of one kind that an operation takes, and the types with these.
struct Support {
  bool per_tensor = false;
  bool per_channel = false;
  bool blocks = false;
  // Whether the parameters may be computed from the data.
  bool from_data = false;
  ElementTypes input_types;
  // For a fake quantization and its gradient, the type of the input.
  ElementTypes output_types;
};

// Returns nothing if the numerics does not have the operation with such parameters.
std::optional<Support> SupportOf(OperationKind operation, Numerics numerics,
                                 ParameterSource source);

}  // namespace quantd::core

#endif  // QUANTD_CORE_SUPPORT_H_
