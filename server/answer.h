// The methods from bytes to bytes: decoded, handled, encoded.

#ifndef QUANTD_SERVER_ANSWER_H_
#define QUANTD_SERVER_ANSWER_H_

#include <grpcpp/support/byte_buffer.h>

#include "absl/status/statusor.h"
#include "server/codec.h"
#include "server/handlers.h"

namespace quantd::server {

// Each takes a valid buffer and throws std::bad_alloc. Errors: MALFORMED_MESSAGE,
// and those of the handler. What a request leaves out is taken from `defaults`,
// and what it has is kept there for the next one.
absl::StatusOr<grpc::ByteBuffer> AnswerFakeQuantize(const grpc::ByteBuffer& request,
                                                    RequestDefaults& defaults,
                                                    const HandlerContext& context);
absl::StatusOr<grpc::ByteBuffer> AnswerFakeQuantizeGradient(const grpc::ByteBuffer& request,
                                                            RequestDefaults& defaults,
                                                            GradientSums sums,
                                                            const HandlerContext& context);
absl::StatusOr<grpc::ByteBuffer> AnswerGetServerInfo(const grpc::ByteBuffer& request,
                                                     const ServerLimits& limits);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_ANSWER_H_
