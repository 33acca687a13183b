#include "client/load/request.h"

#include <algorithm>
#include <cassert>
#include <random>
#include <vector>

#include "client/library/client.h"
#include "client/library/elements.h"
#include "client/library/messages.h"
#include "client/library/tensor_call.h"
#include "core/base/status_macros.h"
#include "wire/operations.h"

namespace quantd::client {
namespace {

constexpr std::size_t kRandomValues = std::size_t{1} << 20U;
// Unlike the seeds that callers use, so that an operation's inputs differ.
constexpr std::uint64_t kOtherInputsSeed = 2;

// Returns `count` values of a distribution, which repeat after kRandomValues.
template <typename T, typename Distribution>
std::vector<T> RandomValues(std::size_t count, std::uint64_t seed, Distribution distribution) {
  std::vector<T> values(count);
  std::mt19937_64 random(seed);
  const std::size_t drawn = std::min(count, kRandomValues);
  std::ranges::generate(std::span(values).first(drawn), [&] { return distribution(random); });
  for (std::size_t index = drawn; index < count; ++index) {
    values[index] = values[index - kRandomValues];
  }
  return values;
}

Elements RandomElements(std::size_t count, core::ElementType type, std::uint64_t seed) {
  const core::ElementTypeRow& row = core::RowOf(type);
  if (row.is_code) {
    return FromCodes(RandomValues<std::int32_t>(
                         count, seed, std::uniform_int_distribution(row.lowest, row.highest)),
                     type);
  }
  const std::vector<float> values =
      RandomValues<float>(count, seed, std::normal_distribution<float>());
  if (type == core::ElementType::kFloat64) {
    return Elements::Of<double>(std::vector<double>(values.begin(), values.end()));
  }
  return FromFloats(values, type);
}

// The tensors of a request.
class RequestTensors {
 public:
  explicit RequestTensors(const RequestContent& content) {
    const std::size_t input_count = wire::VisitOperation(
        content.operation, []<typename Operation>() { return Operation::kInputs.size(); });
    for (std::size_t i = 0; i + 1 < input_count; ++i) {
      others_.push_back(
          RandomTensor(content.tensor.shape, content.tensor.elements.type(), kOtherInputsSeed + i));
    }
    for (const NpyArray& other : others_) {
      elements_.push_back(&other.elements);
      views_.push_back(other.view());
    }
    elements_.push_back(&content.tensor.elements);
    views_.push_back(content.tensor.view());
  }

  RequestTensors(const RequestTensors&) = delete;
  RequestTensors& operator=(const RequestTensors&) = delete;

  // In the order of the operation's inputs.
  std::span<const TensorView> views() const { return views_; }
  std::span<const Elements* const> elements() const { return elements_; }

 private:
  std::vector<NpyArray> others_;
  std::vector<const Elements*> elements_;
  std::vector<TensorView> views_;
};

// The call that the request makes, with nowhere to write the answer's tensor.
TensorCall CallOf(const RequestContent& content, std::span<const TensorView> inputs) {
  const core::ElementType output_type =
      wire::VisitOperation(content.operation, [&]<typename Operation>() {
        return wire::TakesOutputType<typename Operation::Request> ? content.output_type
                                                                  : content.tensor.elements.type();
      });
  return {.operation = content.operation,
          .inputs = inputs,
          .parameters = ViewOf(content.parameters),
          .spec = content.spec,
          .output = {output_type, nullptr, content.tensor.elements.size()}};
}

}  // namespace

NpyArray RandomTensor(std::span<const std::int64_t> shape, core::ElementType type,
                      std::uint64_t seed) {
  std::size_t count = 1;
  for (const std::int64_t dimension : shape) {
    count *= static_cast<std::size_t>(dimension);
  }
  return {.shape = {shape.begin(), shape.end()}, .elements = RandomElements(count, type, seed)};
}

absl::StatusOr<Request> Request::Create(const RequestContent& content, bool verified) {
  const RequestTensors tensors(content);
  const TensorCall call = CallOf(content, tensors.views());
  RETURN_IF_ERROR(CheckAsServer(call));
  Request request;
  ASSIGN_OR_RETURN(request.bytes_, EncodeRequest(call.operation, call.inputs, AllParameters(call)));
  request.element_count_ = call.element_count();
  request.tensor_bytes_ = call.output.size_bytes();
  for (const TensorView& input : call.inputs) {
    request.tensor_bytes_ += input.bytes.size();
  }
  if (verified) {
    ASSIGN_OR_RETURN(request.expected_, ExpectedAnswer::Compute(call, tensors.elements()));
  }
  return request;
}

absl::Status Request::Check(const grpc::ByteBuffer& answer) const {
  assert(expected_ != nullptr);
  return expected_->Check(answer);
}

}  // namespace quantd::client
