// The gRPC side of QuantizationService.

#ifndef QUANTD_SERVER_QUANTIZATION_SERVICE_H_
#define QUANTD_SERVER_QUANTIZATION_SERVICE_H_

#include <memory>

#include "server/calls/served_call.h"
#include "server/calls/session.h"
#include "server/settings/server_limits.h"
#include "wire/methods.h"
#include "wire/raw_service.h"

namespace quantd::server {

// Answers the calls of all methods. Each method takes and returns bytes instead of
// messages: size and load are checked before anything is parsed, elements are
// never copied between messages and kernels, and bytes that are not a message get
// an answer of ours.
//
// From its construction on, the metrics show the load of the admission.
//
// Outlives the gRPC server that it is registered with. What `environment` refers
// to outlives it.
class QuantizationService final : public wire::RawService {
 public:
  QuantizationService(const CallEnvironment& environment, const ServerLimits& limits);

 private:
  std::unique_ptr<Session> NewSession(const wire::Method& method) const;

  const CallEnvironment environment_;
  const ServerLimits limits_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_QUANTIZATION_SERVICE_H_
