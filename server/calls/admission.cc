#include "server/calls/admission.h"

#include <algorithm>
#include <cassert>
#include <memory>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"

namespace quantd::server {
namespace {

// Only small messages may use this part of the memory. It has room for at least
// kSmallMessages of them.
constexpr std::uint64_t kSmallRoomPart = 16;
constexpr std::uint64_t kMaxSmallRoom = std::uint64_t{16} << 20;
constexpr std::uint64_t kSmallMessages = 16;

// The part of the memory by which what is held may change before an observer is told.
constexpr std::uint64_t kObservedPart = 100;

absl::Status InFlightLimit(std::uint64_t bytes, std::uint64_t in_flight, std::uint64_t limit,
                           absl::string_view expected) {
  return core::MakeError(absl::StatusCode::kResourceExhausted, core::ErrorReason::kInFlightLimit,
                         absl::StrCat("the request and its answer take ", bytes, " bytes and ",
                                      in_flight, " bytes are held already; expected ", expected,
                                      ": send it again a little later, or raise the server's "
                                      "--max-in-flight-bytes"),
                         {.metadata = {{"message_bytes", absl::StrCat(bytes)},
                                       {"in_flight_bytes", absl::StrCat(in_flight)},
                                       {"max_in_flight_bytes", absl::StrCat(limit)}}});
}

// The error of a message that would not fit into an idle server either, for which
// waiting is no use.
absl::Status NeverFits(std::uint64_t bytes, std::uint64_t room, std::uint64_t limit) {
  return core::MakeError(
      absl::StatusCode::kResourceExhausted, core::ErrorReason::kMessageTooLarge,
      absl::StrCat("the request and its answer take ", bytes, " bytes; expected at most ", room,
                   ": send the tensor in parts over a stream, or raise the server's "
                   "--max-in-flight-bytes"),
      {.metadata = {{"bytes", absl::StrCat(bytes)}, {"max_in_flight_bytes", absl::StrCat(limit)}}});
}

absl::Status CallEnded() {
  return absl::CancelledError("the call ended before there was room for its message");
}

std::uint64_t SmallRoom(std::uint64_t max_bytes) {
  return std::min(max_bytes / kSmallRoomPart, kMaxSmallRoom);
}

}  // namespace

absl::Status ShuttingDown() {
  return core::MakeError(
      absl::StatusCode::kUnavailable, core::ErrorReason::kShuttingDown,
      "this server is shutting down; expected a server that accepts calls: send the request "
      "again, to another server or once this one is back");
}

Admission::Ticket::Ticket(Ticket&& other) noexcept
    : admission_(std::exchange(other.admission_, nullptr)), released_(other.released_) {}

Admission::Ticket& Admission::Ticket::operator=(Ticket&& other) noexcept {
  if (this != &other) {
    Close();
    admission_ = std::exchange(other.admission_, nullptr);
    released_ = other.released_;
  }
  return *this;
}

Admission::Ticket::~Ticket() { Close(); }

void Admission::Ticket::Release() {
  if (admission_ != nullptr && !std::exchange(released_, true)) {
    admission_->EndRequest();
  }
}

void Admission::Ticket::Close() {
  Release();
  if (Admission* const admission = std::exchange(admission_, nullptr); admission != nullptr) {
    admission->CloseCall();
  }
}

Admission::Reservation::Reservation(Reservation&& other) noexcept
    : admission_(std::exchange(other.admission_, nullptr)),
      kind_(other.kind_),
      weight_(std::exchange(other.weight_, {})),
      unwritten_(std::exchange(other.unwritten_, 0)) {}

Admission::Reservation& Admission::Reservation::operator=(Reservation&& other) noexcept {
  if (this != &other) {
    // Gives back what this held when it ends.
    Reservation held(std::move(*this));
    admission_ = std::exchange(other.admission_, nullptr);
    kind_ = other.kind_;
    weight_ = std::exchange(other.weight_, {});
    unwritten_ = std::exchange(other.unwritten_, 0);
  }
  return *this;
}

Admission::Reservation::~Reservation() {
  if (admission_ != nullptr) {
    admission_->GiveBack(kind_, weight_, unwritten_);
  }
}

bool Admission::Reservation::Grow(const Weight& weight) {
  const core::MutexLock lock(&admission_->mutex_);
  admission_->Subtract(kind_, weight_);
  const Kind kind = std::max(kind_, admission_->KindOf(weight));
  const bool has_room = admission_->HasRoom(kind, weight);
  if (has_room) {
    kind_ = kind;
    weight_ = weight;
  }
  admission_->Add(kind_, weight_);
  admission_->NotifyOfNews();
  return has_room;
}

void Admission::Reservation::Shrink(const Weight& weight) {
  assert(weight.received <= weight_.received && weight.made <= weight_.made);
  const core::MutexLock lock(&admission_->mutex_);
  admission_->Subtract(kind_, weight_);
  weight_ = weight;
  admission_->Add(kind_, weight_);
  admission_->NotifyOfNews();
  admission_->GrantWaiting();
}

void Admission::Reservation::WaitsForClient(std::function<void()> cut_off) {
  if (is_large() && unwritten_ == 0) {
    unwritten_ = admission_->AddUnwritten(std::move(cut_off));
  }
}

Admission::Admission(std::uint64_t max_in_flight_bytes, std::chrono::milliseconds max_stall,
                     Executor executor)
    : max_bytes_(max_in_flight_bytes),
      small_room_(SmallRoom(max_in_flight_bytes)),
      max_small_bytes_(small_room_ / kSmallMessages),
      max_stall_(max_stall),
      executor_(std::move(executor)),
      attending_thread_([this] { Attend(); }) {}

Admission::~Admission() {
  {
    const core::MutexLock lock(&mutex_);
    assert(waiting_.empty());
    stopping_ = true;
    attention_.NotifyAll();
  }
  attending_thread_.join();
}

void Admission::ObserveMadeBytes(std::function<void(std::uint64_t)> observer) {
  const core::MutexLock lock(&mutex_);
  observer_ = std::move(observer);
}

absl::StatusOr<Admission::Ticket> Admission::Admit() {
  const core::MutexLock lock(&mutex_);
  if (draining_) {
    return ShuttingDown();
  }
  ++load_.requests;
  ++open_calls_;
  return Ticket(this);
}

std::uint64_t Admission::room() const { return max_bytes_ - small_room_; }

absl::Status Admission::CheckFits(const Weight& weight) const {
  return weight.total() <= room() ? absl::OkStatus()
                                  : NeverFits(weight.total(), room(), max_bytes_);
}

std::optional<Admission::Reservation> Admission::Reserve(const Weight& weight) {
  const Kind kind = KindOf(weight);
  const core::MutexLock lock(&mutex_);
  if (!QueueOf(kind).empty() || !HasRoom(kind, weight)) {
    return std::nullopt;
  }
  return Take(kind, weight);
}

void Admission::Wait(const Weight& weight, const std::string& client,
                     std::chrono::steady_clock::time_point deadline, Waiter& waiter,
                     Granted granted) {
  const Kind kind = KindOf(weight);
  // Nothing of the caller may be touched without the lock: it may end on another thread.
  const core::MutexLock lock(&mutex_);
  const WaitId id = ++last_id_;
  waiter.wait_ = id;
  waiting_.emplace(id, Waiting{.kind = kind,
                               .weight = weight,
                               .client = client,
                               .deadline = deadline,
                               .granted = std::move(granted)});
  deadlines_.emplace(deadline, id);
  QueueOf(kind).Push(client, id);
  ++load_.waiting;
  if (waiter.stopped_) {
    EndWait(id, CallEnded());
  }
  // There may be room again since the caller looked.
  GrantWaiting();
  attention_.NotifyAll();
}

void Admission::StopWaiting(Waiter& waiter) {
  const core::MutexLock lock(&mutex_);
  waiter.stopped_ = true;
  if (waiting_.contains(waiter.wait_)) {
    EndWait(waiter.wait_, CallEnded());
    // The one behind it may fit.
    GrantWaiting();
  }
}

absl::StatusOr<Admission::Reservation> Admission::Keep(std::uint64_t bytes) {
  const Weight weight{.made = bytes};
  const core::MutexLock lock(&mutex_);
  if (!HasRoom(Kind::kKept, weight)) {
    return InFlightLimit(
        bytes, load_.bytes, max_bytes_,
        absl::StrCat("streams to keep parameters of at most ", max_bytes_ / 2, " bytes in all"));
  }
  return Take(Kind::kKept, weight);
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

std::size_t Admission::open_calls() const {
  const core::MutexLock lock(&mutex_);
  return open_calls_;
}

Admission::Load Admission::load() const {
  const core::MutexLock lock(&mutex_);
  return load_;
}

Admission::Kind Admission::KindOf(const Weight& weight) const {
  return weight.total() <= max_small_bytes_ ? Kind::kSmall : Kind::kLarge;
}

bool Admission::HasRoom(Kind kind, const Weight& weight) const {
  const std::uint64_t bytes = weight.total();
  // None of these sums exceeds the limit, so that the differences cannot wrap around.
  if (bytes > max_bytes_ - load_.bytes) {
    return false;
  }
  if (kind == Kind::kSmall) {
    return true;
  }
  return bytes <= max_bytes_ - small_room_ - large_bytes_ &&
         (kind == Kind::kLarge || bytes <= max_bytes_ / 2 - kept_bytes_);
}

Admission::Reservation Admission::Take(Kind kind, const Weight& weight) {
  Add(kind, weight);
  NotifyOfNews();
  return {this, kind, weight};
}

void Admission::Add(Kind kind, const Weight& weight) { Count(kind, weight, std::plus<>()); }

void Admission::Subtract(Kind kind, const Weight& weight) {
  assert(weight.total() <= load_.bytes);
  Count(kind, weight, std::minus<>());
}

template <typename Change>
void Admission::Count(Kind kind, const Weight& weight, Change change) {
  load_.bytes = change(load_.bytes, weight.total());
  load_.made_bytes = change(load_.made_bytes, weight.made);
  if (kind != Kind::kSmall) {
    large_bytes_ = change(large_bytes_, weight.total());
  }
  if (kind == Kind::kKept) {
    kept_bytes_ = change(kept_bytes_, weight.total());
  }
}

void Admission::NotifyOfNews() {
  if (HasNewsForObserver()) {
    attention_.NotifyAll();
  }
}

std::uint64_t Admission::AddUnwritten(std::function<void()> cut_off) {
  const core::MutexLock lock(&mutex_);
  const std::uint64_t number = ++last_unwritten_;
  unwritten_.emplace(
      number, Unwritten{.since = std::chrono::steady_clock::now(), .cut_off = std::move(cut_off)});
  if (!waiting_.empty()) {
    attention_.NotifyAll();
  }
  return number;
}

std::chrono::steady_clock::time_point Admission::NextCutOff() const {
  return waiting_.empty() || unwritten_.empty() ? std::chrono::steady_clock::time_point::max()
                                                : unwritten_.begin()->second.since + max_stall_;
}

void Admission::GiveBack(Kind kind, const Weight& weight, std::uint64_t unwritten) {
  // Destroyed after the lock is released, because it may hold a call.
  std::map<std::uint64_t, Unwritten>::node_type written;
  const core::MutexLock lock(&mutex_);
  written = unwritten_.extract(unwritten);
  Subtract(kind, weight);
  NotifyOfNews();
  GrantWaiting();
}

bool Admission::HasNewsForObserver() const {
  const std::uint64_t made = load_.made_bytes;
  const std::uint64_t change = std::max(made, observed_bytes_) - std::min(made, observed_bytes_);
  return observer_ != nullptr && change > max_bytes_ / kObservedPart;
}

Admission::Queue& Admission::QueueOf(Kind kind) {
  return kind == Kind::kSmall ? small_queue_ : large_queue_;
}

void Admission::GrantWaiting() {
  for (Queue* const queue : {&small_queue_, &large_queue_}) {
    while (!queue->empty()) {
      const WaitId id = queue->Front();
      const Waiting& next = waiting_.at(id);
      if (!HasRoom(next.kind, next.weight)) {
        break;
      }
      Reservation reservation = Take(next.kind, next.weight);
      EndWait(id, std::move(reservation));
    }
  }
}

void Admission::EndWait(WaitId id, absl::StatusOr<Reservation> outcome) {
  const auto waiting = waiting_.find(id);
  assert(waiting != waiting_.end());
  Queue& queue = QueueOf(waiting->second.kind);
  if (queue.Front() == id) {
    queue.Pop();
  } else {
    queue.Remove(waiting->second.client, id);
  }
  deadlines_.erase({waiting->second.deadline, id});
  // Functions are copied, and a reservation cannot be.
  const auto shared = std::make_shared<absl::StatusOr<Reservation>>(std::move(outcome));
  executor_(
      [granted = std::move(waiting->second.granted), shared] { granted(std::move(*shared)); });
  waiting_.erase(waiting);
  --load_.waiting;
}

void Admission::Attend() {
  // Without the lock: tasks may have calls ended, which give back memory.
  while (const std::function<void()> task = NextTask()) {
    task();
  }
}

std::function<void()> Admission::NextTask() {
  using std::chrono::steady_clock;
  const core::MutexLock lock(&mutex_);
  while (!stopping_) {
    if (HasNewsForObserver()) {
      observed_bytes_ = load_.made_bytes;
      return [observer = observer_, made_bytes = observed_bytes_] { observer(made_bytes); };
    }
    const steady_clock::time_point now = steady_clock::now();
    const steady_clock::time_point cut_off = NextCutOff();
    if (cut_off <= now) {
      return std::move(unwritten_.extract(unwritten_.begin()).mapped().cut_off);
    }
    const steady_clock::time_point deadline =
        deadlines_.empty() ? steady_clock::time_point::max() : deadlines_.begin()->first;
    if (deadline <= now) {
      const WaitId id = deadlines_.begin()->second;
      EndWait(id, InFlightLimit(waiting_.at(id).weight.total(), load_.bytes, max_bytes_,
                                absl::StrCat("at most ", max_bytes_, " bytes in all")));
      // The one behind it may fit.
      GrantWaiting();
      continue;
    }
    attention_.WaitUntil(&mutex_, std::min(deadline, cut_off));
  }
  return nullptr;
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
