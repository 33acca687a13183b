// gRPC's own log lines.

#ifndef QUANTD_SERVER_TELEMETRY_GRPC_LOG_H_
#define QUANTD_SERVER_TELEMETRY_GRPC_LOG_H_

#include "server/telemetry/log.h"

namespace quantd::server {

// Writes what gRPC logs in this process to a log. Without this, gRPC would write to standard error,
// in a format of its own, and wait for whoever reads it. GRPC_VERBOSITY determines what gRPC logs.
// Lines after the end of this object are dropped. There is at most one at a time.
class GrpcLog {
 public:
  // `log` must outlive this.
  explicit GrpcLog(Log* log);
  ~GrpcLog();

  GrpcLog(const GrpcLog&) = delete;
  GrpcLog& operator=(const GrpcLog&) = delete;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_GRPC_LOG_H_
