#include "bench/channel_argument.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace quantd::bench {

absl::StatusOr<ChannelArgument> ParseChannelArgument(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat("the channel argument \"", std::string(text),
                                                   "\" is not valid; expected NAME=VALUE, such as "
                                                   "grpc.http2.max_frame_size=1048576"));
  }
  ChannelArgument argument{.name = std::string(text.substr(0, equals)),
                           .value = std::string(text.substr(equals + 1))};
  int number = 0;
  if (absl::SimpleAtoi(std::get<std::string>(argument.value), &number)) {
    argument.value = number;
  }
  return argument;
}

}  // namespace quantd::bench
