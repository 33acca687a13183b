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
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "bench/workload.h"
#include "client/library/client.h"
#include "core/base/mutex.h"
#include "core/base/status_macros.h"
#include "quantd/v1/quantization_service.pb.h"
#include "wire/methods.h"
#include "wire/operations.h"
#include "wire/status.h"

namespace quantd::bench {
namespace {

// Ends the benchmark of a server that hangs.
constexpr std::chrono::seconds kDeadline{120};

// Returns the path of the method that is measured.
std::string PathOf(wire::Transfer transfer) {
  constexpr std::size_t kOperation = wire::kOperationIndex<wire::FakeQuantize>;
  return std::string(wire::kMethods[wire::MethodIndex(kOperation, transfer)].path);
}

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
  const auto credentials = rpc_case.root_certificates.empty()
                               ? grpc::InsecureChannelCredentials()
                               : grpc::SslCredentials({.pem_root_certs = rpc_case.root_certificates,
                                                       .pem_private_key = "",
                                                       .pem_cert_chain = ""});
  return grpc::CreateCustomChannel(rpc_case.server_address, credentials, arguments);
}

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
}

// Names what is missing, which gRPC does not.
absl::Status ToAbslStatus(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNIMPLEMENTED
             ? absl::UnimplementedError("the server does not offer this method")
             : wire::ToAbslStatus(status);
}

// The first error of many calls. Safe for several threads.
class FirstError {
 public:
  // Keeps `status` if it is the first error. Returns true if it is not an error.
  bool Note(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    const core::MutexLock lock(&mutex_);
    status_.Update(status);
    return status.ok();
  }

  absl::Status status() const ABSL_LOCKS_EXCLUDED(mutex_) {
    const core::MutexLock lock(&mutex_);
    return status_;
  }

 private:
  mutable core::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

// Unary calls: the end of each one starts the next.
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
    RETURN_IF_ERROR(first_error_.status());
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
    stub_.UnaryCall(&*slot.context, path_, {}, &request_, &slot.response,
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

  const std::string path_ = PathOf(wire::Transfer::kUnary);
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
    stub_.PrepareBidiStreamingCall(&context_, PathOf(wire::Transfer::kStream), {}, this);
    this->StartRead(&response_);
    Go(FirstStep());
    this->StartCall();
    ended_.WaitForNotification();
    RETURN_IF_ERROR(first_error_.status());
    return measurement_.Result();
  }

 private:
  enum class Step { kNone, kWrite, kClose };

  void OnWriteDone(bool ok) override { Go(StepAfterWrite(ok)); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      return;
    }
    const bool right = first_error_.Note(check_.Check(response_));
    response_ = Response();
    Go(StepAfterRead(right));
    this->StartRead(&response_);
  }

  void OnDone(const grpc::Status& status) override {
    first_error_.Note(ToAbslStatus(status));
    ended_.Notify();
  }

  Step FirstStep() ABSL_LOCKS_EXCLUDED(mutex_) {
    const core::MutexLock lock(&mutex_);
    return NextStep();
  }

  Step StepAfterWrite(bool ok) ABSL_LOCKS_EXCLUDED(mutex_) {
    const core::MutexLock lock(&mutex_);
    writing_ = false;
    // If the stream is broken, OnDone() gets the reason.
    closed_ = closed_ || !ok;
    return NextStep();
  }

  Step StepAfterRead(bool right) ABSL_LOCKS_EXCLUDED(mutex_) {
    const core::MutexLock lock(&mutex_);
    const bool again = measurement_.CallEnded(starts_.front());
    enough_ = enough_ || !again || !right;
    starts_.pop_front();
    return NextStep();
  }

  // Returns what can be started now. Only one step may run at a time.
  Step NextStep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
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
  core::Mutex mutex_;
  // When the requests were sent that are not answered yet.
  std::deque<Clock::time_point> starts_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool enough_ ABSL_GUARDED_BY(mutex_) = false;
  // Nothing more will be sent.
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Notification ended_;
};

// Makes blocking calls with quantd's client library, one after another.
absl::StatusOr<MeasurementResult> RunClientLibrary(const RpcCase& rpc_case,
                                                   const Workload& workload) {
  ASSIGN_OR_RETURN(
      const std::unique_ptr<client::Client> client,
      client::Client::Connect({.address = rpc_case.server_address,
                               .security = {.tls = !rpc_case.root_certificates.empty(),
                                            .root_certificates = rpc_case.root_certificates},
                               .timeout = kDeadline}));
  AnswerCheck check(workload, rpc_case.answer);
  Measurement measurement(rpc_case.limits, rpc_case.server_process);
  for (;;) {
    const Clock::time_point start = Clock::now();
    ASSIGN_OR_RETURN(const client::FakeQuantizeResult result,
                     client->FakeQuantize({workload.shape(), workload.values()}, workload.range(),
                                          workload.spec()));
    RETURN_IF_ERROR(check.Check(result.output.values<float>()));
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
  ASSIGN_OR_RETURN(const Workload workload, Workload::Create(rpc_case.tensor_bytes));
  if (rpc_case.transfer == Transfer::kClientLibrary) {
    return RunClientLibrary(rpc_case, workload);
  }
  if (rpc_case.message_kind == MessageKind::kRaw) {
    return RunCalls<grpc::ByteBuffer, grpc::ByteBuffer>(rpc_case, workload);
  }
  return RunCalls<v1::FakeQuantizeRequest, v1::FakeQuantizeResponse>(rpc_case, workload);
}

}  // namespace quantd::bench
