// Puts a load on a server, and measures how the server copes.
//
// Sources: Gil Tene, "How NOT to Measure Latency", for latencies that count from
// when a call was due; Schroeder, Wierman, Harchol-Balter, "Open Versus Closed: A
// Cautionary Tale", NSDI 2006, for the two kinds of load.

#ifndef QUANTD_CLIENT_LOAD_LOAD_TESTER_H_
#define QUANTD_CLIENT_LOAD_LOAD_TESTER_H_

#include <grpcpp/channel.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/library/connection_security.h"
#include "client/library/tries.h"
#include "client/load/load_result.h"
#include "client/load/workload.h"

namespace quantd::client {

struct LoadTesterOptions {
  // As in ClientOptions; connection c is to the address c modulo their number.
  std::string address;
  ConnectionSecurity security = {};
  // How calls that fail are made again; by default not at all.
  RetryOptions retry = {.max_outage = std::chrono::milliseconds(0)};
  // How long a connection may take to come about, or a call to be answered; of a
  // stream's messages, those that were sent last.
  std::chrono::milliseconds timeout;
  // Each with an equal share of the calls. At least 1.
  std::size_t connections = 1;
};

// A load that runs, seen from outside.
struct LoadProgress {
  std::chrono::nanoseconds elapsed{0};
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;
  // So far, and since the last time.
  double calls_per_second = 0;
  std::chrono::nanoseconds p99{0};
};

class LoadTester {
 public:
  // Told a few times a second, by the thread that runs the load.
  using Watcher = std::function<void(const LoadProgress&)>;

  // Opens the connections, so that no call has to wait for one.
  //
  // Errors: kInvalidArgument for an address that is none, and those of CheckSecurity();
  // kUnavailable, naming the address, where one does not come about within the timeout.
  static absl::StatusOr<std::unique_ptr<LoadTester>> Connect(const LoadTesterOptions& options,
                                                             Workload workload);

  // Runs a load to its end, or until `stop` asks for it, and returns when all its
  // calls have ended; those that were under way when it was stopped get two more
  // seconds. One load at a time. Calls that fail are part of the result.
  //
  // In a closed loop, a place whose call nobody answered (see IsUnanswered()) rests before
  // its next call, as Backoff says, until one is answered. An open loop keeps its
  // schedule.
  LoadResult Run(const LoadPlan& plan, const std::stop_token& stop, const Watcher& watcher);

 private:
  LoadTester(LoadTesterOptions options, std::size_t server_count, std::string authorization,
             Workload workload, std::vector<std::shared_ptr<grpc::Channel>> channels);

  LoadTesterOptions options_;
  std::size_t server_count_;
  // See CallsOptions.
  std::string authorization_;
  Workload workload_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_LOAD_TESTER_H_
