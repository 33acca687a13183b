#include "server/calls/served_call.h"

#include <new>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "wire/status.h"
#include "server/telemetry/call_log.h"

namespace quantd::server {
namespace {

// The greatest weight of a message that is answered on gRPC's own threads:
// computing a MiB takes a fraction of the time that its transport does.
constexpr std::uint64_t kMaxInlineBytes = std::uint64_t{1280} << 10;

absl::Status MessageTooLarge(std::uint64_t bytes, std::uint64_t limit) {
  return core::MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("the request has ", bytes, " bytes; expected at most ", limit,
                   ": split the tensor, or raise the server's --max-message-bytes"),
      {.reason = std::string(core::reason::kMessageTooLarge),
       .field = {},
       .metadata = {{"message_bytes", absl::StrCat(bytes)},
                    {"max_message_bytes", absl::StrCat(limit)}}});
}

}  // namespace

ServedCall::ServedCall(const CallEnvironment& environment, Method method, Answer answer,
                       grpc::CallbackServerContext* context)
    : environment_(environment), method_(method), answer_(std::move(answer)), context_(context) {
  environment_.metrics->CallStarted(method_);
}

absl::Status ServedCall::Admit() {
  absl::StatusOr<Admission::Ticket> ticket = environment_.admission->Admit(0);
  if (!ticket.ok()) {
    return ticket.status();
  }
  ticket_ = *std::move(ticket);
  in_flight_ = true;
  environment_.metrics->CallEnteredFlight();
  return absl::OkStatus();
}

absl::Status ServedCall::AdmitMessage(const grpc::ByteBuffer& message) {
  environment_.metrics->MessageReceived(method_);
  const std::uint64_t bytes = message.Length();
  request_bytes_ += bytes;
  if (bytes > environment_.max_message_bytes) {
    return MessageTooLarge(bytes, environment_.max_message_bytes);
  }
  weight_ = bytes + defaults_.range_bytes;
  if (absl::Status status = ticket_.Take(weight_); !status.ok()) {
    return status;
  }
  environment_.metrics->MessageEnteredFlight(weight_);
  return absl::OkStatus();
}

bool ServedCall::IsLarge() const { return weight_ > kMaxInlineBytes; }

void ServedCall::RunOnWorker(std::function<void()> task) const {
  environment_.pool->Submit(std::move(task));
}

absl::Status ServedCall::AnswerMessage(const grpc::ByteBuffer& message,
                                       grpc::ByteBuffer* response) {
  absl::Status status = Compute(message, response);
  environment_.metrics->MessageLeftFlight(weight_);
  ticket_.GiveBack(weight_);
  if (status.ok()) {
    ++answered_;
    environment_.metrics->MessageSent(method_);
  }
  return status;
}

absl::Status ServedCall::Compute(const grpc::ByteBuffer& message, grpc::ByteBuffer* response) {
  if (context_->IsCancelled()) {
    return absl::CancelledError("the client gave the call up before it was computed");
  }
  try {
    return answer_(message, defaults_, response);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        "the server has too little memory for this request at present: send it again later, or "
        "lower the server's --max-in-flight-bytes");
  }
}

grpc::Status ServedCall::End(const absl::Status& status) {
  const Seconds duration = std::chrono::steady_clock::now() - start_;
  LogCall(*environment_.log, {.method = method_,
                              .status = status,
                              .peer = context_->peer(),
                              .request_bytes = request_bytes_,
                              .duration = duration});
  if (in_flight_) {
    environment_.metrics->CallLeftFlight();
  }
  ticket_.Release();
  environment_.metrics->CallHandled(method_, status, duration);
  return ToGrpcStatus(status);
}

}  // namespace quantd::server
