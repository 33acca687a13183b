#include "server/stream_call.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/error.h"

namespace quantd::server {
namespace {

// While more wait, no further request is read, or answered.
constexpr std::size_t kMaxWaitingRequestBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxWaitingAnswerBytes = std::size_t{1} << 20;

absl::Status NameMessage(const absl::Status& status, std::uint64_t index) {
  core::ErrorDetail detail = core::GetErrorDetail(status).value_or(core::ErrorDetail{});
  const std::string message = absl::StrCat("message ", index, ": ", status.message());
  if (detail.reason.empty()) {
    return {status.code(), message};
  }
  detail.metadata.emplace("message_index", absl::StrCat(index));
  return core::MakeError(status.code(), message, detail);
}

absl::Status GivenUp() {
  return absl::CancelledError("the client gave the stream up before it was answered whole");
}

}  // namespace

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StreamCall::Start(
    const CallEnvironment& environment, Method method, server::Answer answer,
    grpc::CallbackServerContext* context) {
  // Owns itself from here on: OnDone() takes it back.
  StreamCall* const call =
      std::make_unique<StreamCall>(PrivateKey(), environment, method, std::move(answer), context)
          .release();
  call->failure_ = call->call_.Admit();
  call->Advance();
  return call;
}

StreamCall::StreamCall(PrivateKey /*key*/, const CallEnvironment& environment, Method method,
                       server::Answer answer, grpc::CallbackServerContext* context)
    : context_(context), call_(environment, method, std::move(answer), context) {}

void StreamCall::OnReadDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    reading_ = false;
    if (ok) {
      requests_.Push(incoming_);
    } else {
      requests_ended_ = true;
    }
  }
  Advance();
}

void StreamCall::OnWriteDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (!ok) {
      // Nobody takes the other answers either.
      answers_ = {};
      failure_.Update(GivenUp());
    }
  }
  Advance();
}

void StreamCall::OnDone() { const std::unique_ptr<StreamCall> self(this); }

void StreamCall::Advance() {
  {
    const std::lock_guard lock(mutex_);
    ++advancing_;
  }
  TakeSteps();
}

void StreamCall::TakeSteps() {
  while (Take(NextStep())) {
  }
}

StreamCall::Step StreamCall::NextStep() {
  const std::lock_guard lock(mutex_);
  const bool ends = !failure_.ok() || (requests_ended_ && requests_.empty());
  if (!ends && !reading_ && !requests_ended_ && requests_.bytes() < kMaxWaitingRequestBytes) {
    reading_ = true;
    return Step::kRead;
  }
  if (!writing_ && !answers_.empty()) {
    writing_ = true;
    return Step::kWrite;
  }
  if (!ends && !answering_ && !requests_.empty() && answers_.bytes() < kMaxWaitingAnswerBytes) {
    answering_ = true;
    return Step::kAnswer;
  }
  // The last thread that leaves ends the call: no other may still be in it.
  if (ends && !answering_ && !writing_ && advancing_ == 1) {
    return Step::kEnd;
  }
  --advancing_;
  return Step::kNothing;
}

bool StreamCall::Take(Step step) {
  switch (step) {
    case Step::kWrite:
      Write();
      return true;
    case Step::kRead:
      StartRead(&incoming_);
      return true;
    case Step::kAnswer:
      StartAnswer();
      return true;
    case Step::kEnd:
      End();
      return false;
    case Step::kNothing:
      break;
  }
  return false;
}

void StreamCall::Write() {
  grpc::WriteOptions options;
  {
    const std::lock_guard lock(mutex_);
    answers_.Pop(outgoing_);
    if (!answers_.empty()) {
      // Another write follows at once: gRPC may send both together.
      options.set_buffer_hint();
    }
  }
  StartWrite(&outgoing_, options);
}

void StreamCall::StartAnswer() {
  {
    const std::lock_guard lock(mutex_);
    requests_.Pop(request_);
  }
  if (const absl::Status status = call_.AdmitMessage(request_); !status.ok()) {
    const std::lock_guard lock(mutex_);
    answering_ = false;
    failure_.Update(NameMessage(status, call_.answered()));
  } else if (ServedCall::IsLarge(request_)) {
    {
      // From now on, so that no other thread ends the call between the answer
      // and the worker's next step.
      const std::lock_guard lock(mutex_);
      ++advancing_;
    }
    call_.RunOnWorker([this] {
      AnswerRequest();
      TakeSteps();
    });
  } else {
    AnswerRequest();
  }
}

void StreamCall::AnswerRequest() {
  grpc::ByteBuffer answer;
  const absl::Status status = call_.AnswerMessage(request_, &answer);
  request_.Clear();
  const std::lock_guard lock(mutex_);
  answering_ = false;
  if (status.ok()) {
    answers_.Push(answer);
  } else {
    failure_.Update(NameMessage(status, call_.answered()));
  }
}

void StreamCall::End() {
  absl::Status status;
  {
    const std::lock_guard lock(mutex_);
    status = failure_;
  }
  if (status.ok() && context_->IsCancelled()) {
    status = GivenUp();
  }
  Finish(call_.End(status));
}

}  // namespace quantd::server
