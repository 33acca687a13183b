#include "client/client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/messages.h"
#include "client/status.h"
#include "core/error.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "quantd/v1/quantization_service.grpc.pb.h"

namespace quantd::client {
namespace {

// Tensors are as large as the server lets them be: the limit is its business.
grpc::ChannelArguments UnlimitedMessages() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  return arguments;
}

std::size_t ChannelCount(const core::Range& range) {
  return std::max(range.min.size(), range.max.size());
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
        channel_(grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(),
                                           UnlimitedMessages())),
        quantization_(v1::QuantizationService::NewStub(channel_)),
        health_(grpc::health::v1::Health::NewStub(channel_)) {}

  v1::QuantizationService::Stub& quantization() { return *quantization_; }
  grpc::health::v1::Health::Stub& health() { return *health_; }

  // Makes one blocking call, `method` of `stub`.
  template <typename Stub, typename Request, typename Response>
  absl::Status Call(Stub& stub,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + options_.timeout);
    return NameAddress(ToAbslStatus((stub.*method)(&context, request, response)));
  }

 private:
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

  ClientOptions options_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::QuantizationService::Stub> quantization_;
  std::unique_ptr<grpc::health::v1::Health::Stub> health_;
};

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(const ClientOptions& options) {
  if (options.address.empty()) {
    return absl::InvalidArgumentError(
        "the server's address is empty; expected HOST:PORT or unix:PATH, such as localhost:50051");
  }
  if (options.timeout <= std::chrono::milliseconds::zero()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the timeout is ", options.timeout.count(), " ms; expected at least 1 ms"));
  }
  return std::make_unique<Client>(Token(), std::make_unique<Connection>(options));
}

Client::Client(Token /*token*/, std::unique_ptr<Connection> connection)
    : connection_(std::move(connection)) {}

Client::~Client() = default;

absl::StatusOr<FakeQuantizeResult> Client::FakeQuantize(const TensorView& input,
                                                        const core::Range& range,
                                                        const core::QuantizationSpec& spec) {
  const absl::Status fits =
      CheckMessageSize(input.values.size(), input.shape.size(), ChannelCount(range));
  if (!fits.ok()) {
    return fits;
  }
  v1::FakeQuantizeRequest request;
  EncodeRequest(input, range, spec, &request);
  v1::FakeQuantizeResponse response;
  const absl::Status status =
      connection_->Call(connection_->quantization(), &v1::QuantizationService::Stub::FakeQuantize,
                        request, &response);
  if (!status.ok()) {
    return status;
  }
  return DecodeResponse(response, input.values.size(), range.min.size());
}

absl::StatusOr<FakeQuantizeGradientResult> Client::FakeQuantizeGradient(
    const TensorView& gradients, const TensorView& inputs, const core::Range& range,
    const core::QuantizationSpec& spec) {
  const absl::Status fits =
      CheckMessageSize(gradients.values.size() + inputs.values.size(),
                       gradients.shape.size() + inputs.shape.size(), ChannelCount(range));
  if (!fits.ok()) {
    return fits;
  }
  v1::FakeQuantizeGradientRequest request;
  EncodeRequest(gradients, inputs, range, spec, &request);
  v1::FakeQuantizeGradientResponse response;
  const absl::Status status =
      connection_->Call(connection_->quantization(),
                        &v1::QuantizationService::Stub::FakeQuantizeGradient, request, &response);
  if (!status.ok()) {
    return status;
  }
  return DecodeResponse(response, inputs.values.size(), range.min.size());
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
