#include "tests/server/call_error.h"

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace quantd::server {

CallError ErrorOf(const grpc::Status& status) {
  CallError error;
  error.code = status.error_code();
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) {
    return error;
  }
  error.details_code = details.code();
  for (const google::protobuf::Any& detail : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad_request;
    google::rpc::RetryInfo retry;
    if (detail.UnpackTo(&info)) {
      error.domain = info.domain();
      error.reason = info.reason();
      error.metadata = {info.metadata().begin(), info.metadata().end()};
    } else if (detail.UnpackTo(&bad_request)) {
      for (const auto& violation : bad_request.field_violations()) {
        error.fields.push_back(violation.field());
      }
    } else if (detail.UnpackTo(&retry)) {
      error.has_retry_delay = retry.retry_delay().seconds() > 0 || retry.retry_delay().nanos() > 0;
    }
  }
  return error;
}

}  // namespace quantd::server
