// A case of the RPC benchmark.

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

// How tensors are sent.
enum class Transfer {
  // With FakeQuantize, one call per tensor.
  kUnary,
  // With StreamFakeQuantize, all tensors in one call.
  kStream,
  // As quantd's client library decides.
  kClientLibrary,
};

// The type of the messages that are passed to and from gRPC.
enum class MessageKind {
  // Bytes that are made once and not parsed.
  kRaw,
  // Generated classes, which are serialized and parsed for every call.
  kGenerated,
};

struct RpcCase {
  // HOST:PORT or unix:PATH.
  std::string server_address;
  // The certificates to trust, in PEM; empty: no TLS.
  std::string root_certificates;
  // The server's process, to measure its CPU time.
  std::optional<pid_t> server_process;
  Answer answer = Answer::kFakeQuantized;
  Transfer transfer = Transfer::kUnary;
  MessageKind message_kind = MessageKind::kRaw;
  std::size_t tensor_bytes = 4096;
  // limits.in_flight is the number of tensors that are always in flight; it is 1 with
  // the client library.
  MeasurementLimits limits;
  // Settings of the channel. The client library has its own settings.
  std::vector<ChannelArgument> channel_arguments;
};

// Parses a case from the flags that `rpc_benchmark --help` lists.
//
// Errors: kInvalidArgument, with what was wrong; kOutOfRange, with the help text, if the
// flags ask for help.
absl::StatusOr<RpcCase> ParseFlags(const std::vector<std::string>& flags);

// Parses a case from a JSON object with the flags' names as keys and numbers, strings
// or lists of them as values.
//
// Errors: kInvalidArgument, with what was wrong.
absl::StatusOr<RpcCase> ParseJson(const std::string& text);

// Formats the result as a JSON object on one line.
std::string FormatJson(const RpcCase& rpc_case, const MeasurementResult& result);

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_RPC_CASE_H_
