// The methods from bytes to bytes: decoded, handled, encoded.

#ifndef QUANTD_SERVER_OPERATIONS_ANSWER_H_
#define QUANTD_SERVER_OPERATIONS_ANSWER_H_

#include <grpcpp/support/byte_buffer.h>

#include "absl/status/status.h"
#include "server/operations/codec.h"
#include "server/operations/handlers.h"

namespace quantd::server {

// Each takes a valid buffer, fills `response` (gRPC's buffers are not returned:
// they are copied where they should be moved) and throws std::bad_alloc. Errors:
// MALFORMED_MESSAGE, and those of the handler. What a request leaves out is
// taken from `defaults`, and what it has is kept there for the next one.
absl::Status AnswerFakeQuantize(const grpc::ByteBuffer& request, RequestDefaults& defaults,
                                const HandlerContext& context, grpc::ByteBuffer* response);
absl::Status AnswerFakeQuantizeGradient(const grpc::ByteBuffer& request, RequestDefaults& defaults,
                                        GradientSums sums, const HandlerContext& context,
                                        grpc::ByteBuffer* response);
absl::Status AnswerGetServerInfo(const grpc::ByteBuffer& request, const ServerLimits& limits,
                                 grpc::ByteBuffer* response);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_ANSWER_H_
