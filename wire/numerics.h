// Numerics in the schema.

#ifndef QUANTD_WIRE_NUMERICS_H_
#define QUANTD_WIRE_NUMERICS_H_

#include <array>
#include <cstddef>
#include <optional>

#include "core/base/numerics.h"
#include "quantd/v1/quantization.pb.h"

namespace quantd::wire {

struct NumericsMapping {
  core::Numerics numerics;
  v1::Numerics number;
};

// Every numerics that core has, in the order of core's enum.
inline constexpr std::array kNumerics = {
    NumericsMapping{core::Numerics::kTensorFlow, v1::NUMERICS_TENSORFLOW},
    NumericsMapping{core::Numerics::kTensorFlowArgs, v1::NUMERICS_TENSORFLOW_ARGS},
    NumericsMapping{core::Numerics::kTensorFlowXla, v1::NUMERICS_TENSORFLOW_XLA},
    NumericsMapping{core::Numerics::kTensorFlowXlaUnfused, v1::NUMERICS_TENSORFLOW_XLA_UNFUSED},
    NumericsMapping{core::Numerics::kTensorFlowXlaArgs, v1::NUMERICS_TENSORFLOW_XLA_ARGS},
    NumericsMapping{core::Numerics::kTensorFlowXlaArgsUnfused,
                    v1::NUMERICS_TENSORFLOW_XLA_ARGS_UNFUSED},
    NumericsMapping{core::Numerics::kKerasJax, v1::NUMERICS_KERAS_JAX},
    NumericsMapping{core::Numerics::kKerasJaxJit, v1::NUMERICS_KERAS_JAX_JIT},
    NumericsMapping{core::Numerics::kKerasJaxJitUnfused, v1::NUMERICS_KERAS_JAX_JIT_UNFUSED},
    NumericsMapping{core::Numerics::kTensorFlowQuantizeAndDequantize,
                    v1::NUMERICS_TENSORFLOW_QUANTIZE_AND_DEQUANTIZE},
    NumericsMapping{core::Numerics::kTensorFlowQuantizeV2MinCombined,
                    v1::NUMERICS_TENSORFLOW_QUANTIZE_V2_MIN_COMBINED},
    NumericsMapping{core::Numerics::kTensorFlowQuantizeV2MinFirst,
                    v1::NUMERICS_TENSORFLOW_QUANTIZE_V2_MIN_FIRST},
    NumericsMapping{core::Numerics::kTensorFlowQuantizeV2Scaled,
                    v1::NUMERICS_TENSORFLOW_QUANTIZE_V2_SCALED},
    NumericsMapping{core::Numerics::kOnnx, v1::NUMERICS_ONNX},
    NumericsMapping{core::Numerics::kPyTorch, v1::NUMERICS_PYTORCH},
    NumericsMapping{core::Numerics::kLiteRt, v1::NUMERICS_LITERT},
    NumericsMapping{core::Numerics::kLiteRtXnnpack, v1::NUMERICS_LITERT_XNNPACK},
    NumericsMapping{core::Numerics::kTensorFlowUniform, v1::NUMERICS_TENSORFLOW_UNIFORM},
};

static_assert(
    [] {
      for (std::size_t i = 0; i < kNumerics.size(); ++i) {
        if (static_cast<std::size_t>(kNumerics[i].numerics) != i) {
          return false;
        }
      }
      return true;
    }(),
    "kNumerics is in the order of core's enum");

constexpr v1::Numerics ToSchema(core::Numerics numerics) {
  return kNumerics[static_cast<std::size_t>(numerics)].number;
}

// Returns nothing for NUMERICS_UNSPECIFIED and for numbers that the schema does not
// have.
constexpr std::optional<core::Numerics> ToCore(v1::Numerics number) {
  for (const NumericsMapping& mapping : kNumerics) {
    if (mapping.number == number) {
      return mapping.numerics;
    }
  }
  return std::nullopt;
}

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_NUMERICS_H_
