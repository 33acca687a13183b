// gRPC's channel arguments as flags: how transport settings are tried out.

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

// Reads "grpc.http2.max_frame_size=1048576"; a value that is no int is a string.
//
// Errors: kInvalidArgument, with the text and what was expected.
absl::StatusOr<ChannelArgument> ParseChannelArgument(std::string_view text);

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_CHANNEL_ARGUMENT_H_
