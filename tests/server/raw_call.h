// Calls methods that have no generated stub, or sends bytes that are not a valid message.

#ifndef QUANTD_TESTS_SERVER_RAW_CALL_H_
#define QUANTD_TESTS_SERVER_RAW_CALL_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>

namespace quantd::server {

// Calls the unary `method` ("/package.Service/Method") with `request`.
grpc::Status RawUnaryCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                          const std::string& request);

struct RawAnswer {
  grpc::Status status;
  // Empty if the call ended without a response.
  std::string message;
};

// Opens the streaming `method`, sends `request`, reads one answer and ends it.
RawAnswer RawStreamCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                        const std::string& request);

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_RAW_CALL_H_
