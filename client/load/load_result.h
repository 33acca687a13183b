// What a load was, and what came of it.

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
#include "client/load/timeline.h"

namespace quantd::client {

// How calls are made.
struct LoadPlan {
  // Open loop: calls are due at this rate (a second, above 0), whatever becomes
  // of those before. Without it a closed loop: each answer starts the next call.
  std::optional<double> rate;
  ArrivalProcess arrivals = ArrivalProcess::kConstant;
  // Calls under way: always in a closed loop, at most in an open one, where a
  // call that has to wait for a free place is late. At least 1.
  std::size_t concurrency = 1;
  // At least one of the two; the load ends with the first that is reached.
  std::optional<std::chrono::nanoseconds> duration;
  std::optional<std::uint64_t> calls;
  // The share (0..1) of the answers that are compared with the reference.
  double verified_share = 0;
  // Of what is random: Poisson's arrivals and the mix of requests.
  std::uint64_t seed = 1;
};

// The code under which answers are counted that differ from the reference.
inline constexpr char kWrongAnswer[] = "WRONG_ANSWER";

struct LoadResult {
  LoadPlan plan;
  // From the begin to the last answer.
  std::chrono::nanoseconds time{0};
  // All that have ended, and of these those that failed or had a wrong answer.
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;
  // Calls by status: "OK", "UNAVAILABLE", … and kWrongAnswer.
  std::map<std::string, std::uint64_t> status_codes;
  // The first message of each error code.
  std::map<std::string, std::string> messages;
  // Answers that were compared with the reference.
  std::uint64_t verified = 0;
  // Of the calls without an error: elements of the inputs, and bytes of tensors
  // there and back.
  std::uint64_t elements = 0;
  std::uint64_t tensor_bytes = 0;

  // From when a call was due to its answer: what a user waits for whose call
  // comes at its own time. Calls without an error, and two kinds that would have
  // taken even longer: those that ran out of time, and those that were due but
  // not sent when the load ended.
  LatencyHistogram latency;
  // From when a call was sent to its answer, of the calls without an error. In a
  // closed loop, and where no call is late, the same.
  LatencyHistogram service_time;
  // Open loop: from when a call was due to when it was sent, where a place was
  // free: the client's own delay.
  LatencyHistogram client_delay;
  Timeline timeline;

  // Open loop, all 0 in a closed one: calls that were due; those that found no
  // free place when they were; those that never found one.
  std::uint64_t due = 0;
  std::uint64_t late = 0;
  std::uint64_t unsent = 0;
  // How long calls were sent for.
  std::chrono::nanoseconds sending_time{0};
  // How long they should have been.
  std::chrono::nanoseconds scheduled_time{0};

  // CPU time of this process.
  std::chrono::nanoseconds client_cpu_time{0};
  // Somebody ended it before its time.
  bool is_interrupted = false;

  std::uint64_t ok_calls() const { return calls - errors; }
  double ErrorRate() const;
  // Without errors.
  double CallsPerSecond() const;
  double ElementsPerSecond() const;
  double GigabytesPerSecond() const;
  double SentPerSecond() const;
  // The client's share of the machine's processors.
  double ClientCpuShare() const;
  // Open loop: the rate was not kept, by more than 1 %.
  bool IsSaturated() const;

  // Adds what came of a load with the same plan that followed this one.
  void Append(const LoadResult& next);
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_LOAD_RESULT_H_
