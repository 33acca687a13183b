// The part of protobuf's wire format that is needed to find the elements of
// tensors.

#ifndef QUANTD_WIRE_SPLIT_MESSAGE_H_
#define QUANTD_WIRE_SPLIT_MESSAGE_H_

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/scattered_bytes.h"

namespace quantd::wire {

// A message in two parts.
struct SplitMessage {
  // The message without the elements of its tensors: `data` and `float_values`
  // are present, but empty.
  std::string rest;
  // The elements, by tensor field.
  std::vector<core::ScatteredBytes> elements;
};

// Splits a message that lies in `pieces`, whose fields numbered `tensor_fields`
// are Tensors, without copying their elements. The result refers to the pieces.
//
// Handles the form that serializers write, with fields in any order: each tensor
// and each tensor's elements once, float_values packed in one stretch, no
// groups, tags and lengths in their shortest form. Returns nothing for any other
// form, which may still be valid: protobuf's own parser decides then. A message
// that has been split is valid if, and only if, `rest` is.
// (https://protobuf.dev/programming-guides/encoding)
std::optional<SplitMessage> Split(std::span<const core::ScatteredBytes::Piece> pieces,
                                  std::span<const int> tensor_fields);

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_SPLIT_MESSAGE_H_
