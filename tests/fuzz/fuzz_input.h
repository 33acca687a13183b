// What the bytes of a fuzz input mean.

#ifndef QUANTD_TESTS_FUZZ_FUZZ_INPUT_H_
#define QUANTD_TESTS_FUZZ_FUZZ_INPUT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/operations.h"

namespace quantd::fuzz {

// The types of messages are numbered by the list of operations: operation i has
// request 2 * i and response 2 * i + 1. A new operation at the end of the list
// leaves the other numbers as they are.
inline constexpr std::size_t kMessageTypeCount = 2 * wire::kOperationCount;
static_assert(kMessageTypeCount <= 256, "a byte holds the number of a message type");

constexpr std::size_t OperationOf(std::size_t message_type) { return message_type / 2; }
constexpr bool IsRequest(std::size_t message_type) { return message_type % 2 == 0; }

// An input has these parts:
//
//   1 byte   the type of the message, modulo kMessageTypeCount
//   1 byte   bit 0: inherits parameters; bit 1: inherits a spec; bits 2 to 4: the
//            number of slice lengths; bit 5: inherited parameters are scales instead of
//            a range; bit 6: inherits an output type; bit 7 means nothing
//   n bytes  the slice lengths, one byte each
//   the rest is the message
//
// Bytes that are missing count as zeros, so that every input means something.
struct FuzzInput {
  std::size_t message_type;
  // What an earlier request of the stream left.
  bool inherits_parameters;
  bool inherits_spec;
  // Whether these parameters, if any, are scales.
  bool inherits_scales;
  bool inherits_output_type;
  // The lengths of the slices that the message is cut into, used in turn.
  std::span<const std::uint8_t> slice_lengths;
  std::span<const std::uint8_t> message;
};

inline constexpr std::size_t kInputHeaderBytes = 2;
inline constexpr std::size_t kMaxSliceLengths = 7;

inline FuzzInput ReadInput(std::span<const std::uint8_t> bytes) {
  const std::size_t type = bytes.empty() ? 0 : bytes[0];
  const std::size_t flags = bytes.size() < kInputHeaderBytes ? 0 : bytes[1];
  const auto rest = bytes.subspan(std::min(kInputHeaderBytes, bytes.size()));
  const std::size_t lengths = std::min((flags >> 2) & kMaxSliceLengths, rest.size());
  return {.message_type = type % kMessageTypeCount,
          .inherits_parameters = (flags & 1) != 0,
          .inherits_spec = (flags & 2) != 0,
          .inherits_scales = (flags & 33) == 33,
          .inherits_output_type = (flags & 64) != 0,
          .slice_lengths = rest.first(lengths),
          .message = rest.subspan(lengths)};
}

}  // namespace quantd::fuzz

#endif  // QUANTD_TESTS_FUZZ_FUZZ_INPUT_H_
