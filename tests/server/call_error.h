// What a client learns from a call that failed.

#ifndef QUANTD_TESTS_SERVER_CALL_ERROR_H_
#define QUANTD_TESTS_SERVER_CALL_ERROR_H_

#include <grpcpp/support/status.h>

#include <map>
#include <string>
#include <vector>

namespace quantd::server {

struct CallError {
  grpc::StatusCode code = grpc::StatusCode::OK;
  // Of google.rpc.Status: the same as the call's own where all is well.
  int details_code = 0;
  // Of google.rpc.ErrorInfo.
  std::string domain;
  std::string reason;
  std::map<std::string, std::string> metadata;
  // Of google.rpc.BadRequest.
  std::vector<std::string> fields;
  // Whether there is a google.rpc.RetryInfo with a delay.
  bool has_retry_delay = false;
};

CallError ErrorOf(const grpc::Status& status);

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_CALL_ERROR_H_
