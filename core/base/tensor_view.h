// Views of tensors that belong to the caller: one to read from, one to write to.

#ifndef QUANTD_CORE_BASE_TENSOR_VIEW_H_
#define QUANTD_CORE_BASE_TENSOR_VIEW_H_

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "core/base/element_type.h"
#include "core/base/scattered_bytes.h"

namespace quantd::core {

// A tensor to read, in C order (the last dimension varies fastest). Does not own
// the shape or the elements.
struct TensorView {
  TensorView() = default;
  TensorView(ElementType element_type, std::span<const std::int64_t> dimensions,
             ScatteredBytes element_bytes)
      : type(element_type), shape(dimensions), bytes(std::move(element_bytes)) {}
  // Elements in one piece, aligned.
  TensorView(std::span<const std::int64_t> dimensions, std::span<const float> elements)
      : type(kElementTypeOf<float>), shape(dimensions), bytes(std::as_bytes(elements)) {}

  // The number of elements that there are bytes for. It is the product of the
  // shape in a view that has been checked, plus the unused places in the last byte
  // of packed codes.
  std::size_t element_count() const { return ElementsIn(type, bytes.size()); }

  // The elements as an array. They must be of type T, in one piece and aligned,
  // as those of the second constructor are.
  template <typename T>
  std::span<const T> elements() const {
    assert(type == kElementTypeOf<T> && bytes.in_one_piece());
    const void* const first = bytes.front();
    assert(reinterpret_cast<std::uintptr_t>(first) % alignof(T) == 0);
    return {static_cast<const T*>(first), element_count()};
  }

  ElementType type = ElementType::kFloat32;
  // Each dimension is at least 0 in a view that has been checked; an empty shape
  // is a scalar.
  std::span<const std::int64_t> shape;
  ScatteredBytes bytes;
};

// The elements of a tensor to write, in C order, contiguous and aligned for
// their type. Does not own them.
class OutputView {
 public:
  OutputView() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): an array of elements is an output.
  OutputView(std::span<float> elements)
      : OutputView(kElementTypeOf<float>, elements.data(), elements.size()) {}
  // `data` is aligned for the type.
  OutputView(ElementType type, void* data, std::size_t element_count)
      : type_(type), data_(data), element_count_(element_count) {}

  ElementType type() const { return type_; }
  std::size_t element_count() const { return element_count_; }
  std::size_t size_bytes() const { return ElementBytes(type_, element_count_); }

  // The elements, which must be of type T.
  template <typename T>
  std::span<T> elements() const {
    assert(type_ == kElementTypeOf<T>);
    return {static_cast<T*>(data_), element_count_};
  }

  // The same memory as bytes, to copy elements of any type.
  std::span<std::byte> bytes() const { return {static_cast<std::byte*>(data_), size_bytes()}; }

  // `count` of the elements, from `first` on. They exist, and the first of them
  // begins a byte.
  OutputView Part(std::size_t first, std::size_t count) const {
    assert(first <= element_count_ && count <= element_count_ - first);
    return {type_, static_cast<std::byte*>(data_) + ElementBytes(type_, first), count};
  }

 private:
  ElementType type_ = ElementType::kFloat32;
  void* data_ = nullptr;
  std::size_t element_count_ = 0;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_TENSOR_VIEW_H_
