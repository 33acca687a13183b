#include "server/calls/admission.h"

#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"

namespace quantd::server {
namespace {

absl::Status InFlightLimit(std::uint64_t bytes, std::uint64_t in_flight, std::uint64_t limit) {
  return core::MakeError(
      absl::StatusCode::kResourceExhausted, core::ErrorReason::kInFlightLimit,
      absl::StrCat("the request takes ", bytes, " bytes and ", in_flight,
                   " bytes are being worked on already; expected at most ", limit,
                   " bytes in all: send it again a little later, or raise the server's "
                   "--max-in-flight-bytes"),
      {.metadata = {{"message_bytes", absl::StrCat(bytes)},
                    {"in_flight_bytes", absl::StrCat(in_flight)},
                    {"max_in_flight_bytes", absl::StrCat(limit)}}});
}

// The error of a message that would not fit into an idle server either, for which
// waiting is no use.
absl::Status NeverFits(std::uint64_t bytes, std::uint64_t limit) {
  return core::MakeError(
      absl::StatusCode::kResourceExhausted, core::ErrorReason::kMessageTooLarge,
      absl::StrCat("the request and its answer take ", bytes, " bytes; expected at most ", limit,
                   ": send the tensor in parts over a stream, or raise the server's "
                   "--max-in-flight-bytes"),
      {.metadata = {{"bytes", absl::StrCat(bytes)}, {"max_in_flight_bytes", absl::StrCat(limit)}}});
}

}  // namespace

absl::Status ShuttingDown() {
  return core::MakeError(
      absl::StatusCode::kUnavailable, core::ErrorReason::kShuttingDown,
      "this server is shutting down; expected a server that accepts calls: send the request "
      "again, to another server or once this one is back");
}

Admission::Ticket::Ticket(Ticket&& other) noexcept
    : admission_(std::exchange(other.admission_, nullptr)),
      bytes_(other.bytes_),
      released_(other.released_) {}

Admission::Ticket& Admission::Ticket::operator=(Ticket&& other) noexcept {
  if (this != &other) {
    Close();
    admission_ = std::exchange(other.admission_, nullptr);
    bytes_ = other.bytes_;
    released_ = other.released_;
  }
  return *this;
}

Admission::Ticket::~Ticket() { Close(); }

absl::Status Admission::Ticket::Take(std::uint64_t bytes) {
  assert(admission_ != nullptr);
  const std::uint64_t limit = admission_->max_in_flight_bytes_;
  // The ticket's bytes never exceed the limit, so that this cannot wrap around.
  if (bytes > limit - bytes_) {
    return NeverFits(bytes_ + bytes, limit);
  }
  RETURN_IF_ERROR(admission_->TakeBytes(bytes));
  bytes_ += bytes;
  return absl::OkStatus();
}

void Admission::Ticket::GiveBack(std::uint64_t bytes) {
  assert(bytes <= bytes_);
  bytes_ -= bytes;
  if (bytes > 0) {
    admission_->GiveBackBytes(bytes);
  }
}

void Admission::Ticket::Release() {
  if (admission_ != nullptr && !std::exchange(released_, true)) {
    GiveBack(bytes_);
    admission_->EndRequest();
  }
}

void Admission::Ticket::Close() {
  Release();
  if (Admission* const admission = std::exchange(admission_, nullptr); admission != nullptr) {
    admission->CloseCall();
  }
}

absl::StatusOr<Admission::Ticket> Admission::Admit(std::uint64_t bytes) {
  const core::MutexLock lock(&mutex_);
  if (draining_) {
    return ShuttingDown();
  }
  RETURN_IF_ERROR(TakeBytesLocked(bytes));
  ++load_.requests;
  ++open_calls_;
  return Ticket(this, bytes);
}

void Admission::StartDraining() {
  const core::MutexLock lock(&mutex_);
  draining_ = true;
}

bool Admission::WaitUntilIdle(std::chrono::steady_clock::time_point deadline) {
  const core::MutexLock lock(&mutex_);
  while (open_calls_ > 0) {
    if (!idle_.WaitUntil(&mutex_, deadline)) {
      return open_calls_ == 0;
    }
  }
  return true;
}

Admission::Load Admission::load() const {
  const core::MutexLock lock(&mutex_);
  return load_;
}

absl::Status Admission::TakeBytes(std::uint64_t bytes) {
  const core::MutexLock lock(&mutex_);
  return TakeBytesLocked(bytes);
}

absl::Status Admission::TakeBytesLocked(std::uint64_t bytes) {
  // load_.bytes never exceeds the limit, so that this cannot wrap around.
  if (bytes > max_in_flight_bytes_ - load_.bytes) {
    return InFlightLimit(bytes, load_.bytes, max_in_flight_bytes_);
  }
  load_.bytes += bytes;
  return absl::OkStatus();
}

void Admission::GiveBackBytes(std::uint64_t bytes) {
  const core::MutexLock lock(&mutex_);
  assert(bytes <= load_.bytes);
  load_.bytes -= bytes;
}

void Admission::EndRequest() {
  const core::MutexLock lock(&mutex_);
  --load_.requests;
}

void Admission::CloseCall() {
  // Notifies while it holds the lock: the thread that waits may destroy this object
  // next.
  const core::MutexLock lock(&mutex_);
  if (--open_calls_ == 0) {
    idle_.NotifyAll();
  }
}

}  // namespace quantd::server
