// The types of a tensor's elements.

#ifndef QUANTD_CORE_BASE_ELEMENT_TYPE_H_
#define QUANTD_CORE_BASE_ELEMENT_TYPE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "core/base/float16.h"

namespace quantd::core {

// The types that core computes with.
enum class ElementType {
  // IEEE 754 binary32; `float` in C++.
  kFloat32,
  // IEEE 754 binary16.
  kFloat16,
  // The upper half of a float32.
  kBFloat16,
  // IEEE 754 binary64; `double` in C++.
  kFloat64,
  // Codes, in two's complement if they are signed.
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  // Two codes per byte, the first in the low bits, packed across the whole tensor.
  kInt4,
  kUint4,
  // Four codes per byte, likewise.
  kInt2,
  kUint2,
};

// What is known of each type.
struct ElementTypeRow {
  ElementType type;
  // As users write it, such as "float32".
  std::string_view name;
  std::size_t bits;
  bool is_code = false;
  // The lowest and the highest code.
  std::int32_t lowest = 0;
  std::int32_t highest = 0;
};

// The rows in the order of the enum.
inline constexpr std::array kElementTypeTable = {
    ElementTypeRow{ElementType::kFloat32, "float32", 32},
    ElementTypeRow{ElementType::kFloat16, "float16", 16},
    ElementTypeRow{ElementType::kBFloat16, "bfloat16", 16},
    ElementTypeRow{ElementType::kFloat64, "float64", 64},
    ElementTypeRow{ElementType::kInt8, "int8", 8, true, -128, 127},
    ElementTypeRow{ElementType::kUint8, "uint8", 8, true, 0, 255},
    ElementTypeRow{ElementType::kInt16, "int16", 16, true, -32768, 32767},
    ElementTypeRow{ElementType::kUint16, "uint16", 16, true, 0, 65535},
    ElementTypeRow{ElementType::kInt32, "int32", 32, true, INT32_MIN, INT32_MAX},
    ElementTypeRow{ElementType::kInt4, "int4", 4, true, -8, 7},
    ElementTypeRow{ElementType::kUint4, "uint4", 4, true, 0, 15},
    ElementTypeRow{ElementType::kInt2, "int2", 2, true, -2, 1},
    ElementTypeRow{ElementType::kUint2, "uint2", 2, true, 0, 3},
};

static_assert(
    [] {
      for (std::size_t i = 0; i < kElementTypeTable.size(); ++i) {
        if (static_cast<std::size_t>(kElementTypeTable[i].type) != i) {
          return false;
        }
      }
      return static_cast<std::size_t>(ElementType::kUint2) == kElementTypeTable.size() - 1;
    }(),
    "kElementTypeTable lists every type once, in the order of the enum");

constexpr const ElementTypeRow& RowOf(ElementType type) {
  return kElementTypeTable[static_cast<std::size_t>(type)];
}

// Returns how many bytes `count` elements take. Elements of less than a byte fill
// the bytes; the last one may have unused bits.
constexpr std::size_t ElementBytes(ElementType type, std::size_t count) {
  const std::size_t bits = RowOf(type).bits;
  return bits >= 8 ? count * (bits / 8) : (count + 8 / bits - 1) / (8 / bits);
}

// Returns how many elements `bytes` hold. An odd number of packed codes counts with
// the unused bits of its last byte.
constexpr std::size_t ElementsIn(ElementType type, std::size_t bytes) {
  const std::size_t bits = RowOf(type).bits;
  return bits >= 8 ? bytes / (bits / 8) : bytes * (8 / bits);
}

// kElementTypeOf<T> is the element type that C++ calls T.
template <typename T>
inline constexpr ElementType kElementTypeOf = [] {
  static_assert(sizeof(T) == 0, "T is not the type of a tensor's elements");
  return ElementType();
}();
template <>
inline constexpr ElementType kElementTypeOf<float> = ElementType::kFloat32;
template <>
inline constexpr ElementType kElementTypeOf<Float16> = ElementType::kFloat16;
template <>
inline constexpr ElementType kElementTypeOf<BFloat16> = ElementType::kBFloat16;
template <>
inline constexpr ElementType kElementTypeOf<double> = ElementType::kFloat64;
template <>
inline constexpr ElementType kElementTypeOf<std::int8_t> = ElementType::kInt8;
template <>
inline constexpr ElementType kElementTypeOf<std::uint8_t> = ElementType::kUint8;
template <>
inline constexpr ElementType kElementTypeOf<std::int16_t> = ElementType::kInt16;
template <>
inline constexpr ElementType kElementTypeOf<std::uint16_t> = ElementType::kUint16;
template <>
inline constexpr ElementType kElementTypeOf<std::int32_t> = ElementType::kInt32;

// A set of types.
class ElementTypes {
 public:
  constexpr ElementTypes() = default;
  constexpr ElementTypes(std::initializer_list<ElementType> types) {
    for (const ElementType type : types) {
      bits_ |= Bit(type);
    }
  }

  constexpr bool contains(ElementType type) const { return (bits_ & Bit(type)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }

 private:
  static constexpr std::uint32_t Bit(ElementType type) {
    return std::uint32_t{1} << static_cast<std::uint32_t>(type);
  }

  std::uint32_t bits_ = 0;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_ELEMENT_TYPE_H_
