#include "client/load/request.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <limits>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "client/library/client.h"
#include "client/library/messages.h"
#include "core/base/status_macros.h"
#include "core/fake_quantization.h"
#include "core/reference.h"
#include "wire/methods.h"
#include "wire/operations.h"

namespace quantd::client {
namespace {

constexpr std::size_t kRandomValues = std::size_t{1} << 20U;
// Unlike the seeds that callers use, so that an operation's inputs differ.
constexpr std::uint64_t kOtherInputsSeed = 2;

// Returns all inputs of the operation but the last.
std::vector<NpyArray> OtherInputs(const RequestContent& content) {
  const std::size_t input_count = wire::VisitOperation(
      content.operation, []<typename Operation>() { return Operation::kInputs.size(); });
  std::vector<NpyArray> inputs;
  while (inputs.size() + 1 < input_count) {
    inputs.push_back(RandomTensor(content.tensor.shape, kOtherInputsSeed + inputs.size()));
  }
  return inputs;
}

bool IsSame(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

absl::Status WrongAnswer(std::string_view field, std::size_t index, float value, float expected) {
  return absl::DataLossError(
      absl::StrFormat("%s: element %d is %.9g; expected %.9g", field, index, value, expected));
}

absl::Status CheckElements(std::string_view field, std::span<const float> values,
                           std::span<const float> expected) {
  const auto [value, wanted] = std::ranges::mismatch(values, expected, IsSame);
  if (value == values.end()) {
    return absl::OkStatus();
  }
  return WrongAnswer(field, static_cast<std::size_t>(value - values.begin()), *value, *wanted);
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

absl::Status CheckNudgedRange(const core::NudgedRange& range, const core::NudgedRange& expected) {
  RETURN_IF_ERROR(CheckElements("nudged_range.min", range.min, expected.min));
  RETURN_IF_ERROR(CheckElements("nudged_range.max", range.max, expected.max));
  RETURN_IF_ERROR(CheckElements("nudged_range.scale", range.scale, expected.scale));
  return range.zero_point == expected.zero_point
             ? absl::OkStatus()
             : absl::DataLossError("nudged_range.zero_point is not the expected one");
}

absl::Status CheckSums(std::string_view field, std::span<const double> values,
                       std::span<const double> expected) {
  const auto [value, wanted] = std::ranges::mismatch(values, expected, IsWithinOneUlp);
  if (value == values.end()) {
    return absl::OkStatus();
  }
  return WrongAnswer(field, static_cast<std::size_t>(value - values.begin()),
                     static_cast<float>(*value), static_cast<float>(*wanted));
}

// Computes the tensor of an answer and, if the operation differentiates the range,
// the gradients with respect to it.
template <typename Operation>
absl::StatusOr<core::reference::Gradients> ComputeReference(const RequestContent& content,
                                                            std::span<const TensorView> inputs) {
  const core::Range range = content.range.view();
  if constexpr (wire::DifferentiatesRange<Operation>) {
    return core::reference::Differentiate(content.tensor.shape, inputs[0].elements<float>(),
                                          inputs[1].elements<float>(), range, content.spec);
  } else {
    core::reference::Gradients result;
    ASSIGN_OR_RETURN(result.input,
                     core::reference::FakeQuantize(
                         content.tensor.shape, inputs[0].elements<float>(), range, content.spec));
    return result;
  }
}

}  // namespace

NpyArray RandomTensor(std::span<const std::int64_t> shape, std::uint64_t seed) {
  NpyArray tensor{.shape = {shape.begin(), shape.end()}, .values = {}};
  std::size_t count = 1;
  for (const std::int64_t dimension : shape) {
    count *= static_cast<std::size_t>(dimension);
  }
  tensor.values.resize(count);
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  const std::size_t drawn = std::min(count, kRandomValues);
  std::ranges::generate(std::span(tensor.values).first(drawn), [&] { return normal(random); });
  for (std::size_t index = drawn; index < count; ++index) {
    tensor.values[index] = tensor.values[index - kRandomValues];
  }
  return tensor;
}

// What the reference computes.
class Request::ExpectedAnswer {
 public:
  // `inputs` are those of the operation.
  static absl::StatusOr<std::shared_ptr<const ExpectedAnswer>> Compute(
      const RequestContent& content, std::span<const TensorView> inputs,
      const core::NudgedRange& nudged_range) {
    auto expected = std::make_shared<ExpectedAnswer>();
    expected->operation_ = content.operation;
    expected->nudged_range_ = nudged_range;
    ASSIGN_OR_RETURN(expected->result_,
                     wire::VisitOperation(content.operation, [&]<typename Operation>() {
                       expected->field_ = Operation::kOutput.name;
                       return ComputeReference<Operation>(content, inputs);
                     }));
    return expected;
  }

  absl::Status Check(const grpc::ByteBuffer& answer) const {
    std::vector<float> elements(result_.input.size());
    // Answers of a stream have all that unary ones have.
    ASSIGN_OR_RETURN(const AnswerParameters parameters,
                     DecodeResponse(operation_, wire::Transfer::kUnary, answer,
                                    nudged_range_.min.size(), std::span(elements)));
    RETURN_IF_ERROR(CheckElements(field_, elements, result_.input));
    RETURN_IF_ERROR(CheckSums("min_gradient", parameters.min_gradient, result_.min));
    RETURN_IF_ERROR(CheckSums("max_gradient", parameters.max_gradient, result_.max));
    return CheckNudgedRange(parameters.nudged_range, nudged_range_);
  }

 private:
  std::size_t operation_ = 0;
  // The name of the answer's tensor.
  std::string_view field_;
  // Its sums are empty if the operation does not differentiate the range.
  core::reference::Gradients result_;
  core::NudgedRange nudged_range_;
};

absl::StatusOr<Request> Request::Create(const RequestContent& content, bool verified) {
  const core::Range range = content.range.view();
  ASSIGN_OR_RETURN(const core::FakeQuantization quantization,
                   core::FakeQuantization::Create(range, content.spec));
  RETURN_IF_ERROR(quantization.CheckShape(content.tensor.shape));
  const std::vector<NpyArray> others = OtherInputs(content);
  std::vector<TensorView> inputs;
  inputs.reserve(others.size() + 1);
  for (const NpyArray& other : others) {
    inputs.push_back(other.view());
  }
  inputs.push_back(content.tensor.view());
  Request request;
  ASSIGN_OR_RETURN(request.bytes_, EncodeRequest(content.operation, inputs,
                                                 {.range = range, .spec = content.spec}));
  request.element_count_ = inputs.back().element_count();
  request.tensor_bytes_ = inputs.back().bytes.size() * (inputs.size() + 1);
  if (verified) {
    ASSIGN_OR_RETURN(request.expected_,
                     ExpectedAnswer::Compute(content, inputs, quantization.nudged_range()));
  }
  return request;
}

absl::Status Request::Check(const grpc::ByteBuffer& answer) const {
  assert(expected_ != nullptr);
  return expected_->Check(answer);
}

}  // namespace quantd::client
