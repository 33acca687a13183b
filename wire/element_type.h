// Element types in the schema.

#ifndef QUANTD_WIRE_ELEMENT_TYPE_H_
#define QUANTD_WIRE_ELEMENT_TYPE_H_

#include <array>
#include <optional>

#include "core/base/element_type.h"
#include "quantd/v1/tensor.pb.h"

namespace quantd::wire {

struct ElementTypeMapping {
  core::ElementType type;
  v1::DataType data_type;
};

// Every type that core computes with.
inline constexpr std::array kElementTypes = {
    ElementTypeMapping{core::ElementType::kFloat32, v1::DATA_TYPE_FLOAT32},
};

constexpr v1::DataType ToDataType(core::ElementType type) {
  for (const auto& [core_type, data_type] : kElementTypes) {
    if (core_type == type) {
      return data_type;
    }
  }
  return v1::DATA_TYPE_UNSPECIFIED;
}

// Returns nothing for a type that core does not compute with.
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
