#include "tests/client/test_server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
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
#include "core/quantizer.h"
#include "core/tensor_shape.h"
#include "wire/element_type.h"
#include "wire/numerics.h"
#include "wire/operations.h"
#include "wire/rounding.h"
#include "wire/status.h"

namespace quantd::client {
namespace {

template <typename T>
std::span<const T> Span(const google::protobuf::RepeatedField<T>& field) {
  return {field.data(), static_cast<std::size_t>(field.size())};
}

core::ElementType TypeOf(v1::DataType type) {
  return wire::ToElementType(type).value_or(core::ElementType::kFloat32);
}

core::TensorView ViewOf(const v1::Tensor& tensor) {
  return {TypeOf(tensor.data_type()), Span(tensor.shape()),
          core::ScatteredBytes(std::as_bytes(std::span(tensor.data())))};
}

// Elements of an answer, to be computed and then sent.
class AnswerElements {
 public:
  AnswerElements(core::ElementType type, const v1::Tensor& like)
      : type_(type),
        count_(core::ElementCount(Span(like.shape())).value_or(0)),
        bytes_(core::ElementBytes(type, count_)) {}

  core::OutputView output() { return {type_, bytes_.data(), count_}; }

  void Send(const v1::Tensor& like, v1::Tensor* tensor) const {
    tensor->set_data_type(wire::ToDataType(type_));
    *tensor->mutable_shape() = like.shape();
    tensor->set_data(bytes_.data(), bytes_.size());
  }

 private:
  core::ElementType type_;
  std::size_t count_;
  std::vector<std::byte> bytes_;
};

template <typename Message>
std::optional<std::int32_t> AxisIn(const Message& message) {
  return message.has_axis() ? std::optional(message.axis()) : std::nullopt;
}

template <typename Message>
std::optional<std::uint32_t> BlockSizeIn(const Message& message) {
  return message.has_block_size() ? std::optional(message.block_size()) : std::nullopt;
}

template <typename Request>
core::QuantizationParameters ParametersIn(const Request& request) {
  if (request.has_affine()) {
    const v1::AffineParameters& affine = request.affine();
    return core::AffineParameters{.scale = Span(affine.scale()),
                                  .zero_point = Span(affine.zero_point()),
                                  .axis = AxisIn(affine),
                                  .block_size = BlockSizeIn(affine)};
  }
  const v1::Range& range = request.range();
  return core::Range{.min = Span(range.min()), .max = Span(range.max()), .axis = AxisIn(range)};
}

template <typename T>
std::optional<T> If(bool condition, T value) {
  return condition ? std::optional(value) : std::nullopt;
}

core::QuantizationSpec ToSpec(const v1::QuantizationSpec& spec) {
  return {.num_bits = If(spec.has_num_bits(), spec.num_bits()),
          .narrow_range = spec.narrow_range(),
          .numerics = wire::ToCore(spec.numerics()),
          .quant_min = If(spec.has_quant_min(), spec.quant_min()),
          .quant_max = If(spec.has_quant_max(), spec.quant_max()),
          .precision = wire::ToElementType(spec.precision()),
          .signed_input = spec.signed_input(),
          .rounding = wire::ToCore(spec.rounding())};
}

void SetNudgedRange(const core::NudgedRange& range, v1::NudgedRange* message) {
  message->mutable_min()->Add(range.min.begin(), range.min.end());
  message->mutable_max()->Add(range.max.begin(), range.max.end());
  message->mutable_scale()->Add(range.scale.begin(), range.scale.end());
  message->mutable_zero_point()->Add(range.zero_point.begin(), range.zero_point.end());
}

// Sets what an answer says of the plan that it was computed with.
void SetPlan(const auto& plan, auto* response) {
  response->set_numerics(wire::ToSchema(plan.numerics()));
  if constexpr (requires { plan.nudged_range(); }) {
    if (plan.nudged_range() != nullptr) {
      SetNudgedRange(*plan.nudged_range(), response->mutable_nudged_range());
    }
  }
  if constexpr (requires { plan.parameters(); }) {
    const core::UsedParameters used = plan.parameters();
    v1::AffineParameters& parameters = *response->mutable_parameters();
    parameters.mutable_scale()->Add(used.scale.begin(), used.scale.end());
    parameters.mutable_zero_point()->Add(used.zero_point.begin(), used.zero_point.end());
  }
}

absl::Status Answer(const v1::FakeQuantizeRequest& request, v1::FakeQuantizeResponse* response) {
  const core::TensorView input = ViewOf(request.input());
  ASSIGN_OR_RETURN(
      const core::FakeQuantization plan,
      core::FakeQuantization::Create(ParametersIn(request), ToSpec(request.spec()), input.type));
  RETURN_IF_ERROR(plan.CheckShape(input.shape));
  AnswerElements output(input.type, request.input());
  RETURN_IF_ERROR(plan.Apply(input, output.output(), nullptr));
  output.Send(request.input(), response->mutable_output());
  SetPlan(plan, response);
  return absl::OkStatus();
}

absl::Status Answer(const v1::FakeQuantizeGradientRequest& request,
                    v1::FakeQuantizeGradientResponse* response) {
  const core::TensorView inputs = ViewOf(request.inputs());
  ASSIGN_OR_RETURN(const core::FakeQuantization plan,
                   core::FakeQuantization::CreateForGradient(ParametersIn(request),
                                                             ToSpec(request.spec()), inputs.type));
  RETURN_IF_ERROR(plan.CheckShape(inputs.shape));
  AnswerElements gradients(inputs.type, request.inputs());
  const std::size_t sums = plan.has_range_gradients() ? plan.channel_count() : 0;
  std::vector<float> min(sums);
  std::vector<float> max(sums);
  std::vector<double> min_sum(sums);
  std::vector<double> max_sum(sums);
  RETURN_IF_ERROR(plan.ApplyGradient(
      ViewOf(request.gradients()), inputs,
      {.input = gradients.output(), .min = min, .max = max, .min_sum = min_sum, .max_sum = max_sum},
      nullptr));
  gradients.Send(request.inputs(), response->mutable_input_gradients());
  response->mutable_min_gradient()->Add(min.begin(), min.end());
  response->mutable_max_gradient()->Add(max.begin(), max.end());
  response->mutable_min_gradient_sum()->Add(min_sum.begin(), min_sum.end());
  response->mutable_max_gradient_sum()->Add(max_sum.begin(), max_sum.end());
  SetPlan(plan, response);
  return absl::OkStatus();
}

absl::StatusOr<core::Quantizer> MakeQuantizer(const v1::QuantizeRequest& request,
                                              const core::ConversionTypes& types) {
  const core::QuantizationSpec spec = ToSpec(request.spec());
  if (!request.has_data_range()) {
    return core::Quantizer::Create(ParametersIn(request), spec, types);
  }
  return core::Quantizer::CreateFromData({.symmetric = request.data_range().symmetric(),
                                          .axis = AxisIn(request.data_range()),
                                          .block_size = BlockSizeIn(request.data_range())},
                                         spec, ViewOf(request.input()), types.output, nullptr);
}

absl::Status Answer(const v1::QuantizeRequest& request, v1::QuantizeResponse* response) {
  const core::TensorView input = ViewOf(request.input());
  const core::ElementType output_type = TypeOf(request.output_type());
  ASSIGN_OR_RETURN(const core::Quantizer plan,
                   MakeQuantizer(request, {.input = input.type, .output = output_type}));
  RETURN_IF_ERROR(plan.CheckShape(input.shape));
  AnswerElements output(output_type, request.input());
  RETURN_IF_ERROR(plan.Apply(input, output.output(), nullptr));
  output.Send(request.input(), response->mutable_output());
  SetPlan(plan, response);
  return absl::OkStatus();
}

absl::Status Answer(const v1::DequantizeRequest& request, v1::DequantizeResponse* response) {
  const core::TensorView input = ViewOf(request.input());
  const core::ElementType output_type = TypeOf(request.output_type());
  ASSIGN_OR_RETURN(const core::Dequantizer plan,
                   core::Dequantizer::Create(ParametersIn(request), ToSpec(request.spec()),
                                             {.input = input.type, .output = output_type}));
  RETURN_IF_ERROR(plan.CheckShape(input.shape));
  AnswerElements output(output_type, request.input());
  RETURN_IF_ERROR(plan.Apply(input, output.output(), nullptr));
  output.Send(request.input(), response->mutable_output());
  SetPlan(plan, response);
  return absl::OkStatus();
}

template <typename Request>
bool HasParameters(const Request& request) {
  return request.has_range() || request.has_affine();
}

template <typename Request>
void InheritFrom(const Request& last, Request* request) {
  if (!HasParameters(*request)) {
    *request->mutable_range() = last.range();
    if (last.has_affine()) {
      *request->mutable_affine() = last.affine();
    }
  }
  if (!request->has_spec()) {
    *request->mutable_spec() = last.spec();
  }
  if constexpr (wire::TakesOutputType<Request>) {
    if (request->output_type() == v1::DATA_TYPE_UNSPECIFIED) {
      request->set_output_type(last.output_type());
    }
  }
}

// Returns all of a request but its tensors.
template <typename Operation>
typename Operation::Request WithoutTensors(const typename Operation::Request& request) {
  typename Operation::Request rest;
  InheritFrom(request, &rest);
  return rest;
}

template <typename Response, typename Edit>
grpc::Status Edited(const absl::Status& status, const Edit& edit, grpc::ServerContext* context,
                    Response* response) {
  return status.ok() && edit ? edit(context, response) : wire::ToGrpcStatus(status);
}

}  // namespace

grpc::Status TestService::FakeQuantize(grpc::ServerContext* context,
                                       const v1::FakeQuantizeRequest* request,
                                       v1::FakeQuantizeResponse* response) {
  return Edited(Answer(*request, response), edit_answer, context, response);
}

grpc::Status TestService::FakeQuantizeGradient(grpc::ServerContext* context,
                                               const v1::FakeQuantizeGradientRequest* request,
                                               v1::FakeQuantizeGradientResponse* response) {
  const absl::Status status = Answer(*request, response);
  response->clear_min_gradient_sum();
  response->clear_max_gradient_sum();
  return Edited(status, edit_gradient_answer, context, response);
}

grpc::Status TestService::Quantize(grpc::ServerContext* context, const v1::QuantizeRequest* request,
                                   v1::QuantizeResponse* response) {
  return Edited(Answer(*request, response), edit_quantize_answer, context, response);
}

grpc::Status TestService::Dequantize(grpc::ServerContext* context,
                                     const v1::DequantizeRequest* request,
                                     v1::DequantizeResponse* response) {
  return Edited(Answer(*request, response), edit_dequantize_answer, context, response);
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
    last = WithoutTensors<Operation>(request);
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

grpc::Status TestService::StreamQuantize(grpc::ServerContext* context, QuantizeStream* stream) {
  return AnswerStream<wire::Quantize>(context, stream, edit_quantize_answer);
}

grpc::Status TestService::StreamDequantize(grpc::ServerContext* context, DequantizeStream* stream) {
  return AnswerStream<wire::Dequantize>(context, stream, edit_dequantize_answer);
}

void TestService::AwaitCancellation(grpc::ServerContext* context) {
  while (!context->IsCancelled()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

template <typename Operation>
void TestService::Note(const typename Operation::Request& request) {
  ++streamed_requests;
  streamed_parameters += HasParameters(request) ? 1 : 0;
  streamed_specs += request.has_spec() ? 1 : 0;
  for (const auto& input : Operation::kInputs) {
    streamed_elements += ViewOf((request.*input.get)()).element_count();
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
  v1::MethodSupport& method = *response->add_methods();
  method.set_method("Quantize");
  method.set_numerics(v1::NUMERICS_LITERT_XNNPACK);
  method.add_parameters(v1::PARAMETER_KIND_AFFINE_PER_CHANNEL);
  method.mutable_parameters()->Add(99);
  method.add_input_types(v1::DATA_TYPE_FLOAT32);
  method.add_output_types(v1::DATA_TYPE_INT8);
  method.add_output_types(v1::DATA_TYPE_UINT8);
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
