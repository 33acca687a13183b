// Errors that clients can act on: an absl::Status whose payload names a reason,
// the field at fault and the numbers behind it. The server turns it into gRPC
// details, the client turns those back, and both sides read it here.

#ifndef QUANTD_CORE_BASE_ERROR_H_
#define QUANTD_CORE_BASE_ERROR_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace quantd::core {

// Every reason that a client may see, in google.rpc.ErrorInfo's spelling. The
// first group is what core checks; the second, what the server checks before.
namespace reason {
inline constexpr std::string_view kInvalidNumBits = "INVALID_NUM_BITS";
inline constexpr std::string_view kRangeSizeMismatch = "RANGE_SIZE_MISMATCH";
inline constexpr std::string_view kInvalidRange = "INVALID_RANGE";
inline constexpr std::string_view kAxisOutOfRange = "AXIS_OUT_OF_RANGE";
inline constexpr std::string_view kTensorSizeMismatch = "TENSOR_SIZE_MISMATCH";
inline constexpr std::string_view kShapeMismatch = "SHAPE_MISMATCH";

inline constexpr std::string_view kMalformedMessage = "MALFORMED_MESSAGE";
inline constexpr std::string_view kUnsupportedDataType = "UNSUPPORTED_DATA_TYPE";
inline constexpr std::string_view kUnsupportedNumerics = "UNSUPPORTED_NUMERICS";
inline constexpr std::string_view kSharedMemoryUnavailable = "SHARED_MEMORY_UNAVAILABLE";
inline constexpr std::string_view kMessageTooLarge = "MESSAGE_TOO_LARGE";
inline constexpr std::string_view kInFlightLimit = "IN_FLIGHT_LIMIT";
inline constexpr std::string_view kShuttingDown = "SHUTTING_DOWN";
}  // namespace reason

// What a machine, or a form that highlights a field, needs to know of an error.
struct ErrorDetail {
  // The cause, in UPPER_SNAKE_CASE; never empty.
  std::string reason;
  // The path of the argument at fault, such as "range.min[3]"; empty where no
  // single one is.
  std::string field;
  // The numbers behind the error: what was given, what was expected.
  std::map<std::string, std::string> metadata;
};

// A status that carries `detail`. `message` says what was wrong, what was
// expected and how to mend it. `code` must not be kOk.
absl::Status MakeError(absl::StatusCode code, std::string_view message, const ErrorDetail& detail);

// MakeError with the code kInvalidArgument.
absl::Status InvalidArgument(std::string_view message, const ErrorDetail& detail);

// The detail that `status` carries, or nothing where it carries none.
std::optional<ErrorDetail> GetErrorDetail(const absl::Status& status);

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_ERROR_H_
