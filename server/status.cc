#include "server/status.h"

#include <chrono>
#include <string>

#include "core/base/error.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace quantd::server {
namespace {

constexpr std::string_view kDomain = "quantd";

// Message and details travel in headers, of which gRPC's clients take 8 KiB in
// all: the message three times as it stands, or one of those three times as
// long where it is percent-encoded, and the details by a third longer in
// base64.
constexpr std::size_t kMaxMessageBytes = 1024;

// Refused calls must not come back at once, or the refusing itself would become
// the load; and a client that waits longer than a call takes wastes the room
// that the calls of others have left meanwhile.
constexpr std::chrono::milliseconds kRetryDelay{100};

// `text`, cut before a UTF-8 sequence that would not fit.
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

// Adds `detail`, or nothing where it cannot be packed: the client then still has the code and the
// message.
void AddDetail(const google::protobuf::Message& detail, google::rpc::Status& details) {
  if (!details.add_details()->PackFrom(detail)) {
    details.mutable_details()->RemoveLast();
  }
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

void AddRetryInfo(google::rpc::Status& details) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_nanos(
      static_cast<std::int32_t>(std::chrono::nanoseconds(kRetryDelay).count()));
  AddDetail(retry, details);
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
