#include "server/calls/served_call.h"

#include <grpc/grpc.h>

#include <algorithm>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "server/access/call_credentials.h"
#include "server/telemetry/call_log.h"
#include "wire/status.h"

namespace quantd::server {
namespace {

// The most work that is done on gRPC's own threads: computing a MiB takes a fraction of
// the time of its transport.
constexpr std::uint64_t kMaxInlineBytes = std::uint64_t{1280} << 10;

// A client's deadline passes a little earlier than the server learns of it: gRPC rounds
// the time that is left up to three digits, and the request takes its time.
constexpr int kDeadlineRoundingPart = 50;
constexpr std::chrono::milliseconds kDeadlineTolerance{20};

absl::Status DeadlinePassed() {
  return absl::DeadlineExceededError("the client's deadline passed before the call was answered");
}

absl::Status MessageTooLarge(std::uint64_t bytes, std::uint64_t limit) {
  return core::MakeError(
      absl::StatusCode::kResourceExhausted, core::ErrorReason::kMessageTooLarge,
      absl::StrCat("the request has ", bytes, " bytes; expected at most ", limit,
                   ": split the tensor, or raise the server's --max-message-bytes"),
      {.metadata = {{"message_bytes", absl::StrCat(bytes)},
                    {"max_message_bytes", absl::StrCat(limit)}}});
}

// Keeps a call of gRPC's from being destroyed.
class CallReference {
 public:
  explicit CallReference(grpc_call* call) : call_(call) { grpc_call_ref(call_); }
  ~CallReference() { grpc_call_unref(call_); }
  CallReference(const CallReference&) = delete;
  CallReference& operator=(const CallReference&) = delete;

  // Ends the call, unless it has ended.
  void Cancel(grpc_status_code code, const char* message) {
    grpc_call_cancel_with_status(call_, code, message, nullptr);
  }

 private:
  grpc_call* const call_;
};

}  // namespace

ServedCall::ServedCall(const CallEnvironment& environment, const wire::Method& method,
                       std::unique_ptr<Session> session, grpc::CallbackServerContext* context)
    : environment_(environment), method_(method), session_(std::move(session)), context_(context) {
  environment_.metrics->CallStarted(method_);
}

absl::Status ServedCall::Admit() {
  if (environment_.access_control != nullptr) {
    RETURN_IF_ERROR(
        environment_.access_control->Admit(CredentialsOf(*context_), method_.name, caller_));
  }
  ASSIGN_OR_RETURN(ticket_, environment_.admission->Admit());
  return absl::OkStatus();
}

std::optional<absl::Status> ServedCall::Answer(const grpc::ByteBuffer& message,
                                               grpc::ByteBuffer* response, Answered answered) {
  environment_.metrics->MessageReceived(method_);
  const std::uint64_t bytes = message.Length();
  request_bytes_ += bytes;
  if (bytes > environment_.max_message_bytes) {
    return MessageTooLarge(bytes, environment_.max_message_bytes);
  }
  message_ = &message;
  response_ = response;
  on_answered_ = std::move(answered);
  const std::uint64_t work = session_->WorkOf(message);
  Admission::Weight weight{.received = bytes, .made = MadeOf(session_->WeightOf(message))};
  if (const absl::Status status = environment_.admission->CheckFits(weight); !status.ok()) {
    return status;
  }
  // With what the answer usually takes, so that few have to wait again once that is known.
  weight.made += std::min(work, environment_.admission->room() - weight.total());
  if (!ReserveOrWait(weight)) {
    return std::nullopt;
  }
  if (work <= kMaxInlineBytes) {
    return Proceed();
  }
  environment_.pool->Submit([this] { ProceedOnWorker(); });
  return std::nullopt;
}

bool ServedCall::ReserveOrWait(const Admission::Weight& weight) {
  if (std::optional<Admission::Reservation> reserved = environment_.admission->Reserve(weight)) {
    memory_ = *std::move(reserved);
    return true;
  }
  environment_.admission->Wait(weight, context_->peer(), WaitDeadline(), waiter_,
                               [this](absl::StatusOr<Admission::Reservation> granted) {
                                 if (!granted.ok()) {
                                   Deliver(IsPastDeadline() ? DeadlinePassed() : granted.status());
                                   return;
                                 }
                                 memory_ = *std::move(granted);
                                 ProceedOnWorker();
                               });
  return false;
}

void ServedCall::ProceedOnWorker() {
  if (const std::optional<absl::Status> status = Proceed(); status.has_value()) {
    Deliver(*status);
  }
}

void ServedCall::Deliver(const absl::Status& status) {
  // This object may end before the function returns.
  const Answered answered = std::move(on_answered_);
  answered(status);
}

Admission::Reservation ServedCall::TakeAnswerMemory() {
  if (memory_.weight().total() > 0) {
    memory_.Shrink({.made = std::min<std::uint64_t>(response_->Length(), memory_.weight().made)});
  }
  return std::move(memory_);
}

std::optional<absl::Status> ServedCall::Proceed() {
  std::optional<absl::Status> status;
  try {
    status = DecodeAndCompute();
  } catch (const std::bad_alloc&) {
    status = absl::ResourceExhaustedError(
        "the server does not have enough memory for this request at present: send it again later, "
        "or lower the server's --max-in-flight-bytes");
  }
  if (status.has_value() && status->ok()) {
    ++answered_;
    environment_.metrics->MessageSent(method_);
  }
  return status;
}

std::optional<absl::Status> ServedCall::DecodeAndCompute() {
  while (true) {
    if (context_->IsCancelled()) {
      return absl::CancelledError("the client cancelled the call before it was computed");
    }
    const absl::StatusOr<std::uint64_t> bytes = session_->Decode(*message_);
    if (!bytes.ok()) {
      return bytes.status();
    }
    if (absl::Status status = KeepSettings(); !status.ok()) {
      return status;
    }
    const Admission::Weight weight{.received = message_->Length(), .made = MadeOf(*bytes)};
    if (FitMemory(weight)) {
      return session_->Answer(response_, [this] { return context_->IsCancelled(); });
    }
    if (absl::Status status = environment_.admission->CheckFits(weight); !status.ok()) {
      return status;
    }
    // Two calls that each hold what the other waits for would wait for ever.
    session_->Forget();
    memory_ = {};
    if (!ReserveOrWait(weight)) {
      return std::nullopt;
    }
  }
}

bool ServedCall::FitMemory(const Admission::Weight& weight) {
  if (weight.made < memory_.weight().made) {
    memory_.Shrink(weight);
    return true;
  }
  return memory_.Grow(weight);
}

std::uint64_t ServedCall::MadeOf(std::uint64_t bytes) const {
  const std::uint64_t reserved = message_->Length() + kept_memory_.weight().made;
  return bytes - std::min(bytes, reserved);
}

absl::Status ServedCall::KeepSettings() {
  const std::uint64_t bytes =
      method_.transfer == wire::Transfer::kStream ? session_->HeldBytes() : 0;
  if (bytes != kept_memory_.weight().made) {
    kept_memory_ = {};
    ASSIGN_OR_RETURN(kept_memory_, environment_.admission->Keep(bytes));
  }
  return absl::OkStatus();
}

void ServedCall::WaitsForClient(Admission::Reservation& memory) const {
  if (!memory.is_large()) {
    return;
  }
  memory.WaitsForClient([call = std::make_shared<CallReference>(context_->c_call())] {
    call->Cancel(GRPC_STATUS_RESOURCE_EXHAUSTED,
                 "the client did not take the answer while others waited for its memory; expected "
                 "a client that reads: read answers as they arrive, or ask for less at once");
  });
}

std::chrono::steady_clock::time_point ServedCall::Deadline() const {
  using std::chrono::steady_clock;
  const auto deadline = context_->deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) {
    return steady_clock::time_point::max();
  }
  return steady_clock::now() + std::chrono::duration_cast<steady_clock::duration>(
                                   deadline - std::chrono::system_clock::now());
}

std::chrono::steady_clock::time_point ServedCall::WaitDeadline() const {
  return method_.transfer == wire::Transfer::kStream
             ? Deadline()
             : std::min(Deadline(), std::chrono::steady_clock::now() + environment_.max_wait);
}

bool ServedCall::IsPastDeadline() const {
  using std::chrono::steady_clock;
  const steady_clock::time_point deadline = Deadline();
  return deadline != steady_clock::time_point::max() &&
         deadline - steady_clock::now() <=
             (deadline - start_) / kDeadlineRoundingPart + kDeadlineTolerance;
}

absl::Status ServedCall::Outcome(const absl::Status& status) const {
  if (!context_->IsCancelled() || (!status.ok() && !absl::IsCancelled(status))) {
    return status;
  }
  return IsPastDeadline() ? DeadlinePassed()
                          : absl::CancelledError("the call was cancelled before it was answered");
}

grpc::Status ServedCall::End(const absl::Status& result) {
  const absl::Status status = Outcome(result);
  const Seconds duration = std::chrono::steady_clock::now() - start_;
  LogCall(*environment_.log, {.method = method_.name,
                              .status = status,
                              .peer = context_->peer(),
                              .caller = caller_.Name(),
                              .request_bytes = request_bytes_,
                              .duration = duration});
  ticket_.Release();
  if (status.ok()) {
    WaitsForClient(memory_);
  }
  environment_.metrics->CallHandled(method_, status, duration);
  if (const std::optional<std::chrono::milliseconds> delay = wire::RetryDelay(status);
      delay.has_value()) {
    context_->AddTrailingMetadata("grpc-retry-pushback-ms", absl::StrCat(delay->count()));
  }
  return wire::ToGrpcStatus(status);
}

}  // namespace quantd::server
