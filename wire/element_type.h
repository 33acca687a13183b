// Element types in the schema.

#ifndef QUANTD_WIRE_ELEMENT_TYPE_H_
#define QUANTD_WIRE_ELEMENT_TYPE_H_

#include <array>
#include <cstddef>
#include <optional>

#include "core/base/element_type.h"
#include "quantd/v1/tensor.pb.h"

namespace quantd::wire {

struct ElementTypeMapping {
  core::ElementType type;
  v1::DataType data_type;
};

// Every type that core computes with, in the order of core's enum.
inline constexpr std::array kElementTypes = {
    ElementTypeMapping{core::ElementType::kFloat32, v1::DATA_TYPE_FLOAT32},
    ElementTypeMapping{core::ElementType::kFloat16, v1::DATA_TYPE_FLOAT16},
    ElementTypeMapping{core::ElementType::kBFloat16, v1::DATA_TYPE_BFLOAT16},
    ElementTypeMapping{core::ElementType::kFloat64, v1::DATA_TYPE_FLOAT64},
    ElementTypeMapping{core::ElementType::kInt8, v1::DATA_TYPE_INT8},
    ElementTypeMapping{core::ElementType::kUint8, v1::DATA_TYPE_UINT8},
    ElementTypeMapping{core::ElementType::kInt16, v1::DATA_TYPE_INT16},
    ElementTypeMapping{core::ElementType::kUint16, v1::DATA_TYPE_UINT16},
    ElementTypeMapping{core::ElementType::kInt32, v1::DATA_TYPE_INT32},
    ElementTypeMapping{core::ElementType::kInt4, v1::DATA_TYPE_INT4},
    ElementTypeMapping{core::ElementType::kUint4, v1::DATA_TYPE_UINT4},
    ElementTypeMapping{core::ElementType::kInt2, v1::DATA_TYPE_INT2},
    ElementTypeMapping{core::ElementType::kUint2, v1::DATA_TYPE_UINT2},
};

static_assert(
    [] {
      for (std::size_t i = 0; i < kElementTypes.size(); ++i) {
        if (kElementTypes[i].type != core::kElementTypeTable[i].type) {
          return false;
        }
      }
      return kElementTypes.size() == core::kElementTypeTable.size();
    }(),
    "kElementTypes lists every type once, in the order of core's enum");

constexpr v1::DataType ToDataType(core::ElementType type) {
  return kElementTypes[static_cast<std::size_t>(type)].data_type;
}

// Returns nothing for DATA_TYPE_UNSPECIFIED and for numbers that the schema does not
// have.
constexpr std::optional<core::ElementType> ToElementType(v1::DataType type) {
  for (const auto& [core_type, data_type] : kElementTypes) {
    if (data_type == type) {
      return core_type;
    }
  }
  return std::nullopt;
}

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_ELEMENT_TYPE_H_
