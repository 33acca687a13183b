#include "wire/raw_service.h"

#if __has_include(<grpcpp/impl/server_callback_handlers.h>)
#include <grpcpp/impl/server_callback_handlers.h>
#else
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#endif

#include <cassert>
#include <memory>
#include <utility>

namespace quantd::wire {

void RawService::AddMethod(const Method& method, UnaryHandler handler) {
  assert(method.transfer == Transfer::kUnary);
  using Handler = grpc::internal::CallbackUnaryHandler<grpc::ByteBuffer, grpc::ByteBuffer>;
  AddMethod(method, grpc::internal::RpcMethod::NORMAL_RPC,
            std::make_unique<Handler>(std::move(handler)));
}

void RawService::AddMethod(const Method& method, StreamHandler handler) {
  assert(method.transfer == Transfer::kStream);
  using Handler = grpc::internal::CallbackBidiHandler<grpc::ByteBuffer, grpc::ByteBuffer>;
  AddMethod(method, grpc::internal::RpcMethod::BIDI_STREAMING,
            std::make_unique<Handler>(std::move(handler)));
}

void RawService::AddMethod(const Method& method, grpc::internal::RpcMethod::RpcType type,
                           std::unique_ptr<grpc::internal::MethodHandler> handler) {
  auto description = std::make_unique<grpc::internal::RpcServiceMethod>(method.path.data(), type,
                                                                        /*handler=*/nullptr);
  description->SetHandler(handler.release());
  description->SetServerApiType(grpc::internal::RpcServiceMethod::ApiType::RAW_CALL_BACK);
  grpc::Service::AddMethod(description.release());
}

}  // namespace quantd::wire
