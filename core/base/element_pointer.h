// A pointer to elements at any address, such as those of a received message.

#ifndef QUANTD_CORE_BASE_ELEMENT_POINTER_H_
#define QUANTD_CORE_BASE_ELEMENT_POINTER_H_

#include <cstddef>

namespace quantd::core {

// Points to contiguous elements of type T, in the machine's byte order and at
// any address, where a `const T*` would have to be aligned. Owns nothing.
template <typename T>
class ElementPointer {
 public:
  ElementPointer() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): aligned elements are elements.
  ElementPointer(const T* elements) : bytes_(elements) {}
  explicit ElementPointer(const std::byte* bytes) : bytes_(bytes) {}

  ElementPointer operator+(std::size_t elements) const {
    return ElementPointer(bytes() + elements * sizeof(T));
  }

  const std::byte* bytes() const { return static_cast<const std::byte*>(bytes_); }

 private:
  const void* bytes_ = nullptr;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_ELEMENT_POINTER_H_
