// Where elements lie that came over a transport: at any address.

#ifndef QUANTD_CORE_BASE_ELEMENT_POINTER_H_
#define QUANTD_CORE_BASE_ELEMENT_POINTER_H_

#include <cstddef>

namespace quantd::core {

// Points to float32 elements one behind another, in the machine's byte order
// and at any address, where a `const float*` would have to be aligned. Owns
// nothing.
class ElementPointer {
 public:
  ElementPointer() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): aligned elements are elements.
  ElementPointer(const float* elements) : bytes_(elements) {}
  explicit ElementPointer(const std::byte* bytes) : bytes_(bytes) {}

  ElementPointer operator+(std::size_t elements) const {
    return ElementPointer(bytes() + elements * sizeof(float));
  }

  const std::byte* bytes() const { return static_cast<const std::byte*>(bytes_); }

 private:
  const void* bytes_ = nullptr;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_ELEMENT_POINTER_H_
