// What a load's result must not be.

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
//   saturated                                an open loop whose rate was not kept
//
// with <, <=, > or >=.
class Condition {
 public:
  // Errors: kInvalidArgument, saying what was expected.
  static absl::StatusOr<Condition> Parse(std::string_view text);

  // As it was given.
  const std::string& text() const { return text_; }

  bool HoldsFor(const LoadResult& result) const;

  // The condition, and the figure of `result`: "p99>10ms (p99 is 12.3 ms)".
  std::string Explain(const LoadResult& result) const;

 private:
  // A figure as a number, in seconds where it is a time, and as text.
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
