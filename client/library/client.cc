#include "client/library/client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/library/channel.h"
#include "client/library/messages.h"
#include "wire/status.h"
#include "client/library/tensor_stream.h"
#include "core/base/error.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "quantd/v1/quantization_service.grpc.pb.h"

namespace quantd::client {
namespace {

// Protobuf's messages end at 2 GiB: far enough from it.
constexpr std::size_t kMaxMessageBytes = std::size_t{1} << 30U;

// Far enough from where the clocks' times end.
constexpr std::chrono::milliseconds kMaxTimeout = std::chrono::hours(24) * 365;

std::size_t RangeBytes(const core::Range& range) {
  return range.min.size_bytes() + range.max.size_bytes();
}

absl::Status CheckOutputSize(std::size_t size, std::size_t expected) {
  return size == expected ? absl::OkStatus()
                          : absl::InvalidArgumentError(
                                absl::StrCat("the output has room for ", size, " values; expected ",
                                             expected, ", as many as the input has"));
}

// The progress of a call with one message.
void TellTheEnd(const Progress& progress, const absl::Status& status, std::size_t element_count) {
  if (progress != nullptr && status.ok()) {
    progress(element_count, element_count);
  }
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
class Client::Connection {
 public:
  explicit Connection(const ClientOptions& options)
      : options_(options),
        channel_(CreateChannel(options.address, ChannelKind::kShared)),
        quantization_(v1::QuantizationService::NewStub(channel_)),
        health_(grpc::health::v1::Health::NewStub(channel_)),
        bytes_(channel_) {}

  v1::QuantizationService::Stub& quantization() { return *quantization_; }
  grpc::health::v1::Health::Stub& health() { return *health_; }

  // Makes one blocking call, `method` of `stub`.
  template <typename Stub, typename Request, typename Response>
  absl::Status Call(Stub& stub,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(Deadline());
    return NameAddress(ToAbslStatus((stub.*method)(&context, request, response)));
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
    grpc::Status grpc_status;
    call->Finish(&response, &grpc_status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    absl::Status status = NameAddress(ToAbslStatus(grpc_status));
    if (!status.ok()) {
      return status;
    }
    return response;
  }

  // Whether tensors of so many bytes are sent in parts. Those without elements
  // have none.
  bool Streams(std::size_t tensor_bytes, const core::Range& range) const {
    return tensor_bytes > 0 && tensor_bytes + RangeBytes(range) > options_.stream_from_bytes;
  }

  TensorStreamOptions stream_options() {
    return {.stub = bytes_,
            .timeout = options_.timeout,
            .message_bytes = options_.stream_message_bytes};
  }

  // The same for an answer that is its status.
  template <typename T>
  absl::StatusOr<T> NameAddress(absl::StatusOr<T> answer) const {
    return answer.ok() ? std::move(answer) : NameAddress(answer.status());
  }

  // Says in our words what gRPC says without the address that was asked for.
  // What the server itself answered stays as it is.
  absl::Status NameAddress(const absl::Status& status) const {
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

 private:
  std::chrono::system_clock::time_point Deadline() const {
    return std::chrono::system_clock::now() + options_.timeout;
  }

  ClientOptions options_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::QuantizationService::Stub> quantization_;
  std::unique_ptr<grpc::health::v1::Health::Stub> health_;
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
  return std::make_unique<Client>(Token(), std::make_unique<Connection>(options));
}

Client::Client(Token /*token*/, std::unique_ptr<Connection> connection)
    : connection_(std::move(connection)) {}

Client::~Client() = default;

absl::StatusOr<FakeQuantizeResult> Client::FakeQuantize(const TensorView& input,
                                                        const core::Range& range,
                                                        const core::QuantizationSpec& spec,
                                                        const Progress& progress) {
  FakeQuantizeResult result{.output = std::vector<float>(input.values.size()), .nudged_range = {}};
  absl::StatusOr<core::NudgedRange> nudged_range =
      FakeQuantizeInto(input, range, spec, result.output, progress);
  if (!nudged_range.ok()) {
    return nudged_range.status();
  }
  result.nudged_range = *std::move(nudged_range);
  return result;
}

absl::StatusOr<core::NudgedRange> Client::FakeQuantizeInto(const TensorView& input,
                                                           const core::Range& range,
                                                           const core::QuantizationSpec& spec,
                                                           std::span<float> output,
                                                           const Progress& progress) {
  const absl::Status fits = CheckOutputSize(output.size(), input.values.size());
  if (!fits.ok()) {
    return fits;
  }
  if (connection_->Streams(input.values.size_bytes(), range)) {
    return connection_->NameAddress(
        StreamFakeQuantize(connection_->stream_options(), input, range, spec, output, progress));
  }
  const absl::StatusOr<grpc::ByteBuffer> request =
      EncodeFakeQuantizeRequest(input, {.range = range, .spec = spec});
  if (!request.ok()) {
    return request.status();
  }
  const absl::StatusOr<grpc::ByteBuffer> response =
      connection_->Call("/quantd.v1.QuantizationService/FakeQuantize", *request);
  if (!response.ok()) {
    return response.status();
  }
  absl::StatusOr<core::NudgedRange> nudged_range =
      DecodeFakeQuantizeResponse(*response, range.min.size(), output);
  TellTheEnd(progress, nudged_range.status(), output.size());
  return nudged_range;
}

absl::StatusOr<FakeQuantizeGradientResult> Client::FakeQuantizeGradient(
    const TensorView& gradients, const TensorView& inputs, const core::Range& range,
    const core::QuantizationSpec& spec, const Progress& progress) {
  std::vector<float> input_gradients(inputs.values.size());
  absl::StatusOr<RangeGradients> range_gradients =
      FakeQuantizeGradientInto(gradients, inputs, range, spec, input_gradients, progress);
  if (!range_gradients.ok()) {
    return range_gradients.status();
  }
  return FakeQuantizeGradientResult{.input_gradients = std::move(input_gradients),
                                    .min_gradient = std::move(range_gradients->min),
                                    .max_gradient = std::move(range_gradients->max),
                                    .nudged_range = std::move(range_gradients->nudged_range)};
}

absl::StatusOr<RangeGradients> Client::FakeQuantizeGradientInto(const TensorView& gradients,
                                                                const TensorView& inputs,
                                                                const core::Range& range,
                                                                const core::QuantizationSpec& spec,
                                                                std::span<float> input_gradients,
                                                                const Progress& progress) {
  const absl::Status fits = CheckOutputSize(input_gradients.size(), inputs.values.size());
  if (!fits.ok()) {
    return fits;
  }
  if (connection_->Streams(gradients.values.size_bytes() + inputs.values.size_bytes(), range)) {
    return connection_->NameAddress(StreamFakeQuantizeGradient(
        connection_->stream_options(), gradients, inputs, range, spec, input_gradients, progress));
  }
  const absl::StatusOr<grpc::ByteBuffer> request =
      EncodeFakeQuantizeGradientRequest(gradients, inputs, {.range = range, .spec = spec});
  if (!request.ok()) {
    return request.status();
  }
  const absl::StatusOr<grpc::ByteBuffer> response =
      connection_->Call("/quantd.v1.QuantizationService/FakeQuantizeGradient", *request);
  if (!response.ok()) {
    return response.status();
  }
  absl::StatusOr<RangeGradients> range_gradients =
      DecodeFakeQuantizeGradientResponse(*response, range.min.size(), input_gradients);
  TellTheEnd(progress, range_gradients.status(), input_gradients.size());
  return range_gradients;
}

absl::StatusOr<ServerInfo> Client::GetServerInfo() {
  v1::GetServerInfoResponse response;
  const absl::Status status =
      connection_->Call(connection_->quantization(), &v1::QuantizationService::Stub::GetServerInfo,
                        v1::GetServerInfoRequest(), &response);
  if (!status.ok()) {
    return status;
  }
  return DecodeResponse(response);
}

absl::StatusOr<HealthStatus> Client::CheckHealth(const std::string& service) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  grpc::health::v1::HealthCheckResponse response;
  const absl::Status status = connection_->Call(
      connection_->health(), &grpc::health::v1::Health::Stub::Check, request, &response);
  if (absl::IsNotFound(status)) {
    return absl::NotFoundError(absl::StrCat("the server has no service named \"", service,
                                            "\"; expected a full name such as "
                                            "quantd.v1.QuantizationService, or none"));
  }
  if (!status.ok()) {
    return status;
  }
  switch (response.status()) {
    case grpc::health::v1::HealthCheckResponse::SERVING:
      return HealthStatus::kServing;
    case grpc::health::v1::HealthCheckResponse::NOT_SERVING:
      return HealthStatus::kNotServing;
    default:
      return HealthStatus::kUnknown;
  }
}

}  // namespace quantd::client
