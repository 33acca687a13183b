#include "server/calls/admission.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"

namespace quantd::server {
namespace {

absl::Status InFlightLimit(std::uint64_t bytes, std::uint64_t in_flight, std::uint64_t limit) {
  return core::MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("the request has ", bytes, " bytes and ", in_flight,
                   " bytes of others are being worked on; expected at most ", limit,
                   " bytes in all: send it again a little later, or raise the server's "
                   "--max-in-flight-bytes"),
      {.reason = std::string(core::reason::kInFlightLimit),
       .field = {},
       .metadata = {{"message_bytes", absl::StrCat(bytes)},
                    {"in_flight_bytes", absl::StrCat(in_flight)},
                    {"max_in_flight_bytes", absl::StrCat(limit)}}});
}

}  // namespace

absl::Status ShuttingDown() {
  return core::MakeError(
      absl::StatusCode::kUnavailable,
      "this server is shutting down; expected a server that serves: send the "
      "request again, to another server or once this one is back",
      {.reason = std::string(core::reason::kShuttingDown), .field = {}, .metadata = {}});
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
  absl::Status status = admission_->TakeBytes(bytes);
  if (status.ok()) {
    bytes_ += bytes;
  }
  return status;
}

void Admission::Ticket::GiveBack(std::uint64_t bytes) {
  bytes_ -= bytes;
  admission_->GiveBackBytes(bytes);
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
  const std::lock_guard lock(mutex_);
  if (draining_) {
    return ShuttingDown();
  }
  if (absl::Status status = TakeBytesLocked(bytes); !status.ok()) {
    return status;
  }
  ++load_.requests;
  ++open_calls_;
  return Ticket(this, bytes);
}

void Admission::StartDraining() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
}

bool Admission::WaitUntilIdle(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  return idle_.wait_until(lock, deadline, [this] { return open_calls_ == 0; });
}

Admission::Load Admission::load() const {
  const std::lock_guard lock(mutex_);
  return load_;
}

absl::Status Admission::TakeBytes(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
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
  const std::lock_guard lock(mutex_);
  load_.bytes -= bytes;
}

void Admission::EndRequest() {
  const std::lock_guard lock(mutex_);
  --load_.requests;
}

void Admission::CloseCall() {
  // Notifies with the lock held: whoever waits may destroy this object next.
  const std::lock_guard lock(mutex_);
  if (--open_calls_ == 0) {
    idle_.notify_all();
  }
}

}  // namespace quantd::server
