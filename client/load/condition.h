// Conditions under which the result of a load is not good enough.

#ifndef QUANTD_CLIENT_LOAD_CONDITION_H_
#define QUANTD_CLIENT_LOAD_CONDITION_H_

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "client/load/load_result.h"

namespace quantd::client {

// A comparison of a figure of a result with a limit:
//
//   p99>10ms  p99.9>=1s  max>2s  mean>1ms    latencies
//   service.p99>10ms                         service times
//   errors>0  error_rate>0.1%                calls that failed, or their share
//   calls_per_second<1000  gigabytes_per_second<1  sent_rate<1000
//   saturated                                an open loop that missed its rate
//
// with <, <=, > or >=. Latencies and service times are those of all calls, and a call that
// failed counts as one that is never answered: p99 is infinite if more than 1 % failed,
// max and mean if any did.
class Condition {
 public:
  // Parses a condition.
  //
  // Errors: kInvalidArgument, with what was expected.
  static absl::StatusOr<Condition> Parse(std::string_view text);

  // The text that was parsed.
  const std::string& text() const { return text_; }

  bool HoldsFor(const LoadResult& result) const;

  // Returns the condition with the figure of `result`: "p99>10ms (p99 is 12.3 ms)", and why
  // a figure is infinite.
  std::string Explain(const LoadResult& result) const;

 private:
  // How to compute, format and parse a figure. Times are in seconds.
  struct Figure {
    std::function<double(const LoadResult&)> of;
    std::function<std::string(double)> format;
    std::function<bool(std::string_view, double*)> parse_limit;
  };

  Condition() = default;
  static bool FindFigure(std::string_view name, Figure* figure);

  std::string text_;
  std::string name_;
  Figure figure_;
  std::function<bool(double, double)> compare_;
  double limit_ = 0;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_CONDITION_H_
