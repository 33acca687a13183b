// Messages as bytes: gRPC's buffers and protobuf's classes.

#ifndef QUANTD_WIRE_MESSAGE_H_
#define QUANTD_WIRE_MESSAGE_H_

#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantd::wire {

// Parses `buffer`, which must be valid, into `message`. Drops fields that the schema does not
// have, which protobuf would keep in many times their bytes.
//
// Errors: MALFORMED_MESSAGE if the bytes are not a message of this type.
absl::Status ParseMessage(const grpc::ByteBuffer& buffer, google::protobuf::Message& message);

// The error of ParseMessage().
absl::Status MalformedMessage(const grpc::ByteBuffer& buffer,
                              const google::protobuf::MessageLite& message);

// Returns the bytes of `message`.
//
// Errors: kInternal if they are more than protobuf can write.
absl::StatusOr<grpc::ByteBuffer> SerializeMessage(const google::protobuf::MessageLite& message);

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_MESSAGE_H_
