// The elements of a tensor, of any type, in memory of their own.

#ifndef QUANTD_CLIENT_LIBRARY_ELEMENTS_H_
#define QUANTD_CLIENT_LIBRARY_ELEMENTS_H_

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/base/element_type.h"
#include "core/base/tensor_view.h"

namespace quantd::client {

class Elements {
 public:
  // None, of type float32.
  Elements() = default;

  // `count` elements of `type`, all of them 0. Throws std::bad_alloc or
  // std::length_error if they do not fit into memory.
  Elements(core::ElementType type, std::size_t count)
      : type_(type), size_(count), bytes_(core::ElementBytes(type, count)) {}

  // Copies elements of a type that C++ has.
  template <typename T>
  static Elements Of(std::span<const T> values) {
    const std::span<const std::byte> bytes = std::as_bytes(values);
    Elements elements;
    elements.type_ = core::kElementTypeOf<T>;
    elements.size_ = values.size();
    elements.bytes_.assign(bytes.begin(), bytes.end());
    return elements;
  }

  core::ElementType type() const { return type_; }
  // How many there are.
  std::size_t size() const { return size_; }

  // Codes of less than a byte are packed.
  std::span<const std::byte> bytes() const { return bytes_; }

  // The elements as an array. They must be of type T.
  template <typename T>
  std::span<const T> values() const {
    assert(type_ == core::kElementTypeOf<T>);
    const void* const first = bytes_.data();
    return {static_cast<const T*>(first), size_};
  }

  // The elements with a shape, whose product is size(). Valid as long as both exist
  // unchanged.
  core::TensorView view(std::span<const std::int64_t> shape) const {
    return {type_, shape, core::ScatteredBytes(bytes_)};
  }

  // The elements to write.
  core::OutputView output() { return {type_, bytes_.data(), size_}; }

 private:
  core::ElementType type_ = core::ElementType::kFloat32;
  std::size_t size_ = 0;
  std::vector<std::byte> bytes_;
};

// Whether elements of the type share bytes.
constexpr bool IsPacked(core::ElementType type) { return core::ElementsIn(type, 1) > 1; }

// Returns elements of a type of floats as float32. Exact, save that those of float64
// are rounded.
std::vector<float> ToFloats(const Elements& floats);

// Elements of a type of floats as float32: these themselves, which must outlive it, or a
// copy if they are of another type.
class FloatView {
 public:
  explicit FloatView(const Elements& floats)
      : copy_(floats.type() == core::ElementType::kFloat32 ? std::vector<float>()
                                                           : ToFloats(floats)),
        values_(floats.type() == core::ElementType::kFloat32 ? floats.values<float>()
                                                             : std::span<const float>(copy_)) {}

  FloatView(const FloatView&) = delete;
  FloatView& operator=(const FloatView&) = delete;

  std::span<const float> values() const { return values_; }

 private:
  std::vector<float> copy_;
  std::span<const float> values_;
};

// Returns the nearest elements of `type`, which is float32, float16 or bfloat16.
Elements FromFloats(std::span<const float> values, core::ElementType type);

// Returns elements of a type of codes as numbers.
std::vector<std::int32_t> ToCodes(const Elements& codes);

// Returns numbers as codes of `type`, which has all of them.
Elements FromCodes(std::span<const std::int32_t> values, core::ElementType type);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_ELEMENTS_H_
