// This file is compiled with QUANTD_EIGEN_FACTORY, the name of the function to define, and
// QUANTD_EIGEN_NAME, the name of its contenders.

#define EIGEN_USE_THREADS
#include "bench/contenders/eigen_expressions.h"

#include <memory>
#include <unsupported/Eigen/CXX11/Tensor>

namespace quantd::bench {
namespace {

using Vector = Eigen::TensorMap<Eigen::Tensor<float, 1, Eigen::RowMajor>, Eigen::Aligned>;
using ConstVector =
    Eigen::TensorMap<Eigen::Tensor<const float, 1, Eigen::RowMajor>, Eigen::Aligned>;
using Matrix = Eigen::TensorMap<Eigen::Tensor<float, 2, Eigen::RowMajor>, Eigen::Aligned>;
using ConstMatrix =
    Eigen::TensorMap<Eigen::Tensor<const float, 2, Eigen::RowMajor>, Eigen::Aligned>;
using Scalar = Eigen::TensorMap<Eigen::Tensor<float, 0, Eigen::RowMajor>>;

Eigen::Index Size(std::span<const float> values) {
  return static_cast<Eigen::Index>(values.size());
}

Eigen::Index Rows(const Problem& problem) { return Size(problem.inputs) / Size(problem.min); }

// FakeQuantWithMinMaxVars.
template <typename Device>
void ForwardTensor(const Device& device, const Problem& problem) {
  const ConstVector inputs(problem.inputs.data(), Size(problem.inputs));
  Vector outputs(problem.outputs.data(), Size(problem.outputs));
  const NudgedChannel& range = problem.nudged.front();
  const auto clamped = inputs.cwiseMin(range.nudged_max).cwiseMax(range.nudged_min);
  const auto shifted = clamped - range.nudged_min;
  const auto scale = inputs.constant(range.scale);
  outputs.device(device) = (shifted / scale - range.quant_zero + 0.5F).floor() * scale;
}

// FakeQuantWithMinMaxVarsPerChannel.
template <typename Device>
void ForwardChannels(const Device& device, const Problem& problem) {
  const ConstMatrix inputs(problem.inputs.data(), Rows(problem), Size(problem.min));
  Matrix outputs(problem.outputs.data(), Rows(problem), Size(problem.min));
  for (Eigen::Index i = 0; i < Size(problem.min); ++i) {
    const NudgedChannel& range = problem.nudged[static_cast<std::size_t>(i)];
    const auto clamped =
        inputs.template chip<1>(i).cwiseMin(range.nudged_max).cwiseMax(range.nudged_min);
    const auto shifted = clamped - range.nudged_min;
    outputs.template chip<1>(i).device(device) =
        (shifted * range.inverse_scale - range.quant_zero + 0.5F).floor() * range.scale;
  }
}

// Evaluates the three expressions of a gradient. `outputs` is the expression to assign to.
template <typename Device, typename Gradients, typename Inputs, typename Outputs>
void Differentiate(const Device& device, const Gradients& gradients, const Inputs& inputs,
                   const NudgedChannel& range, Outputs outputs, float& min_gradient,
                   float& max_gradient) {
  const auto one = inputs.constant(1.0F);
  const auto zero = inputs.constant(0.0F);
  const auto inside = (inputs >= range.nudged_min && inputs <= range.nudged_max).select(one, zero);
  outputs.device(device) = gradients * inside;
  const auto below = (inputs < range.nudged_min).select(one, zero);
  Scalar(&min_gradient).device(device) = (gradients * below).sum();
  const auto above = (inputs > range.nudged_max).select(one, zero);
  Scalar(&max_gradient).device(device) = (gradients * above).sum();
}

template <typename Device>
void GradientTensor(const Device& device, const Problem& problem) {
  const ConstVector gradients(problem.gradients.data(), Size(problem.gradients));
  const ConstVector inputs(problem.inputs.data(), Size(problem.inputs));
  Differentiate(device, gradients, inputs, problem.nudged.front(),
                Vector(problem.outputs.data(), Size(problem.outputs)),
                problem.min_gradients.front(), problem.max_gradients.front());
}

template <typename Device>
void GradientChannels(const Device& device, const Problem& problem) {
  const ConstMatrix gradients(problem.gradients.data(), Rows(problem), Size(problem.min));
  const ConstMatrix inputs(problem.inputs.data(), Rows(problem), Size(problem.min));
  Matrix outputs(problem.outputs.data(), Rows(problem), Size(problem.min));
  for (Eigen::Index i = 0; i < Size(problem.min); ++i) {
    const auto channel = static_cast<std::size_t>(i);
    Differentiate(device, gradients.template chip<1>(i), inputs.template chip<1>(i),
                  problem.nudged[channel], outputs.template chip<1>(i),
                  problem.min_gradients[channel], problem.max_gradients[channel]);
  }
}

// `device` points to an Eigen device and keeps everything alive that it needs.
template <typename Device>
void AddContenders(const std::string& name, std::shared_ptr<const Device> device,
                   std::vector<Contender>& contenders) {
  contenders.push_back({.name = name, .operation = "forward", .prepare = [=](const Problem& p) {
                          return [=] {
                            p.per_channel ? ForwardChannels(*device, p) : ForwardTensor(*device, p);
                          };
                        }});
  contenders.push_back(
      {.name = name, .operation = "gradient", .prepare = [=](const Problem& p) {
         return [=] { p.per_channel ? GradientChannels(*device, p) : GradientTensor(*device, p); };
       }});
}

// Owns both a pool and its device, because Eigen's device does not own its pool.
struct PoolWithDevice {
  explicit PoolWithDevice(int threads) : pool(threads), device(&pool, threads) {}
  Eigen::ThreadPool pool;
  Eigen::ThreadPoolDevice device;
};

}  // namespace

std::vector<Contender> QUANTD_EIGEN_FACTORY(std::size_t threads) {
  std::vector<Contender> contenders;
  const std::string name = QUANTD_EIGEN_NAME;
  AddContenders(name, std::make_shared<const Eigen::DefaultDevice>(), contenders);
  const auto pool = std::make_shared<const PoolWithDevice>(static_cast<int>(threads));
  AddContenders(name + "_threads",
                std::shared_ptr<const Eigen::ThreadPoolDevice>(pool, &pool->device), contenders);
  return contenders;
}

#ifdef QUANTD_EIGEN_DEFINE_VERSION
std::string EigenVersion() {
  return std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
         std::to_string(EIGEN_MINOR_VERSION);
}
#endif

}  // namespace quantd::bench
