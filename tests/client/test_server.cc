#include "tests/client/test_server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/base/tensor_view.h"
#include "core/fake_quantization.h"
#include "core/reference.h"
#include "wire/operations.h"
#include "wire/status.h"

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

template <typename Request>
absl::StatusOr<core::FakeQuantization> Create(const Request& request, const v1::Tensor& tensor) {
  ASSIGN_OR_RETURN(
      core::FakeQuantization quantization,
      core::FakeQuantization::Create(ToRange(request.range()), ToSpec(request.spec())));
  RETURN_IF_ERROR(quantization.CheckShape(Span(tensor.shape())));
  return quantization;
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

absl::Status Answer(const v1::FakeQuantizeRequest& request, v1::FakeQuantizeResponse* response) {
  ASSIGN_OR_RETURN(const core::FakeQuantization quantization, Create(request, request.input()));
  const std::vector<float> input = Values(request.input());
  std::vector<float> output(input.size());
  RETURN_IF_ERROR(quantization.Apply(core::TensorView(Span(request.input().shape()), input),
                                     std::span(output), nullptr));
  SetTensor(request.input(), output, response->mutable_output());
  SetNudgedRange(quantization.nudged_range(), response->mutable_nudged_range());
  return absl::OkStatus();
}

absl::Status Answer(const v1::FakeQuantizeGradientRequest& request,
                    v1::FakeQuantizeGradientResponse* response) {
  ASSIGN_OR_RETURN(const core::FakeQuantization quantization, Create(request, request.inputs()));
  ASSIGN_OR_RETURN(const core::reference::Gradients gradients,
                   core::reference::FakeQuantizeGradient(
                       Span(request.inputs().shape()), Values(request.gradients()),
                       Values(request.inputs()), ToRange(request.range()), ToSpec(request.spec())));
  SetTensor(request.inputs(), gradients.input, response->mutable_input_gradients());
  for (std::size_t channel = 0; channel < gradients.min.size(); ++channel) {
    response->add_min_gradient(static_cast<float>(gradients.min[channel]));
    response->add_max_gradient(static_cast<float>(gradients.max[channel]));
    response->add_min_gradient_sum(gradients.min[channel]);
    response->add_max_gradient_sum(gradients.max[channel]);
  }
  SetNudgedRange(quantization.nudged_range(), response->mutable_nudged_range());
  return absl::OkStatus();
}

}  // namespace

grpc::Status TestService::FakeQuantize(grpc::ServerContext* context,
                                       const v1::FakeQuantizeRequest* request,
                                       v1::FakeQuantizeResponse* response) {
  grpc::Status status = wire::ToGrpcStatus(Answer(*request, response));
  return status.ok() && edit_answer ? edit_answer(context, response) : status;
}

grpc::Status TestService::FakeQuantizeGradient(grpc::ServerContext* context,
                                               const v1::FakeQuantizeGradientRequest* request,
                                               v1::FakeQuantizeGradientResponse* response) {
  grpc::Status status = wire::ToGrpcStatus(Answer(*request, response));
  response->clear_min_gradient_sum();
  response->clear_max_gradient_sum();
  return status.ok() && edit_gradient_answer ? edit_gradient_answer(context, response) : status;
}

// Answers request after request, until there is none or one has an error.
template <typename Operation, typename Edit>
grpc::Status TestService::AnswerStream(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<typename Operation::Response, typename Operation::Request>* stream,
    const Edit& edit) {
  typename Operation::Request last;
  typename Operation::Request request;
  for (std::uint64_t index = 0; stream->Read(&request); ++index) {
    Note<Operation>(request);
    InheritFrom(last, &request);
    last.Clear();
    *last.mutable_range() = request.range();
    *last.mutable_spec() = request.spec();
    typename Operation::Response response;
    if (const absl::Status status = Answer(request, &response); !status.ok()) {
      return wire::ToGrpcStatus(core::AtMessage(index, status));
    }
    if (edit) {
      if (grpc::Status status = edit(context, &response); !status.ok()) {
        return status;
      }
    }
    stream->Write(response);
  }
  return grpc::Status::OK;
}

grpc::Status TestService::StreamFakeQuantize(grpc::ServerContext* context,
                                             FakeQuantizeStream* stream) {
  return stream_instead ? stream_instead(context, stream)
                        : AnswerStream<wire::FakeQuantize>(context, stream, edit_answer);
}

grpc::Status TestService::StreamFakeQuantizeGradient(grpc::ServerContext* context,
                                                     FakeQuantizeGradientStream* stream) {
  return AnswerStream<wire::FakeQuantizeGradient>(context, stream, edit_gradient_answer);
}

void TestService::AwaitCancellation(grpc::ServerContext* context) {
  while (!context->IsCancelled()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

template <typename Operation>
void TestService::Note(const typename Operation::Request& request) {
  ++streamed_requests;
  streamed_ranges += request.has_range() ? 1 : 0;
  streamed_specs += request.has_spec() ? 1 : 0;
  for (const auto& input : Operation::kInputs) {
    streamed_elements += (request.*input.get)().data().size() / sizeof(float);
  }
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
  // Flow control with fixed windows: a client whose messages are not read has to stop
  // soon.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
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
