#include "server/calls/access_interceptor.h"

#include <grpc/grpc.h>
#include <grpcpp/server_context.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "server/access/access_policy.h"
#include "server/access/call_credentials.h"
#include "server/telemetry/call_log.h"
#include "wire/methods.h"

namespace quantd::server {
namespace {

constexpr std::string_view kHealthService = "grpc.health.v1.Health";

// Whether `path`, "/SERVICE/METHOD", is of `service`.
bool IsOf(std::string_view path, std::string_view service) {
  return path.starts_with('/') && path.substr(1).starts_with(service) &&
         path.substr(1 + service.size()).starts_with('/');
}

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
    Caller caller;
    const absl::Status status =
        factory_.access_control_->Admit(CredentialsOf(context), kReflectionName, caller);
    if (status.ok()) {
      return;
    }
    factory_.metrics_->AccessDenied(status);
    LogCall(*factory_.log_, {.method = info_->method(),
                             .status = status,
                             .peer = context.peer(),
                             .caller = caller.Name(),
                             .request_bytes = 0,
                             .duration = {}});
    // The handler finds the call cancelled. gRPC sends no details with this.
    grpc_call_cancel_with_status(context.c_call(), static_cast<grpc_status_code>(status.raw_code()),
                                 std::string(status.message()).c_str(), nullptr);
  }

  const AccessInterceptorFactory& factory_;
  grpc::experimental::ServerRpcInfo* const info_;
};

grpc::experimental::Interceptor* AccessInterceptorFactory::CreateServerInterceptor(
    grpc::experimental::ServerRpcInfo* info) {
  const bool is_checked_here =
      !IsOf(info->method(), wire::kServiceName) && !IsOf(info->method(), kHealthService);
  // gRPC takes it over.
  return is_checked_here ? std::make_unique<Interceptor>(*this, info).release() : nullptr;
}

}  // namespace quantd::server
