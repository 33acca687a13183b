// Messages as bytes: gRPC's buffers and protobuf's classes.

#ifndef QUANTD_WIRE_MESSAGE_H_
#define QUANTD_WIRE_MESSAGE_H_

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantd::wire {

// Parses `buffer`, which must be valid, into `message`.
//
// Errors: MALFORMED_MESSAGE where the bytes are none of its type.
absl::Status ParseMessage(const grpc::ByteBuffer& buffer, google::protobuf::MessageLite& message);

// That `buffer` holds no `message`, as ParseMessage() says it.
absl::Status MalformedMessage(const grpc::ByteBuffer& buffer,
                              const google::protobuf::MessageLite& message);

// The bytes of `message`.
//
// Errors: kInternal where they are more than protobuf can write.
absl::StatusOr<grpc::ByteBuffer> SerializeMessage(const google::protobuf::MessageLite& message);

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_MESSAGE_H_
