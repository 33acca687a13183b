#include "bench/contenders/quantd_affine.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "bench/aligned_floats.h"
#include "bench/contenders/throw_if_error.h"
#include "core/base/float16.h"
#include "core/base/tensor_view.h"
#include "core/fake_quantization.h"
#include "core/quantization.h"
#include "core/quantizer.h"

namespace quantd::bench {
namespace {

using core::ElementType;

// An arithmetic of quantd, and the contender that computes with it.
struct Arithmetic {
  std::string contender;
  core::Numerics numerics;
};

std::string NameOf(ElementType type) { return std::string(core::RowOf(type).name); }

// The shape and the parameters of a problem's tensor, with codes of one type.
class AffineTensor {
 public:
  AffineTensor(const Problem& problem, ElementType code_type)
      : scale_(problem.scale), zero_point_(ZeroPointsFor(problem, code_type)) {
    const auto elements = static_cast<std::int64_t>(problem.inputs.size());
    const auto channels = static_cast<std::int64_t>(problem.scale.size());
    if (!problem.per_channel) {
      shape_ = {elements};
    } else if (problem.along_first_axis) {
      shape_ = {channels, elements / channels};
      axis_ = 0;
    } else {
      shape_ = {elements / channels, channels};
      axis_ = 1;
    }
  }

  const std::vector<std::int64_t>& shape() const { return shape_; }
  core::AffineParameters parameters() const {
    return {.scale = scale_, .zero_point = zero_point_, .axis = axis_};
  }

 private:
  std::span<const float> scale_;
  std::vector<std::int32_t> zero_point_;
  std::vector<std::int64_t> shape_;
  std::optional<std::int32_t> axis_;
};

Contender Quantize(const Arithmetic& arithmetic, ElementType type) {
  return {
      .name = arithmetic.contender,
      .operation = "quantize_" + NameOf(type),
      .prepare = [=](const Problem& p) -> Call {
        const AffineTensor tensor(p, type);
        const auto quantizer = ValueOrThrow(core::Quantizer::Create(
            tensor.parameters(), {.numerics = arithmetic.numerics}, {ElementType::kFloat32, type}));
        const core::OutputView codes(type, p.outputs.data(), p.inputs.size());
        return [=, inputs = p.inputs] {
          ThrowIfError(quantizer.Apply({tensor.shape(), inputs}, codes, /*execution=*/nullptr));
        };
      }};
}

Contender Dequantize(const Arithmetic& arithmetic, ElementType type) {
  return {
      .name = arithmetic.contender,
      .operation = "dequantize_" + NameOf(type),
      .prepare = [=](const Problem& p) -> Call {
        const AffineTensor tensor(p, type);
        const auto dequantizer = ValueOrThrow(core::Dequantizer::Create(
            tensor.parameters(), {.numerics = arithmetic.numerics}, {type, ElementType::kFloat32}));
        const auto codes = p.codes.first(core::ElementBytes(type, p.inputs.size()));
        return [=, outputs = p.outputs] {
          const core::TensorView view(type, tensor.shape(), core::ScatteredBytes(codes));
          ThrowIfError(dequantizer.Apply(view, outputs, /*execution=*/nullptr));
        };
      }};
}

// Returns the values, rounded to 16 bits.
template <typename T>
std::shared_ptr<const AlignedFloats> Narrowed(std::span<const float> values) {
  auto narrowed = std::make_shared<AlignedFloats>((values.size() + 1) / 2);
  const std::span<std::byte> bytes = std::as_writable_bytes(narrowed->get());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const T value = core::FromFloat<T>(values[i]);
    std::memcpy(&bytes[i * sizeof(T)], &value, sizeof(T));
  }
  return narrowed;
}

template <typename T>
Contender Forward(const Arithmetic& arithmetic) {
  constexpr ElementType kType = core::kElementTypeOf<T>;
  return {.name = arithmetic.contender,
          .operation = "forward_" + NameOf(kType),
          .prepare = [=](const Problem& p) -> Call {
            const AffineTensor tensor(p, ElementType::kUint8);
            const auto quantization = ValueOrThrow(core::FakeQuantization::Create(
                tensor.parameters(), {.numerics = arithmetic.numerics}, kType));
            const core::OutputView outputs(kType, p.outputs.data(), p.inputs.size());
            return [=, inputs = Narrowed<T>(p.inputs)] {
              const auto bytes = std::as_bytes(inputs->get()).first(outputs.size_bytes());
              const core::TensorView view(kType, tensor.shape(), core::ScatteredBytes(bytes));
              ThrowIfError(quantization.Apply(view, outputs, /*execution=*/nullptr));
            };
          }};
}

}  // namespace

std::vector<std::int32_t> ZeroPointsFor(const Problem& problem, ElementType type) {
  const core::ElementTypeRow& row = core::RowOf(type);
  const std::int32_t offset = row.lowest < 0 ? 128 : 0;
  std::vector<std::int32_t> zero_points;
  for (const std::int32_t zero_point : problem.zero_point) {
    zero_points.push_back(std::clamp(zero_point - offset, row.lowest, row.highest));
  }
  return zero_points;
}

std::vector<Contender> QuantdWithScales() {
  const Arithmetic onnx = {"quantd", core::Numerics::kOnnx};
  const Arithmetic pytorch = {"quantd_pytorch", core::Numerics::kPyTorch};
  const Arithmetic xnnpack = {"quantd_xnnpack", core::Numerics::kLiteRtXnnpack};
  std::vector<Contender> contenders = {Forward<core::Float16>(onnx), Forward<core::BFloat16>(onnx),
                                       Forward<core::Float16>(pytorch)};
  const auto add = [&](const Arithmetic& arithmetic, std::initializer_list<ElementType> types) {
    for (const ElementType type : types) {
      contenders.push_back(Quantize(arithmetic, type));
      contenders.push_back(Dequantize(arithmetic, type));
    }
  };
  add(onnx, {ElementType::kInt8, ElementType::kUint8, ElementType::kInt16, ElementType::kInt4});
  add(pytorch, {ElementType::kInt8, ElementType::kUint8});
  add(xnnpack, {ElementType::kInt8, ElementType::kUint8});
  return contenders;
}

}  // namespace quantd::bench
