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

#include "core/base/error.h"
#include "core/fake_quantization.h"
#include "core/reference.h"
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

core::Range ToRange(const v1::Range& range) {
  return {.min = Span(range.min()),
          .max = Span(range.max()),
          .axis = range.has_axis() ? std::optional(range.axis()) : std::nullopt};
}

core::QuantizationSpec ToSpec(const v1::QuantizationSpec& spec) {
  return {.num_bits = spec.num_bits(),
          .narrow_range = spec.narrow_range(),
          .numerics = spec.numerics() == v1::NUMERICS_TENSORFLOW_ARGS
                          ? core::Numerics::kTensorFlowArgs
                          : core::Numerics::kTensorFlow};
}

absl::StatusOr<core::FakeQuantization> Create(const v1::Tensor& tensor, const v1::Range& range,
                                              const v1::QuantizationSpec& spec) {
  return core::FakeQuantization::Create(Span(tensor.shape()), ToRange(range), ToSpec(spec));
}

template <typename Request>
void InheritFrom(const Request& last, Request* request) {
  if (!request->has_range()) {
    *request->mutable_range() = last.range();
  }
  if (!request->has_spec()) {
    *request->mutable_spec() = last.spec();
  }
}

absl::Status AtMessage(int index, const absl::Status& status) {
  std::optional<core::ErrorDetail> detail = core::GetErrorDetail(status);
  if (!detail.has_value()) {
    return status;
  }
  detail->metadata["message_index"] = std::to_string(index);
  return core::MakeError(status.code(), std::string(status.message()), *detail);
}

absl::Status Answer(const v1::FakeQuantizeRequest& request, v1::FakeQuantizeResponse* response) {
  const auto quantization = Create(request.input(), request.range(), request.spec());
  if (!quantization.ok()) {
    return quantization.status();
  }
  const std::vector<float> input = Values(request.input());
  std::vector<float> output(input.size());
  absl::Status status = quantization->Apply(input, output, nullptr);
  if (!status.ok()) {
    return status;
  }
  SetTensor(request.input(), output, response->mutable_output());
  SetNudgedRange(quantization->nudged_range(), response->mutable_nudged_range());
  return absl::OkStatus();
}

absl::Status Answer(const v1::FakeQuantizeGradientRequest& request,
                    v1::FakeQuantizeGradientResponse* response) {
  const auto quantization = Create(request.inputs(), request.range(), request.spec());
  if (!quantization.ok()) {
    return quantization.status();
  }
  const auto gradients = core::reference::FakeQuantizeGradient(
      Span(request.inputs().shape()), Values(request.gradients()), Values(request.inputs()),
      ToRange(request.range()), ToSpec(request.spec()));
  if (!gradients.ok()) {
    return gradients.status();
  }
  SetTensor(request.inputs(), gradients->input, response->mutable_input_gradients());
  for (std::size_t channel = 0; channel < gradients->min.size(); ++channel) {
    response->add_min_gradient(static_cast<float>(gradients->min[channel]));
    response->add_max_gradient(static_cast<float>(gradients->max[channel]));
    response->add_min_gradient_sum(gradients->min[channel]);
    response->add_max_gradient_sum(gradients->max[channel]);
  }
  SetNudgedRange(quantization->nudged_range(), response->mutable_nudged_range());
  return absl::OkStatus();
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) {
    return grpc::Status::OK;
  }
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
  grpc::Status status = ToGrpcStatus(Answer(*request, response));
  return status.ok() && edit_answer ? edit_answer(context, response) : status;
}

grpc::Status TestService::FakeQuantizeGradient(grpc::ServerContext* context,
                                               const v1::FakeQuantizeGradientRequest* request,
                                               v1::FakeQuantizeGradientResponse* response) {
  grpc::Status status = ToGrpcStatus(Answer(*request, response));
  response->clear_min_gradient_sum();
  response->clear_max_gradient_sum();
  return status.ok() && edit_gradient_answer ? edit_gradient_answer(context, response) : status;
}

// Answers one request after another, until there are no more or one fails.
template <typename Stream, typename Request, typename Response, typename Edit>
grpc::Status TestService::AnswerStream(grpc::ServerContext* context, Stream* stream,
                                       const Edit& edit) {
  Request last;
  Request request;
  for (int index = 0; stream->Read(&request); ++index) {
    Note(request);
    InheritFrom(last, &request);
    last.Clear();
    *last.mutable_range() = request.range();
    *last.mutable_spec() = request.spec();
    Response response;
    grpc::Status status = ToGrpcStatus(AtMessage(index, Answer(request, &response)));
    if (status.ok() && edit) {
      status = edit(context, &response);
    }
    if (!status.ok()) {
      return status;
    }
    stream->Write(response);
  }
  return grpc::Status::OK;
}

grpc::Status TestService::StreamFakeQuantize(grpc::ServerContext* context,
                                             FakeQuantizeStream* stream) {
  return stream_instead
             ? stream_instead(context, stream)
             : AnswerStream<FakeQuantizeStream, v1::FakeQuantizeRequest, v1::FakeQuantizeResponse>(
                   context, stream, edit_answer);
}

grpc::Status TestService::StreamFakeQuantizeGradient(grpc::ServerContext* context,
                                                     FakeQuantizeGradientStream* stream) {
  return AnswerStream<FakeQuantizeGradientStream, v1::FakeQuantizeGradientRequest,
                      v1::FakeQuantizeGradientResponse>(context, stream, edit_gradient_answer);
}

void TestService::Note(const auto& request) {
  ++streamed_requests;
  streamed_ranges += request.has_range() ? 1 : 0;
  streamed_specs += request.has_spec() ? 1 : 0;
  if (request.ByteSizeLong() > largest_streamed_request) {
    largest_streamed_request = request.ByteSizeLong();
  }
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

TestServer::~TestServer() { Stop(); }

void TestServer::Stop() { server_->Shutdown(std::chrono::system_clock::now()); }

void TestServer::SetServing(bool serving) {
  server_->GetHealthCheckService()->SetServingStatus(serving);
}

}  // namespace quantd::client
