#include "tests/client/test_server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "core/error.h"
#include "core/fake_quantization.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace quantd::client {
namespace {

std::vector<float> Values(const v1::Tensor& tensor) {
  std::vector<float> values(tensor.data().size() / sizeof(float));
  if (!values.empty()) {
    std::memcpy(values.data(), tensor.data().data(), values.size() * sizeof(float));
  }
  return values;
}

template <typename T>
std::span<const T> Span(const google::protobuf::RepeatedField<T>& field) {
  return {field.data(), static_cast<std::size_t>(field.size())};
}

void SetTensor(const v1::Tensor& like, std::span<const float> values, v1::Tensor* tensor) {
  tensor->set_data_type(v1::DATA_TYPE_FLOAT32);
  *tensor->mutable_shape() = like.shape();
  tensor->set_data(values.data(), values.size_bytes());
}

void SetNudgedRange(const core::NudgedRange& range, v1::NudgedRange* message) {
  message->mutable_min()->Add(range.min.begin(), range.min.end());
  message->mutable_max()->Add(range.max.begin(), range.max.end());
  message->mutable_scale()->Add(range.scale.begin(), range.scale.end());
  message->mutable_zero_point()->Add(range.zero_point.begin(), range.zero_point.end());
}

absl::StatusOr<core::FakeQuantization> Create(const v1::Tensor& tensor, const v1::Range& range,
                                              const v1::QuantizationSpec& spec) {
  return core::FakeQuantization::Create(
      Span(tensor.shape()),
      {.min = Span(range.min()),
       .max = Span(range.max()),
       .axis = range.has_axis() ? std::optional(range.axis()) : std::nullopt},
      {.num_bits = spec.num_bits(),
       .narrow_range = spec.narrow_range(),
       .numerics = spec.numerics() == v1::NUMERICS_TENSORFLOW_ARGS ? core::Numerics::kTensorFlowArgs
                                                                   : core::Numerics::kTensorFlow});
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  google::rpc::Status rich;
  rich.set_code(static_cast<int>(status.code()));
  rich.set_message(std::string(status.message()));
  const std::optional<core::ErrorDetail> detail = core::GetErrorDetail(status);
  if (detail.has_value()) {
    google::rpc::ErrorInfo info;
    info.set_domain("quantd");
    info.set_reason(detail->reason);
    info.mutable_metadata()->insert(detail->metadata.begin(), detail->metadata.end());
    rich.add_details()->PackFrom(info);
    google::rpc::BadRequest bad_request;
    bad_request.add_field_violations()->set_field(detail->field);
    rich.add_details()->PackFrom(bad_request);
  }
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
          rich.SerializeAsString()};
}

grpc::Status TestService::FakeQuantize(grpc::ServerContext* context,
                                       const v1::FakeQuantizeRequest* request,
                                       v1::FakeQuantizeResponse* response) {
  const auto quantization = Create(request->input(), request->range(), request->spec());
  if (!quantization.ok()) {
    return ToGrpcStatus(quantization.status());
  }
  const std::vector<float> input = Values(request->input());
  std::vector<float> output(input.size());
  const absl::Status status = quantization->Apply(input, output, nullptr);
  if (!status.ok()) {
    return ToGrpcStatus(status);
  }
  SetTensor(request->input(), output, response->mutable_output());
  SetNudgedRange(quantization->nudged_range(), response->mutable_nudged_range());
  return edit_answer ? edit_answer(context, response) : grpc::Status::OK;
}

grpc::Status TestService::FakeQuantizeGradient(grpc::ServerContext* /*context*/,
                                               const v1::FakeQuantizeGradientRequest* request,
                                               v1::FakeQuantizeGradientResponse* response) {
  const auto quantization = Create(request->inputs(), request->range(), request->spec());
  if (!quantization.ok()) {
    return ToGrpcStatus(quantization.status());
  }
  const std::vector<float> inputs = Values(request->inputs());
  std::vector<float> input_gradients(inputs.size());
  std::vector<float> min(quantization->channel_count());
  std::vector<float> max(quantization->channel_count());
  const absl::Status status =
      quantization->ApplyGradient(Values(request->gradients()), inputs,
                                  {.input = input_gradients, .min = min, .max = max}, nullptr);
  if (!status.ok()) {
    return ToGrpcStatus(status);
  }
  SetTensor(request->inputs(), input_gradients, response->mutable_input_gradients());
  response->mutable_min_gradient()->Add(min.begin(), min.end());
  response->mutable_max_gradient()->Add(max.begin(), max.end());
  SetNudgedRange(quantization->nudged_range(), response->mutable_nudged_range());
  return grpc::Status::OK;
}

grpc::Status TestService::GetServerInfo(grpc::ServerContext* /*context*/,
                                        const v1::GetServerInfoRequest* /*request*/,
                                        v1::GetServerInfoResponse* response) {
  response->set_version("1.2.3");
  response->set_simd_target("AVX3");
  response->add_supported_simd_targets("AVX3");
  response->add_supported_simd_targets("AVX2");
  response->add_data_types(v1::DATA_TYPE_FLOAT32);
  response->mutable_data_types()->Add(99);
  response->set_max_message_bytes(std::uint64_t{1} << 40U);
  response->set_max_in_flight_bytes(7);
  response->set_worker_threads(2);
  return grpc::Status::OK;
}

TestServer::TestServer(TestService* service, const std::string& address) : address_(address) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.SetMaxReceiveMessageSize(-1);
  builder.RegisterService(service);
  server_ = builder.BuildAndStart();
  EXPECT_NE(server_, nullptr) << "cannot listen on " << address;
  if (address == "127.0.0.1:0") {
    address_ = "127.0.0.1:" + std::to_string(port);
  }
}

TestServer::~TestServer() { server_->Shutdown(std::chrono::system_clock::now()); }

void TestServer::SetServing(bool serving) {
  server_->GetHealthCheckService()->SetServingStatus(serving);
}

}  // namespace quantd::client
