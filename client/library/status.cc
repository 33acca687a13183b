#include "client/library/status.h"

#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/string_view.h"
#include "core/base/error.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace quantd::client {
namespace {

constexpr std::string_view kErrorDomain = "quantd";

// gRPC's codes and Abseil's have the same numbers; a server may send others.
absl::StatusCode ToAbslCode(grpc::StatusCode code) {
  const int number = static_cast<int>(code);
  return number >= 0 && number <= static_cast<int>(absl::StatusCode::kUnauthenticated)
             ? static_cast<absl::StatusCode>(number)
             : absl::StatusCode::kUnknown;
}

std::optional<core::ErrorDetail> ParseErrorDetail(const std::string& serialized) {
  google::rpc::Status status;
  if (serialized.empty() || !status.ParseFromString(serialized)) {
    return std::nullopt;
  }
  core::ErrorDetail detail;
  for (const google::protobuf::Any& any : status.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad_request;
    if (any.UnpackTo(&info) && info.domain() == kErrorDomain) {
      detail.reason = info.reason();
      detail.metadata.insert(info.metadata().begin(), info.metadata().end());
    } else if (any.UnpackTo(&bad_request) && bad_request.field_violations_size() > 0) {
      detail.field = bad_request.field_violations(0).field();
    }
  }
  if (detail.reason.empty()) {
    return std::nullopt;
  }
  return detail;
}

}  // namespace

absl::Status ToAbslStatus(const grpc::Status& status) {
  if (status.ok()) {
    return absl::OkStatus();
  }
  const absl::StatusCode code = ToAbslCode(status.error_code());
  const std::optional<core::ErrorDetail> detail = ParseErrorDetail(status.error_details());
  return detail.has_value() ? core::MakeError(code, status.error_message(), *detail)
                            : absl::Status(code, status.error_message());
}

}  // namespace quantd::client
