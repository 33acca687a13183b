// Parameters of a quantization from the data's own minimum and maximum.

#ifndef QUANTD_CORE_DATA_RANGE_H_
#define QUANTD_CORE_DATA_RANGE_H_

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/element_type.h"
#include "core/base/tensor_view.h"
#include "core/execution.h"
#include "core/quantization.h"

namespace quantd::core {

// Range and AffineParameters that own their values.
struct ComputedRange {
  std::vector<float> min;
  std::vector<float> max;
  std::optional<std::int32_t> axis;
};
struct ComputedAffineParameters {
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;
  std::optional<std::int32_t> axis;
  std::optional<std::uint32_t> block_size;
};
using ComputedParameters = std::variant<ComputedRange, ComputedAffineParameters>;

// Refers to `parameters`.
QuantizationParameters ViewOf(const ComputedParameters& parameters);

// See Quantizer::CreateFromData(), whose errors are those of this.
absl::StatusOr<ComputedParameters> ComputeParameters(const DataRange& data_range,
                                                     const QuantizationSpec& spec,
                                                     const TensorView& input, ElementType output,
                                                     const Execution& execution);

}  // namespace quantd::core

#endif  // QUANTD_CORE_DATA_RANGE_H_
