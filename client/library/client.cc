#include "client/library/client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/library/channel.h"
#include "client/library/messages.h"
#include "client/library/parameters.h"
#include "client/library/tensor_call.h"
#include "client/library/tensor_stream.h"
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

// The channel and its stubs.
class Client::Impl {
 public:
  explicit Impl(const ClientOptions& options)
      : options_(options),
        channel_(CreateChannel(options.address, ChannelKind::kShared)),
        quantization_(v1::QuantizationService::NewStub(channel_)),
        health_(grpc::health::v1::Health::NewStub(channel_)),
        bytes_(channel_) {}

  v1::QuantizationService::Stub* quantization() { return quantization_.get(); }
  grpc::health::v1::Health::Stub* health() { return health_.get(); }

  // Makes one blocking call, `method` of `stub`.
  template <typename Stub, typename Request, typename Response>
  absl::Status Call(Stub* stub,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(Deadline());
    return WithAddress(wire::ToAbslStatus((stub->*method)(&context, request, response)));
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
  absl::StatusOr<AnswerParameters> RunInParts(const TensorCall& call, const Progress& progress) {
    const TensorStreamOptions options{.timeout = options_.timeout,
                                      .message_bytes = options_.stream_message_bytes};
    absl::StatusOr<AnswerParameters> answer = RunTensorStream(call, options, progress, &bytes_);
    return answer.ok() ? std::move(answer) : WithAddress(answer.status());
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
    grpc::ClientContext context;
    context.set_deadline(Deadline());
    grpc::CompletionQueue queue;
    const auto call = bytes_.PrepareUnaryCall(&context, method, request, &queue);
    call->StartCall();
    grpc::ByteBuffer response;
    grpc::Status status;
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    RETURN_IF_ERROR(WithAddress(wire::ToAbslStatus(status)));
    return response;
  }

  // Names the server's address in errors that gRPC made without it. The server's
  // own errors stay as they are.
  absl::Status WithAddress(const absl::Status& status) const {
    if (core::GetErrorDetail(status).has_value()) {
      return status;
    }
    if (absl::IsUnavailable(status)) {
      return absl::UnavailableError(absl::StrCat("no answer from ", options_.address, " (",
                                                 status.message(),
                                                 "): check the address, and that quantd runs"));
    }
    if (absl::IsDeadlineExceeded(status)) {
      return absl::DeadlineExceededError(
          absl::StrCat("no answer from ", options_.address, " within ", options_.timeout.count(),
                       " ms: allow more time, or check that quantd runs there"));
    }
    return status;
  }

  std::chrono::system_clock::time_point Deadline() const {
    return std::chrono::system_clock::now() + options_.timeout;
  }

  const ClientOptions options_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::QuantizationService::Stub> quantization_;
  const std::unique_ptr<grpc::health::v1::Health::Stub> health_;
  // For messages that are encoded and decoded here.
  grpc::GenericStub bytes_;
};

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(const ClientOptions& options) {
  if (options.address.empty()) {
    return absl::InvalidArgumentError(
        "the server's address is empty; expected HOST:PORT or unix:PATH, such as localhost:50051");
  }
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
  return absl::WrapUnique(new Client(std::make_unique<Impl>(options)));
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
  RETURN_IF_ERROR(impl_->Call(impl_->quantization(), &v1::QuantizationService::Stub::GetServerInfo,
                              v1::GetServerInfoRequest(), &response));
  return DecodeServerInfo(response);
}

absl::StatusOr<HealthStatus> Client::CheckHealth(const std::string& service) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  grpc::health::v1::HealthCheckResponse response;
  const absl::Status status =
      impl_->Call(impl_->health(), &grpc::health::v1::Health::Stub::Check, request, &response);
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
