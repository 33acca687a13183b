#include "server/operations/handlers.h"

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "core/fake_quantization.h"
#include "core/simd_target.h"
#include "version.h"

namespace quantd::server {
namespace {

// Resizes `field` to `size` zeros, and returns them.
template <typename T>
std::span<T> Resize(std::size_t size, google::protobuf::RepeatedField<T>& field) {
  const std::vector<T> zeros(size);
  field.Assign(zeros.begin(), zeros.end());
  return {field.mutable_data(), size};
}

// Runs `kernel`, and counts it and its tensors once it succeeded.
template <typename Kernel>
absl::Status RunKernel(Operation operation, const KernelTensors& tensors, Metrics& metrics,
                       Kernel kernel) {
  const auto start = std::chrono::steady_clock::now();
  absl::Status status = kernel();
  if (status.ok()) {
    metrics.KernelRun(operation, std::chrono::steady_clock::now() - start, tensors);
  }
  return status;
}

}  // namespace

absl::StatusOr<wire::OutgoingTensor> HandleFakeQuantize(const FakeQuantizeArguments& arguments,
                                                        const HandlerContext& context) {
  const FloatTensor& input = arguments.input;
  const auto quantization =
      core::FakeQuantization::Create(input.shape, arguments.range, arguments.spec);
  if (!quantization.ok()) {
    return quantization.status();
  }
  v1::FakeQuantizeResponse rest;
  EncodeNudgedRange(quantization->nudged_range(), *rest.mutable_nudged_range());
  auto response = wire::OutgoingTensor::Create(v1::FakeQuantizeResponse::kOutputFieldNumber,
                                               input.shape, input.elements.size(), rest);
  if (!response.ok()) {
    return response.status();
  }
  const std::span<float> output = response->elements();
  const KernelTensors tensors{
      .elements = output.size(), .bytes_in = output.size_bytes(), .bytes_out = output.size_bytes()};
  absl::Status status = RunKernel(Operation::kFakeQuantize, tensors, *context.metrics, [&] {
    return quantization->Apply(input.elements, output, context.pool);
  });
  if (!status.ok()) {
    return status;
  }
  response->EncodeRest(rest);
  return response;
}

absl::StatusOr<wire::OutgoingTensor> HandleFakeQuantizeGradient(
    const FakeQuantizeGradientArguments& arguments, GradientSums sums,
    const HandlerContext& context) {
  const FloatTensor& inputs = arguments.inputs;
  const auto quantization =
      core::FakeQuantization::Create(inputs.shape, arguments.range, arguments.spec);
  if (!quantization.ok()) {
    return quantization.status();
  }
  const std::size_t channels = quantization->channel_count();
  const std::size_t sum_count = sums == GradientSums::kSent ? channels : 0;
  v1::FakeQuantizeGradientResponse rest;
  core::FakeQuantization::Gradients result{
      .input = {},
      .min = Resize(channels, *rest.mutable_min_gradient()),
      .max = Resize(channels, *rest.mutable_max_gradient()),
      .min_sum = Resize(sum_count, *rest.mutable_min_gradient_sum()),
      .max_sum = Resize(sum_count, *rest.mutable_max_gradient_sum())};
  EncodeNudgedRange(quantization->nudged_range(), *rest.mutable_nudged_range());
  auto response =
      wire::OutgoingTensor::Create(v1::FakeQuantizeGradientResponse::kInputGradientsFieldNumber,
                                   inputs.shape, inputs.elements.size(), rest);
  if (!response.ok()) {
    return response.status();
  }
  result.input = response->elements();
  const KernelTensors tensors{.elements = result.input.size(),
                              .bytes_in = 2 * result.input.size_bytes(),
                              .bytes_out = result.input.size_bytes()};
  absl::Status status = RunKernel(Operation::kFakeQuantizeGradient, tensors, *context.metrics, [&] {
    return quantization->ApplyGradient(arguments.gradients.elements, inputs.elements, result,
                                       context.pool);
  });
  if (!status.ok()) {
    return status;
  }
  response->EncodeRest(rest);
  return response;
}

v1::GetServerInfoResponse HandleGetServerInfo(const ServerLimits& limits) {
  v1::GetServerInfoResponse response;
  response.set_version(std::string(kVersion));
  response.set_simd_target(core::ActiveSimdTarget());
  for (std::string& target : core::SupportedSimdTargets()) {
    response.add_supported_simd_targets(std::move(target));
  }
  for (const v1::DataType type : kSupportedDataTypes) {
    response.add_data_types(type);
  }
  response.set_max_message_bytes(limits.max_message_bytes);
  response.set_max_in_flight_bytes(limits.max_in_flight_bytes);
  response.set_worker_threads(static_cast<std::uint32_t>(limits.worker_threads));
  return response;
}

}  // namespace quantd::server
