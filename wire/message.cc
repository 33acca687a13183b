#include "wire/message.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "wire/known_fields.h"
#include "wire/slices.h"
#include "wire/split_message.h"

namespace quantd::wire {

absl::Status ParseMessage(const grpc::ByteBuffer& buffer, google::protobuf::Message& message) {
  const std::optional<std::vector<grpc::Slice>> slices = SlicesOf(buffer);
  if (slices.has_value()) {
    const std::optional<SplitMessage> split =
        Split(PiecesOf(*slices), KnownFields(*message.GetDescriptor()));
    if (split.has_value() && message.ParseFromString(split->rest)) {
      return absl::OkStatus();
    }
  }
  return MalformedMessage(buffer, message);
}

absl::Status MalformedMessage(const grpc::ByteBuffer& buffer,
                              const google::protobuf::MessageLite& message) {
  const std::string type(message.GetTypeName());
  return core::InvalidArgument(
      core::ErrorReason::kMalformedMessage,
      absl::StrCat("the message's ", buffer.Length(), " bytes are not a ", type,
                   "; expected a protobuf message of this type: generate the sender's code from "
                   "quantd's .proto files"),
      {.metadata = {{"message_type", type}, {"message_bytes", absl::StrCat(buffer.Length())}}});
}

absl::StatusOr<grpc::ByteBuffer> SerializeMessage(const google::protobuf::MessageLite& message) {
  grpc::ByteBuffer buffer;
  bool own_buffer = false;
  const grpc::Status status =
      grpc::GenericSerialize<grpc::ProtoBufferWriter, google::protobuf::MessageLite>(
          message, &buffer, &own_buffer);
  if (!status.ok()) {
    return absl::InternalError(absl::StrCat("the ", std::string(message.GetTypeName()), " of ",
                                            message.ByteSizeLong(),
                                            " bytes cannot be sent: ", status.error_message()));
  }
  return buffer;
}

}  // namespace quantd::wire
