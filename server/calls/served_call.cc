#include "server/calls/served_call.h"

#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "server/telemetry/call_log.h"
#include "wire/status.h"

namespace quantd::server {
namespace {

// The most work that is done on gRPC's own threads: computing a MiB takes a fraction of
// the time of its transport.
constexpr std::uint64_t kMaxInlineBytes = std::uint64_t{1280} << 10;

absl::Status MessageTooLarge(std::uint64_t bytes, std::uint64_t limit) {
  return core::MakeError(
      absl::StatusCode::kResourceExhausted, core::ErrorReason::kMessageTooLarge,
      absl::StrCat("the request has ", bytes, " bytes; expected at most ", limit,
                   ": split the tensor, or raise the server's --max-message-bytes"),
      {.metadata = {{"message_bytes", absl::StrCat(bytes)},
                    {"max_message_bytes", absl::StrCat(limit)}}});
}

}  // namespace

ServedCall::ServedCall(const CallEnvironment& environment, const wire::Method& method,
                       std::unique_ptr<Session> session, grpc::CallbackServerContext* context)
    : environment_(environment), method_(method), session_(std::move(session)), context_(context) {
  environment_.metrics->CallStarted(method_);
}

absl::Status ServedCall::Admit() {
  ASSIGN_OR_RETURN(ticket_, environment_.admission->Admit(0));
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
  work_ = session_->WorkOf(message);
  return TakeWeight(session_->WeightOf(message));
}

absl::Status ServedCall::TakeWeight(std::uint64_t weight) {
  if (weight <= weight_) {
    return absl::OkStatus();
  }
  const std::uint64_t further = weight - weight_;
  RETURN_IF_ERROR(ticket_.Take(further));
  weight_ = weight;
  environment_.metrics->MessageEnteredFlight(further);
  return absl::OkStatus();
}

bool ServedCall::IsLarge() const { return work_ > kMaxInlineBytes; }

void ServedCall::RunOnWorker(std::function<void()> task) const {
  environment_.pool->Submit(std::move(task));
}

absl::Status ServedCall::AnswerMessage(const grpc::ByteBuffer& message,
                                       grpc::ByteBuffer* response) {
  absl::Status status = Compute(message, response);
  environment_.metrics->MessageLeftFlight(weight_);
  ticket_.GiveBack(std::exchange(weight_, 0));
  if (status.ok()) {
    ++answered_;
    environment_.metrics->MessageSent(method_);
  }
  return status;
}

absl::Status ServedCall::Compute(const grpc::ByteBuffer& message, grpc::ByteBuffer* response) {
  if (context_->IsCancelled()) {
    return absl::CancelledError("the client cancelled the call before it was computed");
  }
  try {
    ASSIGN_OR_RETURN(const std::uint64_t weight, session_->Decode(message));
    RETURN_IF_ERROR(TakeWeight(weight));
    return session_->Answer(response);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        "the server does not have enough memory for this request at present: send it again later, "
        "or lower the server's --max-in-flight-bytes");
  }
}

grpc::Status ServedCall::End(const absl::Status& status) {
  const Seconds duration = std::chrono::steady_clock::now() - start_;
  LogCall(*environment_.log, {.method = method_.name,
                              .status = status,
                              .peer = context_->peer(),
                              .request_bytes = request_bytes_,
                              .duration = duration});
  if (in_flight_) {
    environment_.metrics->CallLeftFlight();
  }
  ticket_.Release();
  environment_.metrics->CallHandled(method_, status, duration);
  return wire::ToGrpcStatus(status);
}

}  // namespace quantd::server
