// A gRPC service whose methods take and return bytes.

#ifndef QUANTD_WIRE_RAW_SERVICE_H_
#define QUANTD_WIRE_RAW_SERVICE_H_

#include <grpcpp/impl/service_type.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>

#include "wire/methods.h"

namespace quantd::wire {

// Registers methods as gRPC's generated WithRawCallbackMethod_… classes do, but
// from a list instead of a class for each. A method that is not added is answered
// with UNIMPLEMENTED. Handlers run on gRPC's threads, several at a time.
class RawService : public grpc::Service {
 public:
  using StreamReactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

  using UnaryHandler = std::function<grpc::ServerUnaryReactor*(grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer* request,
                                                               grpc::ByteBuffer* response)>;
  using StreamHandler = std::function<StreamReactor*(grpc::CallbackServerContext* context)>;

 protected:
  // Adds a method, which must outlive the service, of the transfer that the
  // handler is for. To be called before the service is registered.
  void AddMethod(const Method& method, UnaryHandler handler);
  void AddMethod(const Method& method, StreamHandler handler);

 private:
  void AddMethod(const Method& method, grpc::internal::RpcMethod::RpcType type,
                 std::unique_ptr<grpc::internal::MethodHandler> handler);
};

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_RAW_SERVICE_H_
