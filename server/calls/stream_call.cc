#include "server/calls/stream_call.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/memory/memory.h"
#include "core/base/error.h"

namespace quantd::server {
namespace {

// No further request is read, or answered, while more than this waits.
constexpr std::size_t kMaxWaitingRequestBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxWaitingAnswerBytes = std::size_t{1} << 20;

absl::Status CutOff() {
  return absl::CancelledError("the stream was cut off before all of its messages were answered");
}

}  // namespace

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StreamCall::Start(
    const CallEnvironment& environment, const wire::Method& method,
    std::unique_ptr<Session> session, grpc::CallbackServerContext* context) {
  const std::shared_ptr<StreamCall> call =
      absl::WrapUnique(new StreamCall(environment, method, std::move(session), context));
  call->Advance([&] {
    call->mutex_.AssertHeld();
    call->failure_ = call->call_.Admit();
  });
  // This is early enough: gRPC cannot be done with the call before it has it.
  environment.open_streams->Add(call);
  return call.get();
}

StreamCall::StreamCall(const CallEnvironment& environment, const wire::Method& method,
                       std::unique_ptr<Session> session, grpc::CallbackServerContext* context)
    : open_streams_(environment.open_streams),
      context_(context),
      call_(environment, method, std::move(session), context) {}

void StreamCall::EndIfQuietSince(std::chrono::steady_clock::time_point time) {
  Advance([&] {
    mutex_.AssertHeld();
    const bool quiet = requests_.empty() && !answering_ && answers_.empty() && !writing_;
    if (quiet && last_message_ <= time) {
      failure_.Update(ShuttingDown());
    }
  });
}

void StreamCall::OnReadDone(bool ok) {
  Advance([&] {
    mutex_.AssertHeld();
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
    mutex_.AssertHeld();
    writing_ = false;
    last_message_ = std::chrono::steady_clock::now();
    // gRPC does not own it: its memory would be held until the next write.
    outgoing_.Clear();
    outgoing_memory_ = {};
    if (!ok) {
      // Nobody will read the other answers either.
      answers_ = {};
      failure_.Update(CutOff());
    }
  });
}

void StreamCall::OnCancel() { call_.StopWaiting(); }

void StreamCall::OnDone() { open_streams_->Remove(this); }

template <typename Event>
void StreamCall::Advance(const Event& event) {
  Step step = Step::kNothing;
  {
    const core::MutexLock lock(&mutex_);
    ++advancing_;
    event();
    step = NextStep();
  }
  TakeSteps(step);
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
  const core::MutexLock lock(&mutex_);
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
    outgoing_memory_ = answers_.Pop(outgoing_);
    call_.WaitsForClient(outgoing_memory_);
    write_options_ = grpc::WriteOptions();
    if (!answers_.empty()) {
      // Another write follows at once, so that gRPC may send both together.
      write_options_.set_buffer_hint();
    }
    return Step::kWrite;
  }
  if (!ends && !answering_ && !requests_.empty() && answers_.bytes() < kMaxWaitingAnswerBytes) {
    answering_ = true;
    requests_.Pop(request_);
    return Step::kAnswer;
  }
  // The last thread ends the call: no other may still use it.
  if (ends && !answering_ && !writing_ && advancing_ == 1) {
    return Step::kEnd;
  }
  --advancing_;
  return Step::kNothing;
}

StreamCall::Step StreamCall::AnswerRequest() {
  const std::optional<absl::Status> status = call_.Answer(
      request_, &answer_, [this](const absl::Status& later) { TakeSteps(NoteAnswer(later)); });
  return status.has_value() ? NoteAnswer(*status) : Step::kNothing;
}

StreamCall::Step StreamCall::NoteAnswer(const absl::Status& status) {
  request_.Clear();
  Admission::Reservation memory = call_.TakeAnswerMemory();
  const core::MutexLock lock(&mutex_);
  answering_ = false;
  if (status.ok()) {
    answers_.Push(answer_, std::move(memory));
  } else {
    failure_.Update(core::AtMessage(call_.answered(), status));
  }
  return NextStep();
}

void StreamCall::End() {
  absl::Status status;
  {
    const core::MutexLock lock(&mutex_);
    status = failure_;
  }
  if (status.ok() && context_->IsCancelled()) {
    status = CutOff();
  }
  Finish(call_.End(status));
}

}  // namespace quantd::server
