// What the bytes of a fuzz input mean.

#ifndef QUANTD_TESTS_FUZZ_FUZZ_INPUT_H_
#define QUANTD_TESTS_FUZZ_FUZZ_INPUT_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace quantd::fuzz {

enum class MessageType : std::uint8_t {
  kFakeQuantizeRequest,
  kFakeQuantizeGradientRequest,
  kFakeQuantizeResponse,
  kFakeQuantizeGradientResponse,
};

// An input is one byte (the type in bits 0 and 1, the defaults in bits 2 and 3,
// the number of lengths in bits 4 to 6), then the lengths, one byte each, then
// the message. Every input means something.
struct FuzzInput {
  MessageType type;
  // Whether requests before this one left a range and a spec.
  bool inherits_range;
  bool inherits_spec;
  // Of the slices that the message is cut into; over and over.
  std::span<const std::uint8_t> slice_lengths;
  std::span<const std::uint8_t> message;
};

inline constexpr std::size_t kMaxSliceLengths = 7;

inline FuzzInput ReadInput(std::span<const std::uint8_t> bytes) {
  const std::uint8_t header = bytes.empty() ? 0 : bytes.front();
  const auto rest = bytes.subspan(bytes.empty() ? 0 : 1);
  const std::size_t wanted = (header >> 4) & kMaxSliceLengths;
  const std::size_t lengths = wanted < rest.size() ? wanted : rest.size();
  return {.type = static_cast<MessageType>(header & 3),
          .inherits_range = (header & 4) != 0,
          .inherits_spec = (header & 8) != 0,
          .slice_lengths = rest.first(lengths),
          .message = rest.subspan(lengths)};
}

}  // namespace quantd::fuzz

#endif  // QUANTD_TESTS_FUZZ_FUZZ_INPUT_H_
