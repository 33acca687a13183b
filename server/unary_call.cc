#include "server/unary_call.h"

#include <memory>
#include <new>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/error.h"
#include "server/call_log.h"
#include "server/status.h"

namespace quantd::server {
namespace {

// Smaller messages are answered sooner than another thread would begin.
constexpr std::uint64_t kMaxInlineBytes = std::uint64_t{64} << 10;

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

grpc::ServerUnaryReactor* UnaryCall::Start(const CallEnvironment& environment, Method method,
                                           Answer answer, grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) {
  // Owns itself from here on: OnDone() takes it back.
  UnaryCall* const call = std::make_unique<UnaryCall>(PrivateKey(), environment, method,
                                                      std::move(answer), context, request, response)
                              .release();
  environment.metrics->CallStarted(method);
  if (const absl::Status status = call->Admit(); !status.ok()) {
    call->FinishWith(status);
  } else if (call->request_bytes_ <= kMaxInlineBytes) {
    call->Run();
  } else {
    environment.pool->Submit([call] { call->Run(); });
  }
  return call;
}

UnaryCall::UnaryCall(PrivateKey /*key*/, const CallEnvironment& environment, Method method,
                     Answer answer, grpc::CallbackServerContext* context,
                     const grpc::ByteBuffer* request, grpc::ByteBuffer* response)
    : environment_(environment),
      method_(method),
      answer_(std::move(answer)),
      context_(context),
      request_(request),
      response_(response) {}

void UnaryCall::OnDone() { const std::unique_ptr<UnaryCall> self(this); }

absl::Status UnaryCall::Admit() {
  // gRPC has no message for a call that was aborted before it was read.
  if (!request_->Valid()) {
    return absl::CancelledError("the call was aborted before its request was read");
  }
  environment_.metrics->MessageReceived(method_);
  request_bytes_ = request_->Length();
  if (request_bytes_ > environment_.max_message_bytes) {
    return MessageTooLarge(request_bytes_, environment_.max_message_bytes);
  }
  absl::StatusOr<Admission::Ticket> ticket = environment_.admission->Admit(request_bytes_);
  if (!ticket.ok()) {
    return ticket.status();
  }
  ticket_ = *std::move(ticket);
  in_flight_ = true;
  environment_.metrics->EnteredFlight(request_bytes_);
  return absl::OkStatus();
}

void UnaryCall::Run() {
  absl::StatusOr<grpc::ByteBuffer> answer = MakeAnswer();
  const absl::Status status = answer.status();
  if (status.ok()) {
    *response_ = *std::move(answer);
  }
  FinishWith(status);
}

absl::StatusOr<grpc::ByteBuffer> UnaryCall::MakeAnswer() const {
  if (context_->IsCancelled()) {
    return absl::CancelledError("the client gave the call up before it was computed");
  }
  try {
    return answer_(*request_);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        "the server has too little memory for this request at present: send it again later, or "
        "lower the server's --max-in-flight-bytes");
  }
}

void UnaryCall::FinishWith(const absl::Status& status) {
  const Seconds duration = std::chrono::steady_clock::now() - start_;
  LogCall(*environment_.log, {.method = method_,
                              .status = status,
                              .peer = context_->peer(),
                              .request_bytes = request_bytes_,
                              .duration = duration});
  // Before the answer is sent: who has it finds it counted, and finds room.
  if (in_flight_) {
    environment_.metrics->LeftFlight(request_bytes_);
  }
  ticket_.Release();
  environment_.metrics->CallHandled(method_, status, duration);
  Finish(ToGrpcStatus(status));
}

}  // namespace quantd::server
