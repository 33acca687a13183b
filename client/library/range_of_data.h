// The range that the values of a tensor span.

#ifndef QUANTD_CLIENT_LIBRARY_RANGE_OF_DATA_H_
#define QUANTD_CLIENT_LIBRARY_RANGE_OF_DATA_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "client/library/client.h"
#include "client/library/parameters.h"

namespace quantd::client {

// Returns the least and the greatest value of `data`, or of each channel along
// `axis`. Ignores NaN; if there are no other values, both are 0.
//
// Errors: those of core::MakeChannelLayout(); TENSOR_SIZE_MISMATCH if there are
// more or fewer values than the shape says; INVALID_RANGE for an infinite value;
// MESSAGE_TOO_LARGE for a tensor without elements that has more channels
// than a request can hold.
absl::StatusOr<RangeValues> RangeOfData(const TensorView& data, std::optional<std::int32_t> axis);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_RANGE_OF_DATA_H_
