// Sets gRPC's channel arguments with flags, to experiment with transport settings.

#ifndef QUANTD_BENCH_CHANNEL_ARGUMENT_H_
#define QUANTD_BENCH_CHANNEL_ARGUMENT_H_

#include <string>
#include <string_view>
#include <variant>

#include "absl/status/statusor.h"

namespace quantd::bench {

struct ChannelArgument {
  std::string name;
  std::variant<int, std::string> value;
};

// Parses an argument such as "grpc.http2.max_frame_size=1048576". A value that is not
// an int is a string.
//
// Errors: kInvalidArgument, with the text and what was expected.
absl::StatusOr<ChannelArgument> ParseChannelArgument(std::string_view text);

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_CHANNEL_ARGUMENT_H_
