#include "wire/message.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"

namespace quantd::wire {

absl::Status ParseMessage(const grpc::ByteBuffer& buffer, google::protobuf::MessageLite& message) {
  // The reader wants a buffer of its own; the bytes are shared.
  grpc::ByteBuffer shared(buffer);
  grpc::ProtoBufferReader reader(&shared);
  if (reader.status().ok() && message.ParseFromZeroCopyStream(&reader)) {
    return absl::OkStatus();
  }
  return MalformedMessage(buffer, message);
}

absl::Status MalformedMessage(const grpc::ByteBuffer& buffer,
                              const google::protobuf::MessageLite& message) {
  return core::InvalidArgument(
      absl::StrCat("the message's ", buffer.Length(), " bytes are not a ", message.GetTypeName(),
                   "; expected a protobuf message of this type: make the sender from quantd's "
                   ".proto files"),
      {.reason = std::string(core::reason::kMalformedMessage),
       .field = {},
       .metadata = {{"message_type", std::string(message.GetTypeName())},
                    {"message_bytes", absl::StrCat(buffer.Length())}}});
}

absl::StatusOr<grpc::ByteBuffer> SerializeMessage(const google::protobuf::MessageLite& message) {
  grpc::ByteBuffer buffer;
  bool own_buffer = false;
  const grpc::Status status =
      grpc::GenericSerialize<grpc::ProtoBufferWriter, google::protobuf::MessageLite>(
          message, &buffer, &own_buffer);
  if (!status.ok()) {
    return absl::InternalError(absl::StrCat("the ", message.GetTypeName(), " of ",
                                            message.ByteSizeLong(),
                                            " bytes cannot be sent: ", status.error_message()));
  }
  return buffer;
}

}  // namespace quantd::wire
