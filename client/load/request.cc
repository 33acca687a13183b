#include "client/load/request.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/library/client.h"
#include "client/library/messages.h"
#include "core/fake_quantization.h"
#include "core/reference.h"

namespace quantd::client {
namespace {

constexpr std::size_t kRandomValues = std::size_t{1} << 20U;
// So that gradients are not the inputs over again.
constexpr std::uint64_t kGradientsSeed = 2;

TensorView ViewOf(const NpyArray& array) { return {.shape = array.shape, .values = array.values}; }

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

// Whether `value` is the float32 nearest to `exact` or a neighbour of it.
bool IsWithinOneUlp(float value, double exact) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const auto nearest = static_cast<float>(exact);
  return IsSame(value, nearest) || value == nearest ||
         value == std::nextafter(nearest, kInfinity) ||
         value == std::nextafter(nearest, -kInfinity);
}

absl::Status CheckNudgedRange(const core::NudgedRange& range, const core::NudgedRange& expected) {
  absl::Status status = CheckElements("nudged_range.min", range.min, expected.min);
  status.Update(CheckElements("nudged_range.max", range.max, expected.max));
  status.Update(CheckElements("nudged_range.scale", range.scale, expected.scale));
  if (status.ok() && range.zero_point != expected.zero_point) {
    return absl::DataLossError("nudged_range.zero_point differs from what was expected");
  }
  return status;
}

absl::Status CheckSums(std::string_view field, std::span<const float> values,
                       std::span<const double> expected) {
  const auto [value, wanted] = std::ranges::mismatch(values, expected, IsWithinOneUlp);
  if (value == values.end()) {
    return absl::OkStatus();
  }
  return WrongAnswer(field, static_cast<std::size_t>(value - values.begin()), *value,
                     static_cast<float>(*wanted));
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

// What the reference says.
class Request::ExpectedAnswer {
 public:
  static absl::StatusOr<std::shared_ptr<const ExpectedAnswer>> Compute(
      const RequestContent& content, const NpyArray& gradients,
      const core::NudgedRange& nudged_range) {
    auto expected = std::make_shared<ExpectedAnswer>();
    expected->nudged_range_ = nudged_range;
    expected->operation_ = content.operation;
    expected->channel_count_ = content.range.min.size();
    const core::Range range = content.range.view();
    if (content.operation == Operation::kFakeQuantize) {
      auto output = core::reference::FakeQuantize(content.tensor.shape, content.tensor.values,
                                                  range, content.spec);
      if (!output.ok()) {
        return output.status();
      }
      expected->elements_ = *std::move(output);
      return expected;
    }
    auto differentiated = core::reference::FakeQuantizeGradient(
        content.tensor.shape, gradients.values, content.tensor.values, range, content.spec);
    if (!differentiated.ok()) {
      return differentiated.status();
    }
    expected->elements_ = std::move(differentiated->input);
    expected->min_gradient_ = std::move(differentiated->min);
    expected->max_gradient_ = std::move(differentiated->max);
    return expected;
  }

  absl::Status Check(const grpc::ByteBuffer& answer) const {
    std::vector<float> elements(elements_.size());
    if (operation_ == Operation::kFakeQuantize) {
      const auto range = DecodeFakeQuantizeResponse(answer, channel_count_, elements);
      if (!range.ok()) {
        return range.status();
      }
      absl::Status status = CheckElements("output", elements, elements_);
      status.Update(CheckNudgedRange(*range, nudged_range_));
      return status;
    }
    const auto sums = DecodeFakeQuantizeGradientResponse(answer, channel_count_, elements);
    if (!sums.ok()) {
      return sums.status();
    }
    absl::Status status = CheckElements("input_gradients", elements, elements_);
    status.Update(CheckSums("min_gradient", sums->min, min_gradient_));
    status.Update(CheckSums("max_gradient", sums->max, max_gradient_));
    status.Update(CheckNudgedRange(sums->nudged_range, nudged_range_));
    return status;
  }

 private:
  Operation operation_ = Operation::kFakeQuantize;
  std::size_t channel_count_ = 0;
  core::NudgedRange nudged_range_;
  std::vector<float> elements_;
  std::vector<double> min_gradient_;
  std::vector<double> max_gradient_;
};

absl::StatusOr<Request> Request::Create(const RequestContent& content, bool is_verified) {
  const core::Range range = content.range.view();
  const auto quantization =
      core::FakeQuantization::Create(content.tensor.shape, range, content.spec);
  if (!quantization.ok()) {
    return quantization.status();
  }
  const bool is_gradient = content.operation == Operation::kFakeQuantizeGradient;
  const NpyArray gradients =
      is_gradient ? RandomTensor(content.tensor.shape, kGradientsSeed) : NpyArray();
  const TensorView input = ViewOf(content.tensor);
  const RequestParameters parameters{.range = range, .spec = content.spec};
  const absl::StatusOr<grpc::ByteBuffer> bytes =
      is_gradient ? EncodeFakeQuantizeGradientRequest(ViewOf(gradients), input, parameters)
                  : EncodeFakeQuantizeRequest(input, parameters);
  if (!bytes.ok()) {
    return bytes.status();
  }
  Request request;
  request.bytes_ = *bytes;
  request.element_count_ = input.values.size();
  request.tensor_bytes_ = input.values.size_bytes() * (is_gradient ? 3 : 2);
  if (is_verified) {
    auto expected = ExpectedAnswer::Compute(content, gradients, quantization->nudged_range());
    if (!expected.ok()) {
      return expected.status();
    }
    request.expected_ = *std::move(expected);
  }
  return request;
}

absl::Status Request::Check(const grpc::ByteBuffer& answer) const {
  return expected_->Check(answer);
}

}  // namespace quantd::client
