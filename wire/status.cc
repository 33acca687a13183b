#include "wire/status.h"

#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/string_view.h"
#include "core/base/error.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace quantd::wire {
namespace {

constexpr std::string_view kDomain = "quantd";

// The message and the details are sent in headers, which gRPC's clients limit to 8
// KiB in total. The headers contain the message three times. Percent-encoding can
// make one of the copies three times as long; the others are part of the details,
// which base64 makes a third longer.
constexpr std::size_t kMaxTextBytes = 1024;

// Refused calls must not be repeated at once, or refusing them would become a load
// of its own. On the other hand, a client that waits longer than a call takes leaves
// room unused that other calls have freed in the meantime.
constexpr std::chrono::milliseconds kRetryDelay{100};

// Cuts `text` to kMaxTextBytes without splitting a UTF-8 sequence.
std::string Bounded(absl::string_view text) {
  if (text.size() <= kMaxTextBytes) {
    return std::string(text);
  }
  std::size_t size = kMaxTextBytes;
  const auto is_continuation = [&](std::size_t i) {
    return (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U;
  };
  while (size > 0 && is_continuation(size)) {
    --size;
  }
  return std::string(text.substr(0, size));
}

void AddDetail(const google::protobuf::Message& detail, google::rpc::Status& details) {
  [[maybe_unused]] const bool packed = details.add_details()->PackFrom(detail);
  assert(packed);
}

void AddErrorInfo(const core::ErrorDetail& detail, google::rpc::Status& details) {
  google::rpc::ErrorInfo info;
  info.set_reason(detail.reason);
  info.set_domain(std::string(kDomain));
  info.mutable_metadata()->insert(detail.metadata.begin(), detail.metadata.end());
  AddDetail(info, details);
}

void AddBadRequest(const core::ErrorDetail& detail, google::rpc::Status& details) {
  google::rpc::BadRequest bad_request;
  google::rpc::BadRequest::FieldViolation& violation = *bad_request.add_field_violations();
  violation.set_field(detail.field);
  violation.set_description(details.message());
  AddDetail(bad_request, details);
}

void AddRetryInfo(std::chrono::milliseconds delay, google::rpc::Status& details) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_nanos(
      static_cast<std::int32_t>(std::chrono::nanoseconds(delay).count()));
  AddDetail(retry, details);
}

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
    if (any.UnpackTo(&info) && info.domain() == kDomain) {
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

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) {
    return grpc::Status::OK;
  }
  google::rpc::Status details;
  details.set_code(static_cast<std::int32_t>(status.code()));
  details.set_message(Bounded(status.message()));
  if (const auto detail = core::GetErrorDetail(status); detail.has_value()) {
    AddErrorInfo(*detail, details);
    if (!detail->field.empty()) {
      AddBadRequest(*detail, details);
    }
    if (const auto delay = RetryDelay(status); delay.has_value()) {
      AddRetryInfo(*delay, details);
    }
  }
  return {static_cast<grpc::StatusCode>(status.code()), details.message(),
          details.SerializeAsString()};
}

std::optional<std::chrono::milliseconds> RetryDelay(const absl::Status& status) {
  const auto detail = core::GetErrorDetail(status);
  return detail.has_value() && detail->Is(core::ErrorReason::kInFlightLimit)
             ? std::optional(kRetryDelay)
             : std::nullopt;
}

std::optional<std::chrono::milliseconds> RetryDelay(const grpc::Status& status) {
  google::rpc::Status details;
  if (status.error_details().empty() || !details.ParseFromString(status.error_details())) {
    return std::nullopt;
  }
  for (const google::protobuf::Any& any : details.details()) {
    google::rpc::RetryInfo retry;
    if (any.UnpackTo(&retry)) {
      return std::chrono::duration_cast<std::chrono::milliseconds>(
          std::chrono::seconds(retry.retry_delay().seconds()) +
          std::chrono::nanoseconds(retry.retry_delay().nanos()));
    }
  }
  return std::nullopt;
}

absl::Status ToAbslStatus(const grpc::Status& status) {
  if (status.ok()) {
    return absl::OkStatus();
  }
  const absl::StatusCode code = ToAbslCode(status.error_code());
  const std::optional<core::ErrorDetail> detail = ParseErrorDetail(status.error_details());
  return detail.has_value() ? core::MakeError(code, status.error_message(), *detail)
                            : absl::Status(code, status.error_message());
}

}  // namespace quantd::wire
