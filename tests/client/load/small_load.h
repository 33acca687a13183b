// Loads of small requests on a fake server, and when that answers.

#ifndef QUANTD_TESTS_CLIENT_LOAD_SMALL_LOAD_H_
#define QUANTD_TESTS_CLIENT_LOAD_SMALL_LOAD_H_

#include <chrono>
#include <cstddef>
#include <future>
#include <optional>
#include <stop_token>

#include "client/load/load_run.h"
#include "tests/client/load/fake_server.h"
#include "tests/client/load/small_requests.h"

namespace quantd::client {

inline FakeServer::Fate AtOnce(std::size_t /*number*/) { return {}; }
inline FakeServer::Fate WhenReleased(std::size_t /*number*/) {
  return {.service_time = std::nullopt};
}

inline FakeServer::Decide After(std::chrono::nanoseconds service_time) {
  return [service_time](std::size_t /*number*/) {
    return FakeServer::Fate{.service_time = service_time};
  };
}

inline const Request& SmallRequest() {
  static const Request request = MakeRequest(SmallContent(kFakeQuantize));
  return request;
}

inline const Workload& SmallWorkload() {
  static const Workload workload(MethodOf(kFakeQuantize, wire::Transfer::kUnary),
                                 {{.request = SmallRequest()}});
  return workload;
}

inline LoadResult RunLoad(FakeServer& server, const LoadPlan& plan,
                          const std::stop_token& stop = {},
                          std::chrono::milliseconds timeout = std::chrono::hours(1),
                          const LoadTester::Watcher& watcher = {}) {
  return LoadRun(plan, SmallWorkload()).Run(server.make_calls(), timeout, stop, watcher);
}

// Runs a load on its own thread.
class RunningLoad {
 public:
  RunningLoad(FakeServer& server, const LoadPlan& plan)
      : result_(std::async(std::launch::async, [&server, plan, stop = stop_.get_token()] {
          return RunLoad(server, plan, stop);
        })) {}
  // Ends the load, so that a failed test does not wait for calls forever.
  ~RunningLoad() { Stop(); }
  RunningLoad(const RunningLoad&) = delete;
  RunningLoad& operator=(const RunningLoad&) = delete;

  void Stop() { stop_.request_stop(); }
  LoadResult AwaitResult() { return result_.get(); }

 private:
  std::stop_source stop_;
  std::future<LoadResult> result_;
};

}  // namespace quantd::client

#endif  // QUANTD_TESTS_CLIENT_LOAD_SMALL_LOAD_H_
