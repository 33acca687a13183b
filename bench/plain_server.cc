// QuantizationService as one would write it in an afternoon: with generated messages,
// `bytes` that are copied into and out of them, and gRPC's default settings. The kernel
// is quantd's own, so that only the code around it differs.
//
//   plain_server --listen localhost:50053

#include <google/protobuf/repeated_field.h>
#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "bench/baseline.h"
#include "core/base/status_macros.h"
#include "core/base/tensor_view.h"
#include "core/fake_quantization.h"
#include "core/tensor_shape.h"
#include "quantd/v1/quantization_service.grpc.pb.h"

namespace quantd::bench {
namespace {

grpc::Status ToGrpcStatus(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

template <typename Value>
std::span<const Value> SpanOf(const google::protobuf::RepeatedField<Value>& field) {
  return {field.data(), static_cast<std::size_t>(field.size())};
}

core::Range RangeOf(const v1::Range& range) {
  core::Range result{.min = SpanOf(range.min()), .max = SpanOf(range.max()), .axis = {}};
  if (range.has_axis()) {
    result.axis = range.axis();
  }
  return result;
}

core::QuantizationSpec SpecOf(const v1::QuantizationSpec& spec) {
  core::QuantizationSpec result;
  if (spec.has_num_bits()) {
    result.num_bits = spec.num_bits();
  }
  result.narrow_range = spec.narrow_range();
  if (spec.numerics() == v1::NUMERICS_TENSORFLOW_ARGS) {
    result.numerics = core::Numerics::kTensorFlowArgs;
  }
  return result;
}

void SetNudgedRange(const core::NudgedRange& range, v1::NudgedRange& message) {
  message.mutable_min()->Add(range.min.begin(), range.min.end());
  message.mutable_max()->Add(range.max.begin(), range.max.end());
  message.mutable_scale()->Add(range.scale.begin(), range.scale.end());
  message.mutable_zero_point()->Add(range.zero_point.begin(), range.zero_point.end());
}

absl::Status Answer(const v1::FakeQuantizeRequest& request, v1::FakeQuantizeResponse& response) {
  const v1::Tensor& input = request.input();
  ASSIGN_OR_RETURN(
      const core::FakeQuantization quantization,
      core::FakeQuantization::Create(RangeOf(request.range()), SpecOf(request.spec())));
  const std::span<const std::int64_t> shape = SpanOf(input.shape());
  ASSIGN_OR_RETURN(const std::size_t count, core::ElementCount(shape));
  if (input.data_type() != v1::DATA_TYPE_FLOAT32 || input.data().size() != count * sizeof(float)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input.data has ", input.data().size(), " bytes; expected ", count, " float32 elements"));
  }
  v1::Tensor& output = *response.mutable_output();
  output.set_data_type(v1::DATA_TYPE_FLOAT32);
  *output.mutable_shape() = input.shape();
  output.mutable_data()->resize(input.data().size());
  SetNudgedRange(*quantization.nudged_range(), *response.mutable_nudged_range());
  return quantization.Apply({core::ElementType::kFloat32, shape,
                             core::ScatteredBytes(std::as_bytes(std::span(input.data())))},
                            {core::ElementType::kFloat32, output.mutable_data()->data(), count},
                            /*execution=*/nullptr);
}

// Reads a request, answers it, and reads the next one. Deletes itself when gRPC is done
// with it.
class Stream final
    : public grpc::ServerBidiReactor<v1::FakeQuantizeRequest, v1::FakeQuantizeResponse> {
 public:
  static grpc::ServerBidiReactor<v1::FakeQuantizeRequest, v1::FakeQuantizeResponse>* Start() {
    auto stream = std::make_unique<Stream>();
    stream->StartRead(&stream->request_);
    return stream.release();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
      return;
    }
    response_.Clear();
    if (const absl::Status status = Answer(request_, response_); !status.ok()) {
      Finish(ToGrpcStatus(status));
      return;
    }
    StartWrite(&response_);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::CANCELLED);
      return;
    }
    StartRead(&request_);
  }

  void OnDone() override { const std::unique_ptr<Stream> ends_here(this); }

 private:
  v1::FakeQuantizeRequest request_;
  v1::FakeQuantizeResponse response_;
};

class PlainService final : public v1::QuantizationService::CallbackService {
 public:
  grpc::ServerUnaryReactor* FakeQuantize(grpc::CallbackServerContext* context,
                                         const v1::FakeQuantizeRequest* request,
                                         v1::FakeQuantizeResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(ToGrpcStatus(Answer(*request, *response)));
    return reactor;
  }

  grpc::ServerBidiReactor<v1::FakeQuantizeRequest, v1::FakeQuantizeResponse>* StreamFakeQuantize(
      grpc::CallbackServerContext* /*context*/) override {
    return Stream::Start();
  }
};

}  // namespace
}  // namespace quantd::bench

int main(int argc, char** argv) {
  quantd::bench::PlainService service;
  return quantd::bench::ServeBaseline("plain_server", service, argc, argv);
}
