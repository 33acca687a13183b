#include "client/library/client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/library/messages.h"
#include "client/library/parameters.h"
#include "client/library/server_address.h"
#include "client/library/servers.h"
#include "client/library/tensor_call.h"
#include "client/library/tensor_stream.h"
#include "client/library/token_file.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/tensor_shape.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "quantd/v1/quantization_service.grpc.pb.h"
#include "wire/methods.h"
#include "wire/operations.h"
#include "wire/status.h"

namespace quantd::client {
namespace {

// Well below 2 GiB, where protobuf's messages end.
constexpr std::size_t kMaxMessageBytes = std::size_t{1} << 30U;

// Well below the end of the clocks' times.
constexpr std::chrono::milliseconds kMaxTimeout = std::chrono::hours(24) * 365;

// Returns memory for the elements of a result of this type. Their number is that of the
// input's shape, whose elements may be packed, unless the two do not fit: then it is
// small, and the call will fail.
Elements MakeOutput(const TensorView& input, core::ElementType type) {
  const absl::StatusOr<std::size_t> count = core::ElementCount(input.shape);
  const bool fits = count.ok() && input.bytes.size() == core::ElementBytes(input.type, *count);
  return {type, fits ? *count : 0};
}

// Rounds the gradients of all channels, once they are complete.
std::vector<float> Rounded(std::span<const double> gradients) {
  std::vector<float> rounded(gradients.size());
  std::ranges::transform(gradients, rounded.begin(),
                         [](double gradient) { return static_cast<float>(gradient); });
  return rounded;
}

}  // namespace

std::string_view HealthStatusName(HealthStatus status) {
  switch (status) {
    case HealthStatus::kServing:
      return "SERVING";
    case HealthStatus::kNotServing:
      return "NOT_SERVING";
    case HealthStatus::kUnknown:
      break;
  }
  return "UNKNOWN";
}

// The servers, and what all calls share.
class Client::Impl {
 public:
  Impl(const ClientOptions& options, std::span<const ServerAddress> addresses)
      : options_(options),
        servers_(addresses, options.security),
        token_(options.security.token_file) {}

  // Makes one blocking call, `method` of the stub that is `stub` of a server.
  template <typename Stub, typename Request, typename Response>
  absl::Status Call(const std::unique_ptr<Stub> Server::*stub,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    const Clock::time_point deadline = Clock::now() + options_.timeout;
    return MakeTries([&](const Server& server, const std::string& authorization) {
      grpc::ClientContext context;
      Prepare(deadline, authorization, context);
      const grpc::Status status = ((*(server.*stub)).*method)(&context, request, response);
      return Attempt{.end = EndOf(status, context), .deadline = deadline};
    });
  }

  // Makes a call with tensors, in one message or in parts.
  absl::StatusOr<AnswerParameters> Run(const TensorCall& call, const Progress& progress) {
    RETURN_IF_ERROR(CheckSizes(call));
    ASSIGN_OR_RETURN(AnswerParameters answer,
                     CanBeCut(call) && call.size_bytes() > options_.stream_from_bytes
                         ? RunInParts(call, progress)
                         : RunInOneMessage(call, progress));
    answer.parameters.axis = AxisOf(call.parameters);
    answer.parameters.block_size = BlockSizeOf(call.parameters);
    return answer;
  }

 private:
  using Clock = std::chrono::steady_clock;

  // One try of a call.
  struct Attempt {
    TryEnd end;
    // Until when the call has to be done.
    Clock::time_point deadline;
    // Whether it has brought the call on, although it has failed.
    bool made_progress = false;
  };

  // Calls `attempt` with one server after another until it succeeds, or another try is of no use.
  absl::Status MakeTries(const std::function<Attempt(const Server& server,
                                                     const std::string& authorization)>& attempt) {
    Tries tries(options_.retry, servers_.size(), &budget_);
    std::size_t index = servers_.Choose();
    while (true) {
      ASSIGN_OR_RETURN(const std::string authorization, token_.AuthorizationHeader());
      const Server& server = servers_[index];
      const Attempt made = attempt(server, authorization);
      if (made.end.status.ok()) {
        budget_.Earn();
        servers_.NoteAnswer(index);
        return absl::OkStatus();
      }
      if (made.made_progress) {
        tries.Progress();
      }
      const std::optional<Clock::duration> wait =
          tries.Fail(server.address.text, made.end, made.deadline);
      if (!wait.has_value()) {
        return tries.Summarize(WithAddress(made.end.status, server.address));
      }
      std::this_thread::sleep_for(*wait);
      index = servers_.ChooseAfter(index);
    }
  }

  absl::StatusOr<AnswerParameters> RunInParts(const TensorCall& call, const Progress& progress) {
    ASSIGN_OR_RETURN(TensorStream stream,
                     TensorStream::Make(call, {.timeout = options_.timeout,
                                               .message_bytes = options_.stream_message_bytes}));
    RETURN_IF_ERROR(MakeTries([&](const Server& server, const std::string& authorization) {
      const std::size_t done = stream.elements_done();
      TryEnd end = stream.Try(authorization, progress, server.bytes.get());
      return Attempt{.end = std::move(end),
                     .deadline = stream.deadline(),
                     .made_progress = stream.elements_done() > done};
    }));
    return stream.TakeAnswer();
  }

  absl::StatusOr<AnswerParameters> RunInOneMessage(const TensorCall& call,
                                                   const Progress& progress) {
    ASSIGN_OR_RETURN(const grpc::ByteBuffer request,
                     EncodeRequest(call.operation, call.inputs, AllParameters(call)));
    const wire::Method& method =
        wire::kMethods[wire::MethodIndex(call.operation, wire::Transfer::kUnary)];
    ASSIGN_OR_RETURN(const grpc::ByteBuffer response, Call(std::string(method.path), request));
    ASSIGN_OR_RETURN(const core::ParameterLayout layout, LayoutOf(call.shape(), call.parameters));
    ASSIGN_OR_RETURN(
        AnswerParameters answer,
        DecodeResponse(call.operation, wire::Transfer::kUnary, response,
                       ExpectationOf(call.parameters, call.spec, layout), call.output));
    if (progress != nullptr) {
      progress(call.element_count(), call.element_count());
    }
    return answer;
  }

  // Makes one blocking call with messages as bytes; `method` is
  // "/package.Service/Method".
  absl::StatusOr<grpc::ByteBuffer> Call(const std::string& method,
                                        const grpc::ByteBuffer& request) {
    const Clock::time_point deadline = Clock::now() + options_.timeout;
    grpc::ByteBuffer response;
    RETURN_IF_ERROR(MakeTries([&](const Server& server, const std::string& authorization) {
      grpc::ClientContext context;
      Prepare(deadline, authorization, context);
      const grpc::Status status = CallOnce(method, request, *server.bytes, context, response);
      return Attempt{.end = EndOf(status, context), .deadline = deadline};
    }));
    return response;
  }

  static grpc::Status CallOnce(const std::string& method, const grpc::ByteBuffer& request,
                               grpc::GenericStub& stub, grpc::ClientContext& context,
                               grpc::ByteBuffer& response) {
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
    call->StartCall();
    grpc::Status status;
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return status;
  }

  static void Prepare(Clock::time_point deadline, const std::string& authorization,
                      grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + (deadline - Clock::now()));
    if (!authorization.empty()) {
      context.AddMetadata("authorization", authorization);
    }
  }

  // Names the server's address in errors that gRPC made without it. The server's
  // own errors stay as they are.
  absl::Status WithAddress(const absl::Status& status, const ServerAddress& server) const {
    if (core::GetErrorDetail(status).has_value()) {
      return status;
    }
    if (absl::IsUnavailable(status)) {
      const std::string way = server.is_local || options_.proxy.empty()
                                  ? std::string()
                                  : absl::StrCat(" through the proxy ", options_.proxy);
      return absl::UnavailableError(
          absl::StrCat("no answer from ", server.text, way, " (", status.message(),
                       "): check the address, and that quantd runs",
                       way.empty() ? "" : ", or exclude it from the proxy with no_proxy"));
    }
    if (absl::IsDeadlineExceeded(status)) {
      return absl::DeadlineExceededError(
          absl::StrCat("no answer from ", server.text, " within ", options_.timeout.count(),
                       " ms: allow more time, or check that quantd runs there"));
    }
    return status;
  }

  const ClientOptions options_;
  Servers servers_;
  TokenFile token_;
  RetryBudget budget_;
};

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(const ClientOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<ServerAddress> addresses,
                   ParseServerAddresses(options.address));
  RETURN_IF_ERROR(CheckSecurity(options.security, addresses));
  if (options.timeout <= std::chrono::milliseconds::zero() || options.timeout > kMaxTimeout) {
    return absl::InvalidArgumentError(absl::StrCat("the timeout is ", options.timeout.count(),
                                                   " ms; expected 1 to ", kMaxTimeout.count(),
                                                   " ms, a year"));
  }
  if (std::max(options.stream_from_bytes, options.stream_message_bytes) > kMaxMessageBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "stream_from_bytes is ", options.stream_from_bytes, " and stream_message_bytes is ",
        options.stream_message_bytes, "; expected at most ", kMaxMessageBytes, ", 1 GiB, each"));
  }
  return absl::WrapUnique(new Client(std::make_unique<Impl>(options, addresses)));
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Client::~Client() = default;

absl::StatusOr<FakeQuantizeResult> Client::FakeQuantize(
    const TensorView& input, const core::QuantizationParameters& parameters,
    const core::QuantizationSpec& spec, const Progress& progress) {
  Elements output = MakeOutput(input, input.type);
  ASSIGN_OR_RETURN(UsedRange used,
                   FakeQuantizeInto(input, parameters, spec, output.output(), progress));
  return FakeQuantizeResult{.output = std::move(output),
                            .nudged_range = std::move(used.nudged_range),
                            .numerics = used.numerics};
}

absl::StatusOr<UsedRange> Client::FakeQuantizeInto(const TensorView& input,
                                                   const core::QuantizationParameters& parameters,
                                                   const core::QuantizationSpec& spec,
                                                   const core::OutputView& output,
                                                   const Progress& progress) {
  ASSIGN_OR_RETURN(AnswerParameters answer,
                   impl_->Run({.operation = wire::kOperationIndex<wire::FakeQuantize>,
                               .inputs = {&input, 1},
                               .parameters = WithDataRange(parameters),
                               .spec = spec,
                               .output = output},
                              progress));
  return UsedRange{.nudged_range = std::move(answer.nudged_range), .numerics = answer.numerics};
}

absl::StatusOr<FakeQuantizeGradientResult> Client::FakeQuantizeGradient(
    const TensorView& gradients, const TensorView& inputs,
    const core::QuantizationParameters& parameters, const core::QuantizationSpec& spec,
    const Progress& progress) {
  Elements input_gradients = MakeOutput(inputs, inputs.type);
  ASSIGN_OR_RETURN(RangeGradients range_gradients,
                   FakeQuantizeGradientInto(gradients, inputs, parameters, spec,
                                            input_gradients.output(), progress));
  return FakeQuantizeGradientResult{.input_gradients = std::move(input_gradients),
                                    .min_gradient = std::move(range_gradients.min),
                                    .max_gradient = std::move(range_gradients.max),
                                    .nudged_range = std::move(range_gradients.nudged_range),
                                    .numerics = range_gradients.numerics};
}

absl::StatusOr<RangeGradients> Client::FakeQuantizeGradientInto(
    const TensorView& gradients, const TensorView& inputs,
    const core::QuantizationParameters& parameters, const core::QuantizationSpec& spec,
    const core::OutputView& input_gradients, const Progress& progress) {
  const std::array tensors = {gradients, inputs};
  ASSIGN_OR_RETURN(AnswerParameters answer,
                   impl_->Run({.operation = wire::kOperationIndex<wire::FakeQuantizeGradient>,
                               .inputs = tensors,
                               .parameters = WithDataRange(parameters),
                               .spec = spec,
                               .output = input_gradients},
                              progress));
  return RangeGradients{.min = Rounded(answer.min_gradient),
                        .max = Rounded(answer.max_gradient),
                        .nudged_range = std::move(answer.nudged_range),
                        .numerics = answer.numerics};
}

absl::StatusOr<QuantizeResult> Client::Quantize(const TensorView& input,
                                                const QuantizeParameters& parameters,
                                                const core::QuantizationSpec& spec,
                                                core::ElementType output_type,
                                                const Progress& progress) {
  Elements output = MakeOutput(input, output_type);
  ASSIGN_OR_RETURN(UsedCodes used,
                   QuantizeInto(input, parameters, spec, output.output(), progress));
  return QuantizeResult{.output = std::move(output),
                        .parameters = std::move(used.parameters),
                        .nudged_range = std::move(used.nudged_range),
                        .numerics = used.numerics};
}

absl::StatusOr<UsedCodes> Client::QuantizeInto(const TensorView& input,
                                               const QuantizeParameters& parameters,
                                               const core::QuantizationSpec& spec,
                                               const core::OutputView& output,
                                               const Progress& progress) {
  ASSIGN_OR_RETURN(AnswerParameters answer,
                   impl_->Run({.operation = wire::kOperationIndex<wire::Quantize>,
                               .inputs = {&input, 1},
                               .parameters = parameters,
                               .spec = spec,
                               .output = output},
                              progress));
  return UsedCodes{.parameters = std::move(answer.parameters),
                   .nudged_range = std::move(answer.nudged_range),
                   .numerics = answer.numerics};
}

absl::StatusOr<DequantizeResult> Client::Dequantize(const TensorView& codes,
                                                    const core::QuantizationParameters& parameters,
                                                    const core::QuantizationSpec& spec,
                                                    core::ElementType output_type,
                                                    const Progress& progress) {
  Elements output = MakeOutput(codes, output_type);
  ASSIGN_OR_RETURN(const core::Numerics numerics,
                   DequantizeInto(codes, parameters, spec, output.output(), progress));
  return DequantizeResult{.output = std::move(output), .numerics = numerics};
}

absl::StatusOr<core::Numerics> Client::DequantizeInto(
    const TensorView& codes, const core::QuantizationParameters& parameters,
    const core::QuantizationSpec& spec, const core::OutputView& output, const Progress& progress) {
  ASSIGN_OR_RETURN(const AnswerParameters answer,
                   impl_->Run({.operation = wire::kOperationIndex<wire::Dequantize>,
                               .inputs = {&codes, 1},
                               .parameters = WithDataRange(parameters),
                               .spec = spec,
                               .output = output},
                              progress));
  return answer.numerics;
}

absl::StatusOr<ServerInfo> Client::GetServerInfo() {
  v1::GetServerInfoResponse response;
  RETURN_IF_ERROR(impl_->Call(&Server::quantization, &v1::QuantizationService::Stub::GetServerInfo,
                              v1::GetServerInfoRequest(), &response));
  return DecodeServerInfo(response);
}

absl::StatusOr<HealthStatus> Client::CheckHealth(const std::string& service) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  grpc::health::v1::HealthCheckResponse response;
  const absl::Status status =
      impl_->Call(&Server::health, &grpc::health::v1::Health::Stub::Check, request, &response);
  if (absl::IsNotFound(status)) {
    return absl::NotFoundError(absl::StrCat("the server has no service named \"", service,
                                            "\"; expected a full name such as "
                                            "quantd.v1.QuantizationService, or none"));
  }
  RETURN_IF_ERROR(status);
  switch (response.status()) {
    case grpc::health::v1::HealthCheckResponse::SERVING:
      return HealthStatus::kServing;
    case grpc::health::v1::HealthCheckResponse::NOT_SERVING:
      return HealthStatus::kNotServing;
    default:
      return HealthStatus::kUnknown;
  }
}

FakeQuantizationPasses MakePasses(const TensorView& input, const core::QuantizationSpec& spec,
                                  Client* client) {
  return {
      .forward = [client, input, spec](
                     const core::Range& range) { return client->FakeQuantize(input, range, spec); },
      .backward =
          [client, input, spec](std::span<const float> gradients, const core::Range& range) {
            std::vector<float> input_gradients(input.element_count());
            return client->FakeQuantizeGradientInto({input.shape, gradients}, input, range, spec,
                                                    std::span(input_gradients));
          }};
}

}  // namespace quantd::client
