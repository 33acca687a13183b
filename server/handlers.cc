#include "server/handlers.h"

#include <chrono>
#include <span>
#include <string>

#include "core/fake_quantization.h"
#include "core/simd_target.h"
#include "server/codec.h"
#include "version.h"

namespace quantd::server {
namespace {

// Resizes `field` to `size` zeros, and returns them.
std::span<float> Resize(std::size_t size, google::protobuf::RepeatedField<float>& field) {
  field.Resize(static_cast<int>(size), 0.0F);
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

absl::StatusOr<v1::FakeQuantizeResponse> HandleFakeQuantize(const v1::FakeQuantizeRequest& request,
                                                            const HandlerContext& context) {
  const auto arguments = Decode(request);
  if (!arguments.ok()) {
    return arguments.status();
  }
  const auto& [input, range, spec] = *arguments;
  const auto quantization = core::FakeQuantization::Create(input.shape, range, spec);
  if (!quantization.ok()) {
    return quantization.status();
  }
  v1::FakeQuantizeResponse response;
  const std::span<const float> elements = input.elements.get();
  const std::span<float> output =
      EncodeTensor(input.shape, elements.size(), *response.mutable_output());
  const KernelTensors tensors{.elements = elements.size(),
                              .bytes_in = elements.size_bytes(),
                              .bytes_out = output.size_bytes()};
  absl::Status status = RunKernel(Operation::kFakeQuantize, tensors, *context.metrics, [&] {
    return quantization->Apply(elements, output, context.pool);
  });
  if (!status.ok()) {
    return status;
  }
  EncodeNudgedRange(quantization->nudged_range(), *response.mutable_nudged_range());
  return response;
}

absl::StatusOr<v1::FakeQuantizeGradientResponse> HandleFakeQuantizeGradient(
    const v1::FakeQuantizeGradientRequest& request, const HandlerContext& context) {
  const auto arguments = Decode(request);
  if (!arguments.ok()) {
    return arguments.status();
  }
  const auto& [gradients, inputs, range, spec] = *arguments;
  const auto quantization = core::FakeQuantization::Create(inputs.shape, range, spec);
  if (!quantization.ok()) {
    return quantization.status();
  }
  v1::FakeQuantizeGradientResponse response;
  const std::span<const float> gradient_elements = gradients.elements.get();
  const std::span<const float> input_elements = inputs.elements.get();
  const core::FakeQuantization::Gradients result{
      .input =
          EncodeTensor(inputs.shape, input_elements.size(), *response.mutable_input_gradients()),
      .min = Resize(quantization->channel_count(), *response.mutable_min_gradient()),
      .max = Resize(quantization->channel_count(), *response.mutable_max_gradient())};
  const KernelTensors tensors{
      .elements = input_elements.size(),
      .bytes_in = gradient_elements.size_bytes() + input_elements.size_bytes(),
      .bytes_out = result.input.size_bytes()};
  absl::Status status = RunKernel(Operation::kFakeQuantizeGradient, tensors, *context.metrics, [&] {
    return quantization->ApplyGradient(gradient_elements, input_elements, result, context.pool);
  });
  if (!status.ok()) {
    return status;
  }
  EncodeNudgedRange(quantization->nudged_range(), *response.mutable_nudged_range());
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
