// One thing that the RPC benchmark measures.

#ifndef QUANTD_BENCH_RPC_CASE_H_
#define QUANTD_BENCH_RPC_CASE_H_

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/channel_argument.h"
#include "bench/measurement.h"
#include "bench/workload.h"

namespace quantd::bench {

// How tensors travel.
enum class Transfer {
  // By FakeQuantize, one per call.
  kUnary,
  // By StreamFakeQuantize, all in one call.
  kStream,
  // As quantd's client library chooses.
  kClientLibrary,
};

// What gRPC is given and gives back.
enum class MessageKind {
  // Bytes that were built once and are not parsed.
  kRaw,
  // Generated classes, serialized and parsed for every call.
  kGenerated,
};

struct RpcCase {
  // HOST:PORT or unix:PATH.
  std::string server_address;
  // The process whose CPU time is the server's.
  std::optional<pid_t> server_process;
  Answer answer = Answer::kFakeQuantized;
  Transfer transfer = Transfer::kUnary;
  MessageKind message_kind = MessageKind::kRaw;
  std::size_t tensor_bytes = 4096;
  // With in_flight, how many tensors are always on their way: 1 with the client
  // library.
  MeasurementLimits limits;
  // Settings of the channel; the client library has its own.
  std::vector<ChannelArgument> channel_arguments;
};

// Reads a case, written as the flags that `rpc_benchmark --help` lists.
//
// Errors: kInvalidArgument, with what was wrong; kOutOfRange for a request for
// help, with the help.
absl::StatusOr<RpcCase> ParseFlags(const std::vector<std::string>& flags);

// Reads a case, written as one JSON object with the flags' names as keys and
// numbers, strings or lists of them as values.
//
// Errors: kInvalidArgument, with what was wrong.
absl::StatusOr<RpcCase> ParseJson(const std::string& text);

// The result as one JSON object on one line.
std::string FormatJson(const RpcCase& rpc_case, const MeasurementResult& result);

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_RPC_CASE_H_
