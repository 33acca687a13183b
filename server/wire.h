// Messages as bytes: gRPC's buffers and protobuf's classes.

#ifndef QUANTD_SERVER_WIRE_H_
#define QUANTD_SERVER_WIRE_H_

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantd::server {

// Parses `buffer`, which must be valid, into `message`.
//
// Errors: MALFORMED_MESSAGE where the bytes are none of its type.
absl::Status ParseMessage(const grpc::ByteBuffer& buffer, google::protobuf::MessageLite& message);

// The bytes of `message`.
//
// Errors: kInternal where they are more than protobuf can write.
absl::StatusOr<grpc::ByteBuffer> SerializeMessage(const google::protobuf::MessageLite& message);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_WIRE_H_
