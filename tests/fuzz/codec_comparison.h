// The codec without copies, held to protobuf's generated parser.

#ifndef QUANTD_TESTS_FUZZ_CODEC_COMPARISON_H_
#define QUANTD_TESTS_FUZZ_CODEC_COMPARISON_H_

#include "absl/status/statusor.h"
#include "tests/fuzz/fuzz_input.h"

namespace quantd::fuzz {

// How far a message came.
enum class Reached {
  // It is none of its type.
  kRefusal,
  // It is one; that is all there is to responses and to bad requests.
  kMessage,
  // It is a request that the codec takes.
  kArguments,
  // Its elements were computed, in pieces and in one piece.
  kElements,
};

// Takes the message of `input` apart in its slices, as the server does, and
// compares with what the generated class, a plain decoding and elements in one
// piece come to.
//
// Errors: kInternal, which says where the two differ.
absl::StatusOr<Reached> CompareCodec(const FuzzInput& input);

}  // namespace quantd::fuzz

#endif  // QUANTD_TESTS_FUZZ_CODEC_COMPARISON_H_
