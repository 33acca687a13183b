// Errors that clients can act on: an absl::Status whose payload names a reason,
// the field at fault and the numbers behind it. The server turns it into gRPC
// details, the client turns those back, and both sides read it here.

#ifndef QUANTD_CORE_BASE_ERROR_H_
#define QUANTD_CORE_BASE_ERROR_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "core/base/error_reason.h"

namespace quantd::core {

// Where an error occurred and the numbers behind it.
struct ErrorContext {
  // The path of the argument at fault, such as "range.min[3]"; empty if no
  // single argument is at fault.
  std::string field = {};
  // What was given and what was expected, for machines to read.
  std::map<std::string, std::string> metadata = {};
};

// What a status from MakeError() carries besides its code and message.
struct ErrorDetail {
  // The name of an ErrorReason; a newer server may send one that is not listed.
  std::string reason = {};
  // See ErrorContext.
  std::string field = {};
  std::map<std::string, std::string> metadata = {};

  bool Is(ErrorReason other) const { return reason == ErrorReasonName(other); }
};

// Returns a status with an ErrorDetail. `message` says what was wrong, what was
// expected and how to fix it. `code` must not be kOk.
absl::Status MakeError(absl::StatusCode code, ErrorReason reason, std::string_view message,
                       ErrorContext context = {});

// The same for a detail that another process made. detail.reason must not be
// empty.
absl::Status MakeError(absl::StatusCode code, std::string_view message, const ErrorDetail& detail);

// MakeError() with the code kInvalidArgument.
absl::Status InvalidArgument(ErrorReason reason, std::string_view message,
                             ErrorContext context = {});

// A tensor, or a list of parameters, that has the wrong number of elements.
struct SizeMismatch {
  // The path of the field, such as "input.data".
  std::string_view field;
  std::size_t size;
  std::size_t expected;
  std::string_view unit = "elements";
  // How to fix it.
  std::string_view advice = "send all elements, or correct the shape";
};

// Returns kInvalidArgument with the reason TENSOR_SIZE_MISMATCH.
absl::Status WrongSize(const SizeMismatch& mismatch);

// Returns OK if `size` is `expected`, and WrongSize() otherwise.
absl::Status CheckSize(std::string_view field, std::size_t size, std::size_t expected);

// Returns the detail of `status`, or nothing if it carries none.
std::optional<ErrorDetail> GetErrorDetail(const absl::Status& status);

// Returns `status`, which must not be OK, as an error of the part of a request
// that is named `name`: prefixes its message with "NAME: " and its field with
// "NAME.".
absl::Status AtField(std::string_view name, const absl::Status& status);

// Returns `status`, which must not be OK, as an error of message `index` of a
// stream, counted from 0: prefixes its message with "message INDEX: " and adds
// "message_index" to the metadata.
absl::Status AtMessage(std::uint64_t index, const absl::Status& status);

// Returns the status that AtMessage() made an error of a message of, or `status`
// itself if it was not made in that way.
absl::Status WithoutMessageIndex(const absl::Status& status);

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_ERROR_H_
