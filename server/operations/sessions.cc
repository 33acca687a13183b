#include "server/operations/sessions.h"

#include "server/operations/dequantize.h"
#include "server/operations/fake_quantize.h"
#include "server/operations/fake_quantize_gradient.h"
#include "server/operations/quantize.h"
#include "server/operations/server_info.h"
#include "wire/operations.h"

namespace quantd::server {

std::unique_ptr<Session> MakeSession(const wire::Method& method, const OperationContext& context,
                                     const ServerLimits& limits) {
  if (method.operation == wire::kOperationCount) {
    return std::make_unique<ServerInfoSession>(limits);
  }
  return wire::VisitOperation(
      method.operation, [&]<typename Operation>() -> std::unique_ptr<Session> {
        return std::make_unique<OperationSession<Operation>>(context, method.transfer);
      });
}

}  // namespace quantd::server
