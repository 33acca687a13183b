// Repeated calls, with a fixed number outstanding.

#ifndef QUANTD_BENCH_LOAD_H_
#define QUANTD_BENCH_LOAD_H_

#include "absl/status/statusor.h"
#include "bench/measurement.h"
#include "bench/rpc_case.h"

namespace quantd::bench {

// Measures a case over a connection of its own. All calls have been answered
// when it returns. The first answer is compared with what is expected, all
// others in size.
//
// Errors: that of the first call that failed, with the server's message;
// kDataLoss for a wrong answer.
absl::StatusOr<MeasurementResult> Measure(const RpcCase& rpc_case);

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_LOAD_H_
