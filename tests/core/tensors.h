// Tensors in vectors, and quantizations of them.

#ifndef QUANTD_TESTS_CORE_TENSORS_H_
#define QUANTD_TESTS_CORE_TENSORS_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/base/tensor_view.h"
#include "core/fake_quantization.h"
#include "core/worker_pool.h"

namespace quantd::core {

using Shape = std::vector<std::int64_t>;

inline TensorView View(const Shape& shape, const std::vector<float>& elements) {
  return {shape, std::span<const float>(elements)};
}

// Returns the output for `input`, which can be quantized.
inline std::vector<float> Apply(const FakeQuantization& quantization, const TensorView& input,
                                WorkerPool* pool = nullptr) {
  std::vector<float> output(input.element_count());
  EXPECT_TRUE(quantization.Apply(input, std::span(output), pool).ok());
  return output;
}

struct AllGradients {
  std::vector<float> input;
  std::vector<float> min;
  std::vector<float> max;
};

// Returns all gradients; the tensors can be quantized.
inline AllGradients ApplyGradient(const FakeQuantization& quantization, const TensorView& gradients,
                                  const TensorView& inputs, WorkerPool* pool = nullptr) {
  AllGradients all{.input = std::vector<float>(inputs.element_count()),
                   .min = std::vector<float>(quantization.channel_count(), -1),
                   .max = std::vector<float>(quantization.channel_count(), -1)};
  const FakeQuantization::Gradients result{
      .input = std::span(all.input), .min = all.min, .max = all.max};
  EXPECT_TRUE(quantization.ApplyGradient(gradients, inputs, result, pool).ok());
  return all;
}

}  // namespace quantd::core

#endif  // QUANTD_TESTS_CORE_TENSORS_H_
