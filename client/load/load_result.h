// The plan and the result of a load.

#ifndef QUANTD_CLIENT_LOAD_LOAD_RESULT_H_
#define QUANTD_CLIENT_LOAD_LOAD_RESULT_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "client/load/arrivals.h"
#include "client/load/latency_histogram.h"
#include "client/load/outages.h"
#include "client/load/timeline.h"

namespace quantd::client {

// Describes when calls are made, and how many.
struct LoadPlan {
  // In an open loop, calls are due at this rate (per second, above 0), regardless of
  // earlier calls. nullopt means a closed loop: each answer starts the next call.
  std::optional<double> rate;
  ArrivalProcess arrivals = ArrivalProcess::kConstant;
  // The number of calls under way, at least 1: the exact number in a closed loop, the
  // maximum in an open loop. In an open loop, a call that has to wait for a free
  // place is late.
  std::size_t concurrency = 1;
  // At least one of the two is set. The load ends when the first limit is reached.
  std::optional<std::chrono::nanoseconds> duration;
  std::optional<std::uint64_t> calls;
  // The share (0..1) of answers to compare with the reference.
  double verified_share = 0;
  // The seed of Poisson arrivals and of the mix of requests.
  std::uint64_t seed = 1;
};

// Answers that differ from the reference are counted under this code.
inline constexpr char kWrongAnswer[] = "WRONG_ANSWER";

struct LoadResult {
  LoadPlan plan;
  // The time from the start to the last answer; to the end of the plan if nobody answered
  // a closed loop by then.
  std::chrono::nanoseconds time{0};
  // The calls that have ended, and how many of them failed or had a wrong answer.
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;
  // The number of calls by status: "OK", "UNAVAILABLE", … and kWrongAnswer.
  std::map<std::string, std::uint64_t> status_codes;
  // The first error message by error code.
  std::map<std::string, std::string> messages;
  // The number of answers that were compared with the reference.
  std::uint64_t verified = 0;
  // The elements of the inputs, and the bytes of tensors sent and received, of calls
  // without an error.
  std::uint64_t elements = 0;
  std::uint64_t tensor_bytes = 0;

  // The time from when a call was due to its answer: how long independent users wait.
  // Counts calls without an error, and two kinds of calls that would have taken even
  // longer: those that timed out, and those that were due but not yet sent when the
  // load ended.
  LatencyHistogram latency;
  // The time from when a call was sent to its answer, of calls without an error. In a
  // closed loop, and if no call is late, it equals the latency.
  LatencyHistogram service_time;
  // The client's own delay in an open loop: the time from when a call was due to when
  // it was sent, of calls that found a free place.
  LatencyHistogram client_delay;
  Timeline timeline;
  // A closed loop makes few calls during an outage: see LoadTester::Run().
  Outages outages;
  // How many calls were made again; each call counts once.
  std::uint64_t retries = 0;

  // Only for an open loop: the calls that were due, those that found no free place
  // when they were due, and those that were never sent. All are 0 in a closed loop.
  std::uint64_t due = 0;
  std::uint64_t late = 0;
  std::uint64_t unsent = 0;
  // How long calls were sent.
  std::chrono::nanoseconds sending_time{0};
  // How long sending them should have taken.
  std::chrono::nanoseconds scheduled_time{0};

  // The CPU time that this process used.
  std::chrono::nanoseconds client_cpu_time{0};
  // Whether the load was interrupted before its end.
  bool is_interrupted = false;

  std::uint64_t ok_calls() const { return calls - errors; }
  double ErrorRate() const;
  // These figures leave out calls with an error.
  double CallsPerSecond() const;
  double ElementsPerSecond() const;
  double GigabytesPerSecond() const;
  double SentPerSecond() const;
  // The share of the machine's processors that the client used.
  double ClientCpuShare() const;
  // Whether an open loop missed its rate by more than 1 %.
  bool IsSaturated() const;

  // Adds the result of a load with the same plan that followed this one.
  void Append(const LoadResult& next);
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_LOAD_RESULT_H_
