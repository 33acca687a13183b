#include "server/calls/access_interceptor.h"

#include <grpc/grpc.h>
#include <grpcpp/server_context.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "server/access/access_policy.h"
#include "server/access/call_credentials.h"

namespace quantd::server {
namespace {

// What the paths of all versions of server reflection begin with.
constexpr std::string_view kReflectionPrefix = "/grpc.reflection.";

}  // namespace

// Lives as long as the call.
class AccessInterceptorFactory::Interceptor final : public grpc::experimental::Interceptor {
 public:
  Interceptor(const AccessInterceptorFactory& factory, grpc::experimental::ServerRpcInfo* info)
      : factory_(factory), info_(info) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      Check();
    }
    methods->Proceed();
  }

 private:
  void Check() const {
    grpc::ServerContextBase& context = *info_->server_context();
    const absl::Status status =
        factory_.guard_.Admit(CredentialsOf(context), kReflectionName, context.peer());
    if (status.ok()) {
      return;
    }
    // The handler finds the call cancelled. gRPC sends no details with this.
    grpc_call_cancel_with_status(context.c_call(), static_cast<grpc_status_code>(status.raw_code()),
                                 std::string(status.message()).c_str(), nullptr);
  }

  const AccessInterceptorFactory& factory_;
  grpc::experimental::ServerRpcInfo* const info_;
};

grpc::experimental::Interceptor* AccessInterceptorFactory::CreateServerInterceptor(
    grpc::experimental::ServerRpcInfo* info) {
  const bool is_reflection = std::string_view(info->method()).starts_with(kReflectionPrefix);
  // gRPC takes it over.
  return is_reflection ? std::make_unique<Interceptor>(*this, info).release() : nullptr;
}

}  // namespace quantd::server
