#include "client/load/expected_answer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/library/parameters.h"
#include "core/base/element_type.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"
#include "core/fake_quantization.h"
#include "core/numerics.h"
#include "core/parameter_layout.h"
#include "core/quantization.h"
#include "core/quantizer.h"
#include "core/reference.h"
#include "wire/methods.h"
#include "wire/operations.h"

namespace quantd::client {
namespace {

bool IsSame(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

bool IsSame(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

bool IsSame(std::int32_t a, std::int32_t b) { return a == b; }

std::string TextOf(float value) { return absl::StrFormat("%.9g", value); }
std::string TextOf(double value) { return absl::StrFormat("%.17g", value); }
std::string TextOf(std::int32_t value) { return absl::StrCat(value); }

template <typename T>
absl::Status WrongAnswer(std::string_view field, std::ptrdiff_t index, T value, T expected) {
  return absl::DataLossError(absl::StrCat(core::ToAbsl(field), ": element ", index, " is ",
                                          TextOf(value), "; expected ", TextOf(expected)));
}

template <typename T>
absl::Status CheckValues(std::string_view field, std::span<const T> values,
                         std::span<const T> expected) {
  const auto [value, wanted] =
      std::ranges::mismatch(values, expected, [](T a, T b) { return IsSame(a, b); });
  return value == values.end() ? absl::OkStatus()
                               : WrongAnswer(field, value - values.begin(), *value, *wanted);
}

// Compares elements by their bits; any NaN equals any other.
absl::Status CheckElements(std::string_view field, const Elements& elements,
                           const Elements& expected) {
  if (std::ranges::equal(elements.bytes(), expected.bytes())) {
    return absl::OkStatus();
  }
  if (core::RowOf(expected.type()).is_code) {
    return CheckValues<std::int32_t>(field, ToCodes(elements), ToCodes(expected));
  }
  if (expected.type() == core::ElementType::kFloat64) {
    return CheckValues(field, elements.values<double>(), expected.values<double>());
  }
  return CheckValues<float>(field, ToFloats(elements), ToFloats(expected));
}

// Returns true if `sum`, a float32, is the one nearest to `exact` or next to it.
bool IsWithinOneUlp(double sum, double exact) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const auto value = static_cast<float>(sum);
  const auto nearest = static_cast<float>(exact);
  return IsSame(value, nearest) || value == nearest ||
         value == std::nextafter(nearest, kInfinity) ||
         value == std::nextafter(nearest, -kInfinity);
}

absl::Status CheckSums(std::string_view field, std::span<const double> values,
                       std::span<const double> expected) {
  const auto [value, wanted] = std::ranges::mismatch(values, expected, IsWithinOneUlp);
  return value == values.end()
             ? absl::OkStatus()
             : WrongAnswer(field, value - values.begin(), static_cast<float>(*value),
                           static_cast<float>(*wanted));
}

// Compares the values of a field that has one per channel or block.
template <typename T>
absl::Status CheckParameters(std::string_view field, const core::PerChannel<T>& values,
                             const core::PerChannel<T>& expected) {
  return CheckValues<T>(field, values, expected);
}

absl::Status CheckNudgedRange(const core::NudgedRange& range, const core::NudgedRange& expected) {
  RETURN_IF_ERROR(CheckParameters("nudged_range.min", range.min, expected.min));
  RETURN_IF_ERROR(CheckParameters("nudged_range.max", range.max, expected.max));
  RETURN_IF_ERROR(CheckParameters("nudged_range.scale", range.scale, expected.scale));
  return CheckParameters("nudged_range.zero_point", range.zero_point, expected.zero_point);
}

// Takes what an answer says from a plan for the same call.
void TakeFrom(const auto& plan, AnswerParameters* parameters) {
  parameters->numerics = plan.numerics();
  if constexpr (requires { plan.nudged_range(); }) {
    if (plan.nudged_range() != nullptr) {
      parameters->nudged_range = *plan.nudged_range();
    }
  }
  if constexpr (requires { plan.parameters(); }) {
    parameters->parameters = plan.parameters();
  }
}

}  // namespace

absl::Status ExpectedAnswer::FakeQuantize(const TensorCall& call, const Elements& input) {
  const core::QuantizationParameters parameters = WithoutDataRange(call.parameters);
  ASSIGN_OR_RETURN(const core::FakeQuantization plan,
                   core::FakeQuantization::Create(parameters, call.spec, input.type()));
  TakeFrom(plan, &parameters_);
  if (input.type() == core::ElementType::kFloat64) {
    ASSIGN_OR_RETURN(
        const std::vector<double> output,
        core::reference::FakeQuantize(call.shape(), input.values<double>(), parameters, call.spec));
    output_ = Elements::Of<double>(output);
    return absl::OkStatus();
  }
  const std::vector<float> values = ToFloats(input);
  ASSIGN_OR_RETURN(const std::vector<float> output,
                   core::reference::FakeQuantize(call.shape(), std::span(values), parameters,
                                                 call.spec, input.type()));
  output_ = FromFloats(output, input.type());
  return absl::OkStatus();
}

absl::Status ExpectedAnswer::FakeQuantizeGradient(const TensorCall& call, const Elements& gradients,
                                                  const Elements& inputs) {
  const core::QuantizationParameters parameters = WithoutDataRange(call.parameters);
  ASSIGN_OR_RETURN(const core::FakeQuantization plan,
                   core::FakeQuantization::CreateForGradient(parameters, call.spec, inputs.type()));
  TakeFrom(plan, &parameters_);
  const auto take_sums = [this](auto& result) {
    parameters_.min_gradient = std::move(result.min);
    parameters_.max_gradient = std::move(result.max);
  };
  if (inputs.type() == core::ElementType::kFloat64) {
    ASSIGN_OR_RETURN(
        core::reference::Gradients<double> result,
        core::reference::FakeQuantizeGradient(call.shape(), gradients.values<double>(),
                                              inputs.values<double>(), parameters, call.spec));
    output_ = Elements::Of<double>(result.input);
    take_sums(result);
    return absl::OkStatus();
  }
  const std::vector<float> gradient_values = ToFloats(gradients);
  const std::vector<float> input_values = ToFloats(inputs);
  ASSIGN_OR_RETURN(
      core::reference::Gradients<float> result,
      core::reference::FakeQuantizeGradient(call.shape(), std::span(gradient_values),
                                            std::span(input_values), parameters, call.spec));
  output_ = FromFloats(result.input, inputs.type());
  take_sums(result);
  return absl::OkStatus();
}

absl::Status ExpectedAnswer::Quantize(const TensorCall& call, const Elements& input) {
  const core::QuantizationParameters parameters = WithoutDataRange(call.parameters);
  const core::ElementType output_type = call.output.type();
  ASSIGN_OR_RETURN(const core::Quantizer plan,
                   core::Quantizer::Create(parameters, call.spec,
                                           {.input = input.type(), .output = output_type}));
  TakeFrom(plan, &parameters_);
  ASSIGN_OR_RETURN(const std::vector<std::int32_t> codes,
                   core::reference::Quantize(call.shape(), ToFloats(input), parameters, call.spec,
                                             output_type, input.type()));
  output_ = FromCodes(codes, output_type);
  return absl::OkStatus();
}

absl::Status ExpectedAnswer::Dequantize(const TensorCall& call, const Elements& codes) {
  const core::QuantizationParameters parameters = WithoutDataRange(call.parameters);
  const core::ElementType output_type = call.output.type();
  ASSIGN_OR_RETURN(const core::Dequantizer plan,
                   core::Dequantizer::Create(parameters, call.spec,
                                             {.input = codes.type(), .output = output_type}));
  TakeFrom(plan, &parameters_);
  ASSIGN_OR_RETURN(const std::vector<float> output,
                   core::reference::Dequantize(call.shape(), ToCodes(codes), parameters, call.spec,
                                               codes.type()));
  output_ = FromFloats(output, output_type);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const ExpectedAnswer>> ExpectedAnswer::Compute(
    const TensorCall& call, std::span<const Elements* const> inputs) {
  auto expected = absl::WrapUnique(new ExpectedAnswer);
  expected->operation_ = call.operation;
  expected->field_ = wire::VisitOperation(
      call.operation, []<typename Operation>() { return Operation::kOutput.name; });
  ASSIGN_OR_RETURN(const core::ParameterLayout layout, LayoutOf(call.shape(), call.parameters));
  expected->expectation_ = ExpectationOf(call.parameters, call.spec, layout);
  switch (call.operation) {
    case wire::kOperationIndex<wire::FakeQuantizeGradient>:
      RETURN_IF_ERROR(expected->FakeQuantizeGradient(call, *inputs[0], *inputs[1]));
      break;
    case wire::kOperationIndex<wire::Quantize>:
      RETURN_IF_ERROR(expected->Quantize(call, *inputs[0]));
      break;
    case wire::kOperationIndex<wire::Dequantize>:
      RETURN_IF_ERROR(expected->Dequantize(call, *inputs[0]));
      break;
    default:
      RETURN_IF_ERROR(expected->FakeQuantize(call, *inputs[0]));
  }
  return expected;
}

absl::Status ExpectedAnswer::Check(const grpc::ByteBuffer& answer) const {
  Elements output(output_.type(), output_.size());
  // Answers of a stream have all that unary ones have.
  ASSIGN_OR_RETURN(
      const AnswerParameters parameters,
      DecodeResponse(operation_, wire::Transfer::kUnary, answer, expectation_, output.output()));
  RETURN_IF_ERROR(CheckElements(field_, output, output_));
  RETURN_IF_ERROR(CheckSums("min_gradient", parameters.min_gradient, parameters_.min_gradient));
  RETURN_IF_ERROR(CheckSums("max_gradient", parameters.max_gradient, parameters_.max_gradient));
  RETURN_IF_ERROR(CheckParameters("parameters.scale", parameters.parameters.scale,
                                  parameters_.parameters.scale));
  RETURN_IF_ERROR(CheckParameters("parameters.zero_point", parameters.parameters.zero_point,
                                  parameters_.parameters.zero_point));
  RETURN_IF_ERROR(CheckNudgedRange(parameters.nudged_range, parameters_.nudged_range));
  return parameters.numerics == parameters_.numerics
             ? absl::OkStatus()
             : absl::DataLossError(absl::StrCat(
                   "numerics is ", core::ToAbsl(core::RowOf(parameters.numerics).name),
                   "; expected ", core::ToAbsl(core::RowOf(parameters_.numerics).name)));
}

}  // namespace quantd::client
