// Measures how fast a server of QuantizationService answers: quantd, or one of the servers
// that it is compared with. bench/rpc.py combines the figures.
//
//   rpc_benchmark --server_address localhost:50051 --tensor_bytes 1048576 --in_flight 4
//   rpc_benchmark --cases      (reads cases from stdin, one JSON object per line)
//
// Each case is measured over a separate connection. Requests are made once, in advance, so
// that a call only costs gRPC's work and, with --client message, serializing the request and
// parsing the answer. For each case, one line of JSON is printed; it is {"error": …} if the
// case failed.

#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/load.h"
#include "bench/rpc_case.h"
#include "core/base/status_macros.h"
#include "wire/transport.h"

namespace {

using quantd::bench::RpcCase;

constexpr int kExitSuccess = 0;
constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

absl::StatusOr<std::string> MeasureAsJson(const RpcCase& rpc_case) {
  ASSIGN_OR_RETURN(const quantd::bench::MeasurementResult result, quantd::bench::Measure(rpc_case));
  return FormatJson(rpc_case, result);
}

// Measures the case on `line` and returns the line to print.
std::string Answer(const std::string& line) {
  const absl::StatusOr<RpcCase> rpc_case = quantd::bench::ParseJson(line);
  const auto json =
      rpc_case.ok() ? MeasureAsJson(*rpc_case) : absl::StatusOr<std::string>(rpc_case.status());
  return json.ok() ? *json : nlohmann::json{{"error", json.status().ToString()}}.dump();
}

int AnswerCases() {
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << Answer(line) << std::endl;
  }
  return kExitSuccess;
}

}  // namespace

int main(int argc, char** argv) {
  quantd::wire::DisableLockChecks();
  const std::vector<std::string> flags(argv + 1, argv + argc);
  if (flags == std::vector<std::string>{"--cases"}) {
    return AnswerCases();
  }
  const absl::StatusOr<RpcCase> rpc_case = quantd::bench::ParseFlags(flags);
  if (absl::IsOutOfRange(rpc_case.status())) {
    std::cout << rpc_case.status().message();
    return kExitSuccess;
  }
  if (!rpc_case.ok()) {
    std::cerr << "rpc_benchmark: " << rpc_case.status().message() << "\n";
    return kExitUsage;
  }
  const absl::StatusOr<std::string> json = MeasureAsJson(*rpc_case);
  if (!json.ok()) {
    std::cerr << "rpc_benchmark: " << json.status() << "\n";
    return kExitFailure;
  }
  std::cout << *json << "\n";
  return kExitSuccess;
}
