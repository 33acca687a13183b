#include "bench/load.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_callback.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "bench/workload.h"
#include "client/library/client.h"
#include "quantd/v1/quantization_service.pb.h"

namespace quantd::bench {
namespace {

// Ends the benchmark if the server hangs.
constexpr std::chrono::seconds kDeadline{120};

std::shared_ptr<grpc::Channel> Connect(const RpcCase& rpc_case) {
  // A map by name, because gRPC would use the first of two values for the same name.
  std::map<std::string, std::variant<int, std::string>> settings = {
      {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, -1},
      {GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1},
      // Each case has a separate connection, without a proxy.
      {GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1},
      {GRPC_ARG_ENABLE_HTTP_PROXY, 0},
  };
  for (const ChannelArgument& argument : rpc_case.channel_arguments) {
    settings[argument.name] = argument.value;
  }
  grpc::ChannelArguments arguments;
  for (const auto& [name, value] : settings) {
    if (const int* number = std::get_if<int>(&value)) {
      arguments.SetInt(name, *number);
    } else {
      arguments.SetString(name, std::get<std::string>(value));
    }
  }
  return grpc::CreateCustomChannel(rpc_case.server_address, grpc::InsecureChannelCredentials(),
                                   arguments);
}

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
}

absl::Status ToAbslStatus(const grpc::Status& status) {
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    return absl::UnimplementedError("the server does not offer this method");
  }
  return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

// Keeps the first error of many calls. Thread-safe.
class FirstError {
 public:
  // Keeps `status` if it is the first error. Returns whether it is OK.
  bool Note(const absl::Status& status) {
    const std::lock_guard lock(mutex_);
    status_.Update(status);
    return status.ok();
  }

  absl::Status status() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  mutable std::mutex mutex_;
  absl::Status status_;
};

// Makes unary calls; the end of each call starts the next.
template <typename Request, typename Response>
class UnaryLoad {
 public:
  UnaryLoad(const RpcCase& rpc_case, const Workload& workload)
      : request_(workload.template request<Request>()),
        check_(workload, rpc_case.answer),
        stub_(Connect(rpc_case)),
        measurement_(rpc_case.limits, rpc_case.server_process),
        slots_(rpc_case.limits.in_flight),
        open_slots_(rpc_case.limits.in_flight) {}

  absl::StatusOr<MeasurementResult> Run() {
    for (Slot& slot : slots_) {
      Start(slot);
    }
    all_ended_.WaitForNotification();
    if (!first_error_.status().ok()) {
      return first_error_.status();
    }
    return measurement_.Result();
  }

 private:
  // Holds one call after another.
  struct Slot {
    std::optional<grpc::ClientContext> context;
    Clock::time_point start;
    Response response;
  };

  void Start(Slot& slot) {
    SetDeadline(slot.context.emplace());
    slot.response = Response();
    slot.start = Clock::now();
    stub_.UnaryCall(&*slot.context, "/quantd.v1.QuantizationService/FakeQuantize", {}, &request_,
                    &slot.response,
                    [this, &slot](const grpc::Status& status) { Ended(slot, status); });
  }

  void Ended(Slot& slot, const grpc::Status& status) {
    // The check comes first, because it takes long only for the first answer, which is
    // part of the warm-up.
    if (first_error_.Note(ToAbslStatus(status)) && first_error_.Note(check_.Check(slot.response)) &&
        measurement_.CallEnded(slot.start)) {
      Start(slot);
    } else if (--open_slots_ == 0) {
      all_ended_.Notify();
    }
  }

  const Request& request_;
  AnswerCheck check_;
  grpc::TemplatedGenericStub<Request, Response> stub_;
  Measurement measurement_;
  FirstError first_error_;
  // Never resized, because calls refer to their slots.
  std::vector<Slot> slots_;
  std::atomic<std::size_t> open_slots_;
  absl::Notification all_ended_;
};

// Keeps the maximum number of unanswered requests in flight on one stream.
template <typename Request, typename Response>
class StreamLoad final : private grpc::ClientBidiReactor<Request, Response> {
 public:
  StreamLoad(const RpcCase& rpc_case, const Workload& workload)
      : window_(rpc_case.limits.in_flight),
        request_(workload.template request<Request>()),
        check_(workload, rpc_case.answer),
        stub_(Connect(rpc_case)),
        measurement_(rpc_case.limits, rpc_case.server_process) {}

  absl::StatusOr<MeasurementResult> Run() {
    SetDeadline(context_);
    stub_.PrepareBidiStreamingCall(&context_, "/quantd.v1.QuantizationService/StreamFakeQuantize",
                                   {}, this);
    this->StartRead(&response_);
    Go(NextStep());
    this->StartCall();
    ended_.WaitForNotification();
    if (!first_error_.status().ok()) {
      return first_error_.status();
    }
    return measurement_.Result();
  }

 private:
  enum class Step { kNone, kWrite, kClose };

  void OnWriteDone(bool ok) override {
    Go([&] {
      const std::lock_guard lock(mutex_);
      writing_ = false;
      // If this failed, the stream is broken, and OnDone() receives the reason.
      closed_ = closed_ || !ok;
      return NextStep();
    }());
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      return;
    }
    const bool right = first_error_.Note(check_.Check(response_));
    response_ = Response();
    Go([&] {
      const std::lock_guard lock(mutex_);
      const bool again = measurement_.CallEnded(starts_.front());
      enough_ = enough_ || !again || !right;
      starts_.pop_front();
      return NextStep();
    }());
    this->StartRead(&response_);
  }

  void OnDone(const grpc::Status& status) override {
    first_error_.Note(ToAbslStatus(status));
    ended_.Notify();
  }

  // Returns what to start next. Only one write may run at a time.
  Step NextStep() {
    if (writing_ || closed_) {
      return Step::kNone;
    }
    if (enough_) {
      closed_ = true;
      return Step::kClose;
    }
    if (starts_.size() == window_) {
      return Step::kNone;
    }
    writing_ = true;
    starts_.push_back(Clock::now());
    return Step::kWrite;
  }

  void Go(Step step) {
    if (step == Step::kWrite) {
      this->StartWrite(&request_);
    } else if (step == Step::kClose) {
      this->StartWritesDone();
    }
  }

  const std::size_t window_;
  const Request& request_;
  AnswerCheck check_;
  grpc::TemplatedGenericStub<Request, Response> stub_;
  Measurement measurement_;
  grpc::ClientContext context_;
  // Used by the read that is in progress.
  Response response_;
  FirstError first_error_;
  std::mutex mutex_;
  // The times when the unanswered requests were sent.
  std::deque<Clock::time_point> starts_;
  bool writing_ = false;
  bool enough_ = false;
  // Nothing more will be sent.
  bool closed_ = false;
  absl::Notification ended_;
};

// Makes blocking calls with quantd's client library, one after another.
absl::StatusOr<MeasurementResult> RunClientLibrary(const RpcCase& rpc_case,
                                                   const Workload& workload) {
  const auto client =
      client::Client::Connect({.address = rpc_case.server_address, .timeout = kDeadline});
  if (!client.ok()) {
    return client.status();
  }
  AnswerCheck check(workload, rpc_case.answer);
  Measurement measurement(rpc_case.limits, rpc_case.server_process);
  for (;;) {
    const Clock::time_point start = Clock::now();
    const auto result =
        (*client)->FakeQuantize({.shape = workload.shape(), .values = workload.values()},
                                workload.range(), workload.spec());
    if (!result.ok()) {
      return result.status();
    }
    if (const absl::Status right = check.Check(result->output); !right.ok()) {
      return right;
    }
    if (!measurement.CallEnded(start)) {
      return measurement.Result();
    }
  }
}

template <typename Request, typename Response>
absl::StatusOr<MeasurementResult> RunCalls(const RpcCase& rpc_case, const Workload& workload) {
  if (rpc_case.transfer == Transfer::kStream) {
    return StreamLoad<Request, Response>(rpc_case, workload).Run();
  }
  return UnaryLoad<Request, Response>(rpc_case, workload).Run();
}

}  // namespace

absl::StatusOr<MeasurementResult> Measure(const RpcCase& rpc_case) {
  const absl::StatusOr<Workload> workload = Workload::Create(rpc_case.tensor_bytes);
  if (!workload.ok()) {
    return workload.status();
  }
  if (rpc_case.transfer == Transfer::kClientLibrary) {
    return RunClientLibrary(rpc_case, *workload);
  }
  if (rpc_case.message_kind == MessageKind::kRaw) {
    return RunCalls<grpc::ByteBuffer, grpc::ByteBuffer>(rpc_case, *workload);
  }
  return RunCalls<v1::FakeQuantizeRequest, v1::FakeQuantizeResponse>(rpc_case, *workload);
}

}  // namespace quantd::bench
