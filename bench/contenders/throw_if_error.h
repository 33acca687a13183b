// Turns errors of core into exceptions, which the runner reports to whoever asked.

#ifndef QUANTD_BENCH_CONTENDERS_THROW_IF_ERROR_H_
#define QUANTD_BENCH_CONTENDERS_THROW_IF_ERROR_H_

#include <stdexcept>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantd::bench {

// Throws std::runtime_error with the message of an error.
inline void ThrowIfError(const absl::Status& status) {
  if (!status.ok()) {
    throw std::runtime_error(std::string(status.message()));
  }
}

// Returns the value; throws std::runtime_error if there is none.
template <typename T>
T ValueOrThrow(absl::StatusOr<T> value) {
  ThrowIfError(value.status());
  return *std::move(value);
}

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_CONTENDERS_THROW_IF_ERROR_H_
