// Repeated calls, with a fixed number outstanding.

#ifndef QUANTD_BENCH_LOAD_H_
#define QUANTD_BENCH_LOAD_H_

#include "absl/status/statusor.h"
#include "bench/measurement.h"
#include "bench/rpc_case.h"

namespace quantd::bench {

// Measures a case over a separate connection. When this returns, all calls have ended.
// The contents of the first answer and the sizes of all others are checked.
//
// Errors: the error of the first call that failed, with the server's message; kDataLoss
// for a wrong answer.
absl::StatusOr<MeasurementResult> Measure(const RpcCase& rpc_case);

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_LOAD_H_
