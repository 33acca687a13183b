// Sessions of operations, without a server.

#ifndef QUANTD_TESTS_SERVER_OPERATIONS_OPERATION_SESSIONS_H_
#define QUANTD_TESTS_SERVER_OPERATIONS_OPERATION_SESSIONS_H_

#include <gtest/gtest.h>

#include "core/worker_pool.h"
#include "server/operations/operation_session.h"
#include "server/telemetry/metrics.h"

namespace quantd::server {

class OperationSessions : public testing::Test {
 protected:
  core::WorkerPool pool_{2};
  Metrics metrics_{"TEST", {}};
  OperationContext context_{.pool = &pool_, .metrics = &metrics_};
};

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_OPERATIONS_OPERATION_SESSIONS_H_
