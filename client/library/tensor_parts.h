// A large tensor as a sequence of small ones, for a stream.

#ifndef QUANTD_CLIENT_LIBRARY_TENSOR_PARTS_H_
#define QUANTD_CLIENT_LIBRARY_TENSOR_PARTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "absl/container/inlined_vector.h"
#include "core/parameter_layout.h"
#include "core/quantization.h"
#include "core/tensor_shape.h"

namespace quantd::client {

// A run of a tensor's elements, in C order, that is a tensor of its own: with its
// share of the parameters, it gives the bits that it gives within the whole tensor.
struct TensorPart {
  std::size_t first_element = 0;
  std::size_t element_count = 0;
  // Its ranges or scales among those of the whole tensor: those of its channels or
  // blocks, or one without an axis.
  std::size_t first_parameter = 0;
  std::size_t parameter_count = 1;
  // Where its channels or blocks lie. None for a tensor without an axis: such tensors
  // are computed in another way than those with an axis of one channel.
  std::optional<std::int32_t> axis = {};
  std::optional<std::uint32_t> block_size = {};

  std::span<const std::int64_t> shape() const { return std::span(dimensions).first(rank); }

  // Returns its share of the parameters of the whole tensor.
  core::QuantizationParameters ParametersOf(const core::QuantizationParameters& whole) const;

  // Returns true if `other`, a part of the same tensor, has the same parameters along
  // the same axis.
  bool HasParametersOf(const TensorPart& other) const {
    return first_parameter == other.first_parameter && parameter_count == other.parameter_count &&
           axis == other.axis;
  }

  // The first `rank` of them are the shape.
  std::array<std::int64_t, 3> dimensions = {};
  std::size_t rank = 0;
};

// What parts have to be like.
struct PartLimits {
  // The size that parts should not exceed; at least 1.
  std::size_t max_elements = 1;
  // All parts begin at a multiple of this number of elements: 1, 2 or 4.
  std::size_t alignment = 1;
  // The number of whole channels that parts of a tensor with at least as many
  // channels have at least: 1 or 2. With 1, parts may also be pieces of a channel.
  std::size_t min_channels = 1;
};

// Returns a part with all parameters, but without elements: with it, a server checks
// all of them. Not for blocks, which an empty tensor has none of.
TensorPart EmptyPart(const core::ChannelLayout& layout, bool has_axis);

// The parts of a tensor, one after another. They cover it from the first element
// to the last, each element once, and are about equally large: whole rows of all
// channels if a row is small enough; otherwise several whole channels (or blocks, or
// channels of a block) of one row, or a piece of one channel. Larger than they should
// be where the other limits demand it.
class TensorParts {
 public:
  // `layout` says how the parameters of the tensor lie, and `has_axis` whether they
  // have an axis, which those of blocks do.
  TensorParts(const core::ParameterLayout& layout, bool has_axis, const PartLimits& limits);

  // Returns the next part, or nothing after the last. A tensor without elements
  // has none.
  std::optional<TensorPart> Next();

 private:
  // What a part is a run of, within one of the level above.
  struct Level {
    enum class Kind { kRows, kBlocks, kChannels, kElements };
    Kind kind;
    // How many elements one has, except that the last block of a row may have fewer.
    std::size_t elements;
    // How many there are in one of the level above.
    std::size_t count;
  };

  // From the largest to the smallest.
  absl::InlinedVector<Level, 4> Levels() const;
  // Chooses what parts are runs of, and how many.
  void Choose(const PartLimits& limits);
  // Returns the end of what contains the element and may not be cut across.
  std::size_t EndAround(std::size_t element) const;
  TensorPart PartOf(std::size_t first_element, std::size_t element_count) const;
  TensorPart PartOfChannels(std::size_t first_element, std::size_t element_count) const;
  TensorPart PartOfBlocks(std::size_t first_element, std::size_t element_count) const;
  // How many channels a block has; one that is larger than the axis has all.
  std::size_t BlockChannels() const;

  core::ParameterLayout layout_;
  bool has_axis_;
  Level::Kind kind_ = Level::Kind::kElements;
  // How many elements a part has. The last one of a tensor, row, block or channel may
  // have another number.
  std::size_t size_ = 1;
  // A rest of fewer elements belongs to the part before it.
  std::size_t least_size_ = 1;
  std::size_t next_element_ = 0;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_TENSOR_PARTS_H_
