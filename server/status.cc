#include "server/status.h"

#include <chrono>
#include <string>

#include "core/base/error.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace quantd::server {
namespace {

constexpr std::string_view kDomain = "quantd";

// The message and the details are sent in headers, which gRPC's clients limit to 8
// KiB in total. The headers contain the message three times. Percent-encoding can
// make one of the copies three times as long; the others are part of the details,
// which base64 makes a third longer.
constexpr std::size_t kMaxMessageBytes = 1024;

// Refused calls must not be repeated at once, or refusing them would become a load
// of its own. On the other hand, a client that waits longer than a call takes leaves
// room unused that other calls have freed in the meantime.
constexpr std::chrono::milliseconds kRetryDelay{100};

// Cuts `text` to kMaxMessageBytes without splitting a UTF-8 sequence.
std::string Bounded(absl::string_view text) {
  if (text.size() <= kMaxMessageBytes) {
    return std::string(text);
  }
  std::size_t size = kMaxMessageBytes;
  const auto is_continuation = [&](std::size_t i) {
    return (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U;
  };
  while (size > 0 && is_continuation(size)) {
    --size;
  }
  return std::string(text.substr(0, size));
}

void AddErrorInfo(const core::ErrorDetail& detail, google::rpc::Status& details) {
  google::rpc::ErrorInfo info;
  info.set_reason(detail.reason);
  info.set_domain(std::string(kDomain));
  info.mutable_metadata()->insert(detail.metadata.begin(), detail.metadata.end());
  details.add_details()->PackFrom(info);
}

void AddBadRequest(const core::ErrorDetail& detail, google::rpc::Status& details) {
  google::rpc::BadRequest bad_request;
  google::rpc::BadRequest::FieldViolation& violation = *bad_request.add_field_violations();
  violation.set_field(detail.field);
  violation.set_description(details.message());
  details.add_details()->PackFrom(bad_request);
}

void AddRetryInfo(google::rpc::Status& details) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_nanos(
      static_cast<std::int32_t>(std::chrono::nanoseconds(kRetryDelay).count()));
  details.add_details()->PackFrom(retry);
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
    if (detail->reason == core::reason::kInFlightLimit) {
      AddRetryInfo(details);
    }
  }
  return {static_cast<grpc::StatusCode>(status.code()), details.message(),
          details.SerializeAsString()};
}

}  // namespace quantd::server
