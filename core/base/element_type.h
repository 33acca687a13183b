// The types of a tensor's elements.

#ifndef QUANTD_CORE_BASE_ELEMENT_TYPE_H_
#define QUANTD_CORE_BASE_ELEMENT_TYPE_H_

#include <cstddef>

namespace quantd::core {

// The types that core computes with. A type joins the list together with its
// kernels.
enum class ElementType {
  // IEEE 754 binary32; `float` in C++.
  kFloat32,
};

// Returns the size of one element in bytes.
constexpr std::size_t ElementBytes(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return sizeof(float);
  }
  return 0;
}

// kElementTypeOf<T> is the element type that C++ calls T.
template <typename T>
inline constexpr ElementType kElementTypeOf = [] {
  static_assert(sizeof(T) == 0, "T is not the type of a tensor's elements");
  return ElementType();
}();
template <>
inline constexpr ElementType kElementTypeOf<float> = ElementType::kFloat32;

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_ELEMENT_TYPE_H_
