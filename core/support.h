// What each operation takes with each numerics, for servers to list and clients to
// read. Follows from the table of core/numerics.h.

#ifndef QUANTD_CORE_SUPPORT_H_
#define QUANTD_CORE_SUPPORT_H_

#include <optional>

#include "core/base/element_type.h"
#include "core/quantization.h"

namespace quantd::core {

enum class OperationKind { kFakeQuantize, kFakeQuantizeGradient, kQuantize, kDequantize };

// The parameters and types that an operation takes.
struct Support {
  bool range = false;
  bool range_per_channel = false;
  bool affine = false;
  bool affine_per_channel = false;
  bool affine_blocks = false;
  bool data_range = false;
  ElementTypes input_types;
  // For a fake quantization and its gradient, the type of the input.
  ElementTypes output_types;
};

// Returns nothing if the numerics does not have the operation.
std::optional<Support> SupportOf(OperationKind operation, Numerics numerics);

}  // namespace quantd::core

#endif  // QUANTD_CORE_SUPPORT_H_
