// The names of the arithmetics, which all rooms share.

#ifndef QUANTD_CORE_BASE_NUMERICS_H_
#define QUANTD_CORE_BASE_NUMERICS_H_

namespace quantd::core {

// Whose arithmetic to reproduce, bit for bit. core/numerics.h has a row for each,
// and docs/numerics.md describes them.
enum class Numerics {
  // By range.
  kTensorFlow,
  kTensorFlowArgs,
  kTensorFlowXla,
  kTensorFlowXlaUnfused,
  kTensorFlowXlaArgs,
  kTensorFlowXlaArgsUnfused,
  kKerasJax,
  kKerasJaxJit,
  kKerasJaxJitUnfused,
  kTensorFlowQuantizeAndDequantize,
  kTensorFlowQuantizeV2MinCombined,
  kTensorFlowQuantizeV2MinFirst,
  kTensorFlowQuantizeV2Scaled,
  // By scale and zero point.
  kOnnx,
  kPyTorch,
  // By either.
  kLiteRt,
  // By scale and zero point.
  kLiteRtXnnpack,
  kTensorFlowUniform,
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_NUMERICS_H_
