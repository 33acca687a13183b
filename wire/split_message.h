// Messages with tensors, in two parts: their small fields, and the elements.

#ifndef QUANTD_WIRE_SPLIT_MESSAGE_H_
#define QUANTD_WIRE_SPLIT_MESSAGE_H_

#include <cstddef>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/scattered_bytes.h"
#include "wire/known_fields.h"

namespace quantd::wire {

// The most dimensions that a tensor may have: one more is kept of a shape with more, for
// whoever refuses it.
inline constexpr std::size_t kMaxRank = 64;

// A message in two parts.
struct SplitMessage {
  // The message without the elements of its tensors: `data` and `float_values`
  // are present, but empty.
  std::string rest;
  // The elements, by tensor field.
  std::vector<core::ScatteredBytes> elements;
  // Elements that do not lie together in the message, which `elements` refers to.
  std::list<std::string> copies;
};

// Splits a message of the type of `fields` that lies in `pieces`, without copying the
// elements of its tensors: only those that come in stretches of less than 256 bytes
// behind others are copied. The result refers to the pieces.
//
// Takes every form that protobuf's parser takes, and leaves out what that would keep for
// nothing: unknown fields, at every level, and dimensions beyond kMaxRank + 1. The memory of
// the result is proportional to the message's known fields. Returns nothing if the message is
// malformed. A message that has been split is valid if, and only if, `rest` is.
std::optional<SplitMessage> Split(std::span<const core::ScatteredBytes::Piece> pieces,
                                  const KnownFields& fields);

// Returns about how many bytes Split() and the parser of `rest` allocate at most for a
// message. Looks at no more than 64 of its fields, and takes those behind them for the
// costliest. A malformed message may allocate less.
std::size_t ParsingBytes(std::span<const core::ScatteredBytes::Piece> pieces,
                         const KnownFields& fields);

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_SPLIT_MESSAGE_H_
