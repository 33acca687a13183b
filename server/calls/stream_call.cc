#include "server/calls/stream_call.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "server/calls/admission.h"

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

absl::Status CutOff() {
  return absl::CancelledError("the stream was cut off before it was answered whole");
}

}  // namespace

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StreamCall::Start(
    const CallEnvironment& environment, Method method, server::Answer answer,
    grpc::CallbackServerContext* context) {
  const auto call =
      std::make_shared<StreamCall>(PrivateKey(), environment, method, std::move(answer), context);
  call->Advance([&] { call->failure_ = call->call_.Admit(); });
  // Not too late: gRPC is not done with it before it has it.
  environment.open_streams->Add(call);
  return call.get();
}

StreamCall::StreamCall(PrivateKey /*key*/, const CallEnvironment& environment, Method method,
                       server::Answer answer, grpc::CallbackServerContext* context)
    : open_streams_(environment.open_streams),
      context_(context),
      call_(environment, method, std::move(answer), context) {}

void StreamCall::EndIfQuietSince(std::chrono::steady_clock::time_point time) {
  Advance([&] {
    const bool quiet = requests_.empty() && !answering_ && answers_.empty() && !writing_;
    if (quiet && last_message_ <= time) {
      failure_.Update(ShuttingDown());
    }
  });
}

void StreamCall::OnReadDone(bool ok) {
  Advance([&] {
    reading_ = false;
    last_message_ = std::chrono::steady_clock::now();
    if (ok) {
      requests_.Push(incoming_);
    } else {
      requests_ended_ = true;
    }
  });
}

void StreamCall::OnWriteDone(bool ok) {
  Advance([&] {
    writing_ = false;
    last_message_ = std::chrono::steady_clock::now();
    // gRPC only refers to it: its memory would be kept until the next write.
    outgoing_.Clear();
    if (!ok) {
      // Nobody takes the other answers either.
      answers_ = {};
      failure_.Update(CutOff());
    }
  });
}

void StreamCall::OnDone() { open_streams_->Remove(this); }

template <typename Event>
void StreamCall::Advance(const Event& event) {
  TakeSteps([&] {
    const std::lock_guard lock(mutex_);
    ++advancing_;
    event();
    return NextStep();
  }());
}

void StreamCall::TakeSteps(Step step) {
  while (step != Step::kNothing) {
    step = Take(step);
  }
}

StreamCall::Step StreamCall::Take(Step step) {
  switch (step) {
    case Step::kWrite:
      StartWrite(&outgoing_, write_options_);
      break;
    case Step::kRead:
      StartRead(&incoming_);
      break;
    case Step::kAnswer:
      return AnswerRequest();
    case Step::kEnd:
      End();
      return Step::kNothing;
    case Step::kNothing:
      return Step::kNothing;
  }
  const std::lock_guard lock(mutex_);
  return NextStep();
}

StreamCall::Step StreamCall::NextStep() {
  const bool ends = !failure_.ok() || (requests_ended_ && requests_.empty());
  if (!ends && !reading_ && !requests_ended_ && requests_.bytes() < kMaxWaitingRequestBytes) {
    reading_ = true;
    return Step::kRead;
  }
  if (!writing_ && !answers_.empty()) {
    writing_ = true;
    answers_.Pop(outgoing_);
    write_options_ = grpc::WriteOptions();
    if (!answers_.empty()) {
      // Another write follows at once: gRPC may send both together.
      write_options_.set_buffer_hint();
    }
    return Step::kWrite;
  }
  if (!ends && !answering_ && !requests_.empty() && answers_.bytes() < kMaxWaitingAnswerBytes) {
    answering_ = true;
    requests_.Pop(request_);
    return Step::kAnswer;
  }
  // The last thread that leaves ends the call: no other may still be in it.
  if (ends && !answering_ && !writing_ && advancing_ == 1) {
    return Step::kEnd;
  }
  --advancing_;
  return Step::kNothing;
}

StreamCall::Step StreamCall::AnswerRequest() {
  const auto answer_admitted = [this] {
    grpc::ByteBuffer answer;
    const absl::Status status = call_.AnswerMessage(request_, &answer);
    return NoteAnswer(status, answer);
  };
  if (const absl::Status status = call_.AdmitMessage(request_); !status.ok()) {
    grpc::ByteBuffer none;
    return NoteAnswer(status, none);
  }
  if (!call_.IsLarge()) {
    return answer_admitted();
  }
  call_.RunOnWorker([this, answer_admitted] { TakeSteps(answer_admitted()); });
  return Step::kNothing;
}

StreamCall::Step StreamCall::NoteAnswer(const absl::Status& status, grpc::ByteBuffer& answer) {
  request_.Clear();
  const std::lock_guard lock(mutex_);
  answering_ = false;
  if (status.ok()) {
    answers_.Push(answer);
  } else {
    failure_.Update(NameMessage(status, call_.answered()));
  }
  return NextStep();
}

void StreamCall::End() {
  absl::Status status;
  {
    const std::lock_guard lock(mutex_);
    status = failure_;
  }
  if (status.ok() && context_->IsCancelled()) {
    status = CutOff();
  }
  Finish(call_.End(status));
}

}  // namespace quantd::server
