// Collects the error details that a client receives from a failed call.

#ifndef QUANTD_TESTS_SERVER_CALL_ERROR_H_
#define QUANTD_TESTS_SERVER_CALL_ERROR_H_

#include <grpcpp/support/status.h>

#include <map>
#include <string>
#include <vector>

namespace quantd::server {

struct CallError {
  grpc::StatusCode code = grpc::StatusCode::OK;
  // The code in google.rpc.Status, which should equal `code`.
  int details_code = 0;
  // From google.rpc.ErrorInfo.
  std::string domain;
  std::string reason;
  std::map<std::string, std::string> metadata;
  // From google.rpc.BadRequest.
  std::vector<std::string> fields;
  // Whether there is a google.rpc.RetryInfo with a delay.
  bool has_retry_delay = false;
};

CallError ErrorOf(const grpc::Status& status);

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_CALL_ERROR_H_
