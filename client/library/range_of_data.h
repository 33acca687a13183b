// The range that the values of a tensor span.

#ifndef QUANTD_CLIENT_LIBRARY_RANGE_OF_DATA_H_
#define QUANTD_CLIENT_LIBRARY_RANGE_OF_DATA_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "client/library/client.h"
#include "client/library/parameters.h"
#include "core/quantization.h"

namespace quantd::client {

// Returns the least and the greatest value of `data`, or of each channel along
// `axis`. Ignores NaN; if there are no other values, both are 0.
//
// Errors: those of core::MakeChannelLayout(); TENSOR_SIZE_MISMATCH if there are
// more or fewer values than the shape says; INVALID_RANGE for an infinite value;
// MESSAGE_TOO_LARGE for a tensor without elements that has more channels
// than a request can hold.
absl::StatusOr<RangeValues> RangeOfData(const TensorView& data, std::optional<std::int32_t> axis);

// Whether a range has too little room for a scale that all numerics can compute with,
// whatever the number of bits: its values lie within 1.6e-33 of each other.
bool IsTooNarrow(float min, float max);

// A range to which the data that it comes from can be quantized.
struct QuantizableRange {
  RangeValues range;
  // The channels whose values are all too close to 0 for a scale; ascending. Their range
  // is 0 to 1, so that they become zeros.
  std::vector<std::size_t> channels_of_zeros;
};

// Returns a range for data whose least and greatest values are `data`. It includes 0,
// because a range without it would be moved until it does, and most of the data would be
// clipped. Ends so close to 0 that frameworks take them for 0 become 0. If all values of
// a channel are the same, this value is one that codes represent exactly; with some
// numerics, that is not always possible, and one of the nearest floats is. If `spec` has
// no num_bits, it has the default ones.
QuantizableRange MakeQuantizable(const RangeValues& data, const core::QuantizationSpec& spec);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_RANGE_OF_DATA_H_
