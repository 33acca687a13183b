// Why a call fails, in the words that clients, metrics and logs share.

#ifndef QUANTD_CORE_BASE_ERROR_REASON_H_
#define QUANTD_CORE_BASE_ERROR_REASON_H_

#include <array>
#include <cstddef>
#include <string_view>

namespace quantd::core {

// Every reason that a client may see. The README has a row for each.
enum class ErrorReason {
  // Checked by core.
  kInvalidNumBits,
  kRangeSizeMismatch,
  kInvalidRange,
  kAxisOutOfRange,
  kTensorSizeMismatch,
  kShapeMismatch,
  kUnsupportedNumerics,
  kUnsupportedDataType,
  kInvalidQuantRange,
  kParametersSizeMismatch,
  kInvalidScale,
  kInvalidZeroPoint,
  kInvalidBlockSize,
  kParametersMismatch,
  kInvalidValue,
  // Checked before core sees a request.
  kMalformedMessage,
  kSharedMemoryUnavailable,
  kMessageTooLarge,
  kInFlightLimit,
  kShuttingDown,
  kCredentialsMissing,
  kInvalidToken,
  kNotPermitted,
};

struct NamedErrorReason {
  ErrorReason reason;
  // As google.rpc.ErrorInfo spells it.
  std::string_view name;
};

// The reasons in the order of the enum.
inline constexpr std::array kErrorReasons = {
    NamedErrorReason{ErrorReason::kInvalidNumBits, "INVALID_NUM_BITS"},
    NamedErrorReason{ErrorReason::kRangeSizeMismatch, "RANGE_SIZE_MISMATCH"},
    NamedErrorReason{ErrorReason::kInvalidRange, "INVALID_RANGE"},
    NamedErrorReason{ErrorReason::kAxisOutOfRange, "AXIS_OUT_OF_RANGE"},
    NamedErrorReason{ErrorReason::kTensorSizeMismatch, "TENSOR_SIZE_MISMATCH"},
    NamedErrorReason{ErrorReason::kShapeMismatch, "SHAPE_MISMATCH"},
    NamedErrorReason{ErrorReason::kUnsupportedNumerics, "UNSUPPORTED_NUMERICS"},
    NamedErrorReason{ErrorReason::kUnsupportedDataType, "UNSUPPORTED_DATA_TYPE"},
    NamedErrorReason{ErrorReason::kInvalidQuantRange, "INVALID_QUANT_RANGE"},
    NamedErrorReason{ErrorReason::kParametersSizeMismatch, "PARAMETERS_SIZE_MISMATCH"},
    NamedErrorReason{ErrorReason::kInvalidScale, "INVALID_SCALE"},
    NamedErrorReason{ErrorReason::kInvalidZeroPoint, "INVALID_ZERO_POINT"},
    NamedErrorReason{ErrorReason::kInvalidBlockSize, "INVALID_BLOCK_SIZE"},
    NamedErrorReason{ErrorReason::kParametersMismatch, "PARAMETERS_MISMATCH"},
    NamedErrorReason{ErrorReason::kInvalidValue, "INVALID_VALUE"},
    NamedErrorReason{ErrorReason::kMalformedMessage, "MALFORMED_MESSAGE"},
    NamedErrorReason{ErrorReason::kSharedMemoryUnavailable, "SHARED_MEMORY_UNAVAILABLE"},
    NamedErrorReason{ErrorReason::kMessageTooLarge, "MESSAGE_TOO_LARGE"},
    NamedErrorReason{ErrorReason::kInFlightLimit, "IN_FLIGHT_LIMIT"},
    NamedErrorReason{ErrorReason::kShuttingDown, "SHUTTING_DOWN"},
    NamedErrorReason{ErrorReason::kCredentialsMissing, "CREDENTIALS_MISSING"},
    NamedErrorReason{ErrorReason::kInvalidToken, "INVALID_TOKEN"},
    NamedErrorReason{ErrorReason::kNotPermitted, "NOT_PERMITTED"},
};

static_assert(
    [] {
      for (std::size_t i = 0; i < kErrorReasons.size(); ++i) {
        if (static_cast<std::size_t>(kErrorReasons[i].reason) != i) {
          return false;
        }
      }
      return static_cast<std::size_t>(ErrorReason::kNotPermitted) == kErrorReasons.size() - 1;
    }(),
    "kErrorReasons lists every reason once, in the order of the enum");

constexpr std::string_view ErrorReasonName(ErrorReason reason) {
  return kErrorReasons[static_cast<std::size_t>(reason)].name;
}

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_ERROR_REASON_H_
