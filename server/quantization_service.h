// The gRPC side of QuantizationService.

#ifndef QUANTD_SERVER_QUANTIZATION_SERVICE_H_
#define QUANTD_SERVER_QUANTIZATION_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "quantd/v1/quantization_service.grpc.pb.h"
#include "server/calls/served_call.h"
#include "server/operations/handlers.h"

namespace quantd::server {

// Every method takes and returns bytes, not messages: so that size and load are
// checked before anything is parsed, elements are never copied between messages
// and kernels, and bytes that are no message get an answer of ours.
using RawQuantizationService = v1::QuantizationService::WithRawCallbackMethod_FakeQuantize<
    v1::QuantizationService::WithRawCallbackMethod_FakeQuantizeGradient<
        v1::QuantizationService::WithRawCallbackMethod_StreamFakeQuantize<
            v1::QuantizationService::WithRawCallbackMethod_StreamFakeQuantizeGradient<
                v1::QuantizationService::WithRawCallbackMethod_GetServerInfo<
                    v1::QuantizationService::Service>>>>>;

// Answers calls with the handlers. Outlives the gRPC server it is registered
// with, and is outlived by what `environment` refers to.
class QuantizationService final : public RawQuantizationService {
 public:
  using StreamReactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

  QuantizationService(const CallEnvironment& environment, const ServerLimits& limits)
      : environment_(environment), limits_(limits) {}

  grpc::ServerUnaryReactor* FakeQuantize(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* FakeQuantizeGradient(grpc::CallbackServerContext* context,
                                                 const grpc::ByteBuffer* request,
                                                 grpc::ByteBuffer* response) override;
  StreamReactor* StreamFakeQuantize(grpc::CallbackServerContext* context) override;
  StreamReactor* StreamFakeQuantizeGradient(grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;

 private:
  HandlerContext handler_context() const { return {environment_.pool, environment_.metrics}; }

  const CallEnvironment environment_;
  const ServerLimits limits_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_QUANTIZATION_SERVICE_H_
