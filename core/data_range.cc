#include "core/data_range.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/float16.h"
#include "core/base/mutex.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"
#include "core/kernels/extremes.h"
#include "core/numerics.h"
#include "core/operations/element_map.h"
#include "core/operations/first_nan.h"
#include "core/operations/staging.h"
#include "core/parameter_layout.h"
#include "core/resolved_spec.h"
#include "core/support.h"

namespace quantd::core {
namespace {

absl::Status WrongParameters(const std::string& field, const std::string& message) {
  return InvalidArgument(ErrorReason::kParametersMismatch, message, {.field = field});
}

absl::Status CannotComputeParameters(Numerics numerics) {
  const std::string name(RowOf(numerics).name);
  return InvalidArgument(
      ErrorReason::kUnsupportedNumerics,
      absl::StrCat("the numerics ", name,
                   " does not compute parameters from the data; expected one by range, or ONNX: "
                   "choose one of these, or send scale and zero point"),
      {.field = "spec.numerics", .metadata = {{"numerics", name}}});
}

absl::Status NanInData(std::size_t index) {
  return InvalidArgument(ErrorReason::kInvalidValue,
                         absl::StrCat("element ", index,
                                      " of input is NaN, which has no place in a range; expected "
                                      "numbers: replace NaN, or send a range of your own"),
                         {.field = "input.data", .metadata = {{"index", absl::StrCat(index)}}});
}

// The extremes of all channels or blocks, from any number of threads.
class AllExtremes {
 public:
  explicit AllExtremes(std::size_t count) : min_(count), max_(count) {}

  void Extend(std::size_t parameter, const kernels::Extremes& extremes) {
    const MutexLock lock(&mutex_);
    min_[parameter] = std::min(min_[parameter], extremes.min);
    max_[parameter] = std::max(max_[parameter], extremes.max);
    has_nan_ |= extremes.has_nan;
  }

  void ExtendEach(std::size_t parameter, ElementPointer<float> elements, std::size_t count) {
    const MutexLock lock(&mutex_);
    has_nan_ |= kernels::ExtendExtremes(elements, count, &min_[parameter], &max_[parameter]);
  }

  bool has_nan() {
    const MutexLock lock(&mutex_);
    return has_nan_;
  }
  std::vector<float> TakeMin() {
    const MutexLock lock(&mutex_);
    return std::move(min_);
  }
  std::vector<float> TakeMax() {
    const MutexLock lock(&mutex_);
    return std::move(max_);
  }

 private:
  Mutex mutex_;
  std::vector<float> min_ ABSL_GUARDED_BY(mutex_);
  std::vector<float> max_ ABSL_GUARDED_BY(mutex_);
  bool has_nan_ ABSL_GUARDED_BY(mutex_) = false;
};

template <typename In>
void FindExtremes(const ParameterLayout& layout, const ScatteredBytes& input,
                  const Execution& execution, AllExtremes& extremes) {
  ForEachParameterRunOf<In, 1>(
      layout, {&input}, execution,
      [&](const auto& pointers, std::size_t /*first*/, std::size_t count, std::size_t parameter,
          std::size_t stride) {
        ForEachStagedFloat<In>(
            pointers[0], count,
            [&](ElementPointer<float> floats, std::size_t i, std::size_t staged) {
              if (stride == 0) {
                extremes.Extend(parameter, kernels::ExtremesOf(floats, staged));
              } else {
                extremes.ExtendEach(parameter + i, floats, staged);
              }
            });
      });
}

// Returns the parameters of ONNX's DynamicQuantizeLinear for codes of 8 bits.
ComputedAffineParameters DynamicParameters(const std::vector<float>& min,
                                           const std::vector<float>& max,
                                           const DataRange& data_range) {
  ComputedAffineParameters computed = {
      .scale = {}, .zero_point = {}, .axis = data_range.axis, .block_size = data_range.block_size};
  for (std::size_t i = 0; i < min.size(); ++i) {
    const float scale = min[i] == max[i] ? 1.0F : (max[i] - min[i]) / 255;
    const float from_min = std::clamp(0 - min[i] / scale, 0.0F, 255.0F);
    computed.scale.push_back(scale);
    // Infinite data gives NaN; the scale is refused later.
    computed.zero_point.push_back(
        std::isnan(from_min) ? 0 : static_cast<std::int32_t>(std::nearbyint(from_min)));
  }
  return computed;
}

absl::Status NotDynamicQuantizeLinear(const std::string& field, ErrorReason reason,
                                      absl::string_view complaint) {
  return InvalidArgument(reason,
                         absl::StrCat(complaint,
                                      "; expected all codes of uint8, which ONNX's "
                                      "DynamicQuantizeLinear gives: leave it out"),
                         {.field = field});
}

absl::Status CheckDynamic(const DataRange& data_range, const ResolvedSpec& spec) {
  if (data_range.symmetric) {
    return WrongParameters(
        "data_range.symmetric",
        "data_range.symmetric is set with the numerics ONNX; expected a numerics "
        "by range: leave it out, or choose such a numerics");
  }
  if (spec.code_type != ElementType::kUint8) {
    return NotDynamicQuantizeLinear(
        "output_type", ErrorReason::kUnsupportedDataType,
        absl::StrCat("output_type is ", ToAbsl(RowOf(spec.code_type).name),
                     " with data_range and the numerics ONNX"));
  }
  if (spec.codes.levels() != 255) {
    return NotDynamicQuantizeLinear(
        "spec", ErrorReason::kInvalidQuantRange,
        absl::StrCat("spec leaves codes out with data_range and the numerics ONNX: it has ",
                     spec.codes.min, "..", spec.codes.max));
  }
  return absl::OkStatus();
}

// What is computed, and how.
struct Problem {
  ResolvedSpec spec;
  ParameterLayout layout;
  bool by_range;
};

// Checks everything but the data.
absl::StatusOr<Problem> CheckRequest(const DataRange& data_range, const QuantizationSpec& spec,
                                     const TensorView& input, ElementType output) {
  const Numerics numerics = spec.numerics.value_or(Numerics::kTensorFlow);
  const bool by_range = RowOf(numerics).range.has_value();
  const auto source = by_range ? ParameterSource::kRange : ParameterSource::kAffine;
  const std::optional<Support> support = SupportOf(OperationKind::kQuantize, numerics, source);
  if (!support.has_value() || !support->from_data) {
    return CannotComputeParameters(numerics);
  }
  RETURN_IF_ERROR(CheckBlockSize("data_range", data_range.axis, data_range.block_size));
  if (by_range && data_range.block_size.has_value()) {
    return WrongParameters("data_range.block_size",
                           "data_range.block_size is set with a numerics by range; expected it "
                           "only with ONNX: leave it out, or choose ONNX");
  }
  QuantizationParameters parameters = Range{.min = {}, .max = {}, .axis = data_range.axis};
  if (!by_range) {
    parameters =
        AffineParameters{.scale = {}, .axis = data_range.axis, .block_size = data_range.block_size};
  }
  QuantizationSpec complete = spec;
  complete.numerics = numerics;
  ASSIGN_OR_RETURN(const ResolvedSpec resolved,
                   Resolve(OperationKind::kQuantize, parameters, complete, {input.type, output}));
  if (!by_range) {
    RETURN_IF_ERROR(CheckDynamic(data_range, resolved));
  }
  ASSIGN_OR_RETURN(const ParameterLayout layout,
                   MakeParameterLayout(input.shape, data_range.axis,
                                       data_range.block_size.value_or(0), "data_range.axis"));
  return Problem{.spec = resolved, .layout = layout, .by_range = by_range};
}

void FindExtremesOf(const TensorView& input, const ParameterLayout& layout,
                    const Execution& execution, AllExtremes& extremes) {
  if (layout.element_count() == 0) {
    return;
  }
  switch (input.type) {
    case ElementType::kFloat32:
      return FindExtremes<float>(layout, input.bytes, execution, extremes);
    case ElementType::kFloat16:
      return FindExtremes<Float16>(layout, input.bytes, execution, extremes);
    case ElementType::kBFloat16:
      return FindExtremes<BFloat16>(layout, input.bytes, execution, extremes);
    default:
      assert(false && "Resolve() refuses other types");
  }
}

}  // namespace

QuantizationParameters ViewOf(const ComputedParameters& parameters) {
  if (const auto* range = std::get_if<ComputedRange>(&parameters)) {
    return Range{.min = range->min, .max = range->max, .axis = range->axis};
  }
  const auto& affine = std::get<ComputedAffineParameters>(parameters);
  return AffineParameters{.scale = affine.scale,
                          .zero_point = affine.zero_point,
                          .axis = affine.axis,
                          .block_size = affine.block_size};
}

absl::StatusOr<ComputedParameters> ComputeParameters(const DataRange& data_range,
                                                     const QuantizationSpec& spec,
                                                     const TensorView& input, ElementType output,
                                                     const Execution& execution) {
  ASSIGN_OR_RETURN(const Problem problem, CheckRequest(data_range, spec, input, output));
  RETURN_IF_ERROR(CheckSize("input", input.bytes.size(),
                            ElementBytes(input.type, problem.layout.element_count())));
  AllExtremes extremes(problem.layout.parameter_count());
  FindExtremesOf(input, problem.layout, execution, extremes);
  RETURN_IF_ERROR(execution.CheckWanted());
  if (extremes.has_nan()) {
    return NanInData(*FirstNan(input, [](std::size_t /*element*/) { return true; }));
  }
  std::vector<float> min = extremes.TakeMin();
  std::vector<float> max = extremes.TakeMax();
  if (!problem.by_range) {
    return DynamicParameters(min, max, data_range);
  }
  if (data_range.symmetric) {
    for (std::size_t i = 0; i < min.size(); ++i) {
      max[i] = std::max(-min[i], max[i]);
      min[i] = -max[i];
    }
  }
  return ComputedRange{.min = std::move(min), .max = std::move(max), .axis = data_range.axis};
}

}  // namespace quantd::core
