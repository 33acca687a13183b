// The operations: what a client can ask to have done with tensors.
//
// Each operation is a unary method and a stream of quantd.v1.QuantizationService.
// Its struct says what all rooms need to know of it; methods, paths, metric
// labels and the choices of `quantctl bench --method` follow from the list at the
// end (wire/methods.h).

#ifndef QUANTD_WIRE_OPERATIONS_H_
#define QUANTD_WIRE_OPERATIONS_H_

#include <array>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "quantd/v1/quantization_service.pb.h"
#include "quantd/v1/tensor.pb.h"

namespace quantd::wire {

// A field of type Tensor in `Message`.
template <typename Message>
struct TensorField {
  int number;
  // In the schema.
  std::string_view name;
  bool (Message::*has)() const;
  const v1::Tensor& (Message::*get)() const;
};

struct FakeQuantize {
  using Request = v1::FakeQuantizeRequest;
  using Response = v1::FakeQuantizeResponse;

  // The unary method.
  static constexpr std::string_view kName = "FakeQuantize";
  // The label of its metrics.
  static constexpr std::string_view kLabel = "fake_quantize";
  // Its name on command lines, such as `quantctl bench --method`.
  static constexpr std::string_view kCommand = "fake-quantize";

  // The tensors of a request, which are all of one shape and type.
  static constexpr std::array<TensorField<Request>, 1> kInputs = {
      {{Request::kInputFieldNumber, "input", &Request::has_input, &Request::input}}};
  // The tensor of a response, which is of the shape of the inputs. Its type is theirs,
  // unless the request has an output type.
  static constexpr TensorField<Response> kOutput = {Response::kOutputFieldNumber, "output",
                                                    &Response::has_output, &Response::output};
};

struct FakeQuantizeGradient {
  using Request = v1::FakeQuantizeGradientRequest;
  using Response = v1::FakeQuantizeGradientResponse;

  static constexpr std::string_view kName = "FakeQuantizeGradient";
  static constexpr std::string_view kLabel = "fake_quantize_gradient";
  static constexpr std::string_view kCommand = "gradient";

  static constexpr std::array<TensorField<Request>, 2> kInputs = {
      {{Request::kGradientsFieldNumber, "gradients", &Request::has_gradients, &Request::gradients},
       {Request::kInputsFieldNumber, "inputs", &Request::has_inputs, &Request::inputs}}};
  static constexpr TensorField<Response> kOutput = {
      Response::kInputGradientsFieldNumber, "input_gradients", &Response::has_input_gradients,
      &Response::input_gradients};
};

struct Quantize {
  using Request = v1::QuantizeRequest;
  using Response = v1::QuantizeResponse;

  static constexpr std::string_view kName = "Quantize";
  static constexpr std::string_view kLabel = "quantize";
  static constexpr std::string_view kCommand = "quantize";
  // The output type of a request that does not say it.
  static constexpr v1::DataType kDefaultOutputType = v1::DATA_TYPE_UINT8;

  static constexpr std::array<TensorField<Request>, 1> kInputs = {
      {{Request::kInputFieldNumber, "input", &Request::has_input, &Request::input}}};
  static constexpr TensorField<Response> kOutput = {Response::kOutputFieldNumber, "output",
                                                    &Response::has_output, &Response::output};
};

struct Dequantize {
  using Request = v1::DequantizeRequest;
  using Response = v1::DequantizeResponse;

  static constexpr std::string_view kName = "Dequantize";
  static constexpr std::string_view kLabel = "dequantize";
  static constexpr std::string_view kCommand = "dequantize";
  // The output type of a request that does not say it.
  static constexpr v1::DataType kDefaultOutputType = v1::DATA_TYPE_FLOAT32;

  static constexpr std::array<TensorField<Request>, 1> kInputs = {
      {{Request::kInputFieldNumber, "input", &Request::has_input, &Request::input}}};
  static constexpr TensorField<Response> kOutput = {Response::kOutputFieldNumber, "output",
                                                    &Response::has_output, &Response::output};
};

// All of them. An operation's place in the list is its index.
using Operations = std::tuple<FakeQuantize, FakeQuantizeGradient, Quantize, Dequantize>;

inline constexpr std::size_t kOperationCount = std::tuple_size_v<Operations>;

// The ways in which requests have parameters, of which they have one or several.
template <typename Request>
concept TakesRange = requires(const Request& request) {
  request.range();
};
template <typename Request>
concept TakesAffine = requires(const Request& request) {
  request.affine();
};
template <typename Request>
concept TakesDataRange = requires(const Request& request) {
  request.data_range();
};

// A request that says the type of its response's tensor.
template <typename Request>
concept TakesOutputType = requires(const Request& request) {
  request.output_type();
};

// A request that differentiates its operation has the gradients of the result
// with respect to the range in its response.
template <typename Operation>
concept DifferentiatesRange = requires(const typename Operation::Response& response) {
  response.min_gradient();
  response.max_gradient();
};

// Calls function.operator()<Operation>() for every operation, in their order.
template <typename Function>
constexpr void ForEachOperation(Function&& function) {
  [&]<std::size_t... indices>(std::index_sequence<indices...>) {
    (function.template operator()<std::tuple_element_t<indices, Operations>>(), ...);
  }
  (std::make_index_sequence<kOperationCount>());
}

// Returns what function.operator()<Operation>() returns for the operation of this
// index, which exists.
template <typename Function>
constexpr auto VisitOperation(std::size_t index, Function&& function) {
  using Result = decltype(function.template operator()<std::tuple_element_t<0, Operations>>());
  return [&]<std::size_t... indices>(std::index_sequence<indices...>)->Result {
    using Call = Result (*)(std::remove_reference_t<Function>&);
    constexpr std::array<Call, kOperationCount> kCalls = {
        [](std::remove_reference_t<Function>& call) -> Result {
          return call.template operator()<std::tuple_element_t<indices, Operations>>();
        }...};
    return kCalls[index](function);
  }
  (std::make_index_sequence<kOperationCount>());
}

// The index of `Operation` in the list.
template <typename Operation>
inline constexpr std::size_t kOperationIndex = [] {
  std::size_t index = 0;
  std::size_t found = kOperationCount;
  ForEachOperation([&]<typename Other>() {
    if (std::same_as<Operation, Other>) {
      found = index;
    }
    ++index;
  });
  return found;
}();

namespace internal {

template <typename Message, std::size_t index = 0>
constexpr auto TensorFieldsFrom() {
  static_assert(index < kOperationCount, "Message belongs to no operation");
  using Operation = std::tuple_element_t<index, Operations>;
  if constexpr (std::same_as<Message, typename Operation::Request>) {
    return Operation::kInputs;
  } else if constexpr (std::same_as<Message, typename Operation::Response>) {
    return std::array{Operation::kOutput};
  } else {
    return TensorFieldsFrom<Message, index + 1>();
  }
}

}  // namespace internal

// The tensor fields of `Message`, which is the request or the response of an
// operation: an array of TensorField<Message>.
template <typename Message>
inline constexpr auto kTensorFields = internal::TensorFieldsFrom<Message>();

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_OPERATIONS_H_
