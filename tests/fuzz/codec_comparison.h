// The codec without copies, compared with protobuf's generated parser.

#ifndef QUANTD_TESTS_FUZZ_CODEC_COMPARISON_H_
#define QUANTD_TESTS_FUZZ_CODEC_COMPARISON_H_

#include "absl/status/statusor.h"
#include "tests/fuzz/fuzz_input.h"

namespace quantd::fuzz {

// How far a message got.
enum class Reached {
  // It is not a message of its type.
  kRefusal,
  // It is one. Responses and bad requests get no further.
  kMessage,
  // It is a request that the codec accepts.
  kArguments,
  // It was answered.
  kElements,
};

// Cuts the message of `input` into its slices and reads it as the server does.
// Compares the result with what the generated class and a plain decoding make of
// the whole message. Then lets two sessions answer: one gets the slices, after a
// request that leaves what the message inherits; the other gets a single request
// in one slice that has everything itself. Their answers must be the same bytes.
//
// Errors: kInternal, which says what differs.
absl::StatusOr<Reached> CompareCodec(const FuzzInput& input);

}  // namespace quantd::fuzz

#endif  // QUANTD_TESTS_FUZZ_CODEC_COMPARISON_H_
