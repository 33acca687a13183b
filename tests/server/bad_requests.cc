#include "tests/server/bad_requests.h"

#include <cmath>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/server/bad_settings.h"
#include "tests/wire/requests.h"

namespace quantd::server {
namespace {

using Forward = v1::FakeQuantizeRequest;
using Gradient = v1::FakeQuantizeGradientRequest;
using Quantize = v1::QuantizeRequest;
using Dequantize = v1::DequantizeRequest;

// Makes each element of a float32 tensor a float64.
void MakeDoubles(v1::Tensor& tensor) {
  tensor.set_data_type(v1::DATA_TYPE_FLOAT64);
  tensor.mutable_data()->append(tensor.data());
}

template <typename Request>
std::vector<BadRequest<Request>> BadTensors() {
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  return {
      {"NoInput", [](Request& r) { r.clear_input(); }, "TENSOR_SIZE_MISMATCH", "input"},
      {"NoStorage", [](Request& r) { r.mutable_input()->clear_storage(); }, "TENSOR_SIZE_MISMATCH",
       "input"},
      {"NegativeDimension", [](Request& r) { r.mutable_input()->set_shape(1, -3); },
       "TENSOR_SIZE_MISMATCH", "input.shape[1]"},
      {"TooManyDimensions",
       [](Request& r) {
         for (int i = 0; i < 63; ++i) {
           r.mutable_input()->add_shape(1);
         }
       },
       "TENSOR_SIZE_MISMATCH", "input.shape"},
      {"ProductOverflows",
       [](Request& r) {
         r.mutable_input()->set_shape(0, kHuge);
         r.mutable_input()->set_shape(1, kHuge);
       },
       "TENSOR_SIZE_MISMATCH", "input.shape"},
      {"HugeShapeWithoutData", [](Request& r) { r.mutable_input()->set_shape(0, 1 << 30); },
       "TENSOR_SIZE_MISMATCH", "input.data"},
      {"DataCutShort", [](Request& r) { r.mutable_input()->mutable_data()->pop_back(); },
       "TENSOR_SIZE_MISMATCH", "input.data"},
      {"DataTooLong", [](Request& r) { r.mutable_input()->mutable_data()->append(4, '\0'); },
       "TENSOR_SIZE_MISMATCH", "input.data"},
      {"SharedMemory",
       [](Request& r) { r.mutable_input()->mutable_shared_memory()->set_byte_size(24); },
       "SHARED_MEMORY_UNAVAILABLE", "input.shared_memory"},
      {"TypeUnset", [](Request& r) { r.mutable_input()->clear_data_type(); },
       "UNSUPPORTED_DATA_TYPE", "input.data_type"},
      {"TypeUnknown",
       [](Request& r) { r.mutable_input()->set_data_type(static_cast<v1::DataType>(99)); },
       "UNSUPPORTED_DATA_TYPE", "input.data_type"},
  };
}

// What only tensors of floats can have.
template <typename Request>
std::vector<BadRequest<Request>> BadFloats() {
  return {
      {"TypeNotTaken", [](Request& r) { r.mutable_input()->set_data_type(v1::DATA_TYPE_INT8); },
       "UNSUPPORTED_DATA_TYPE", "input.data_type"},
      {"TypeThatTheNumericsDoesNotHave", [](Request& r) { MakeDoubles(*r.mutable_input()); },
       "UNSUPPORTED_DATA_TYPE", "input.data_type"},
      {"TooFewValues", [](Request& r) { r.mutable_input()->mutable_float_values()->add_values(1); },
       "TENSOR_SIZE_MISMATCH", "input.float_values"},
      {"NumbersOfAnotherType",
       [](Request& r) {
         r.mutable_input()->set_data_type(v1::DATA_TYPE_FLOAT16);
         for (int i = 0; i < 6; ++i) {
           r.mutable_input()->mutable_float_values()->add_values(1);
         }
       },
       "UNSUPPORTED_DATA_TYPE", "input.data_type"},
      {"ScaleThatTheNumericsFlushes",
       [](Request& r) {
         UseScales(r);
         r.mutable_spec()->set_numerics(v1::NUMERICS_TENSORFLOW_UNIFORM);
         r.mutable_affine()->clear_zero_point();
         r.mutable_affine()->set_scale(1, 1e-39F);
         if constexpr (std::same_as<Request, Quantize>) {
           r.set_output_type(v1::DATA_TYPE_INT8);
         }
       },
       "INVALID_SCALE", "affine.scale[1]"},
  };
}

// What the numerics of codes cannot be.
template <typename Request>
std::vector<BadRequest<Request>> BadCodeTypes() {
  return {
      {"NineBitsInAByte", [](Request& r) { r.mutable_spec()->set_num_bits(9); },
       "INVALID_QUANT_RANGE", "spec.num_bits"},
      {"OutputTypeUnknown", [](Request& r) { r.set_output_type(static_cast<v1::DataType>(99)); },
       "UNSUPPORTED_DATA_TYPE", "output_type"},
  };
}

std::vector<BadRequest<Quantize>> BadOutputs() {
  return {
      {"OutputTypeOfFloats", [](Quantize& r) { r.set_output_type(v1::DATA_TYPE_FLOAT32); },
       "UNSUPPORTED_DATA_TYPE", "output_type"},
      {"OutputTypeThatTheNumericsDoesNotHave",
       [](Quantize& r) { r.set_output_type(v1::DATA_TYPE_INT32); }, "UNSUPPORTED_DATA_TYPE",
       "output_type"},
      {"NanWithoutACode",
       [](Quantize& r) {
         *r.mutable_input() = MakeTensor({2, 3}, std::vector<float>(6, NAN));
       },
       "INVALID_VALUE", "input.data"},
  };
}

// A request whose parameters come from its data, which `spoil` makes invalid.
BadRequest<Quantize> BadDataRange(std::string name, void (*spoil)(Quantize&), std::string reason,
                                  std::string field) {
  return {std::move(name),
          [spoil](Quantize& r) {
            r.clear_range();
            r.mutable_data_range();
            spoil(r);
          },
          std::move(reason), std::move(field), false};
}

std::vector<BadRequest<Quantize>> BadDataRanges() {
  return {
      BadDataRange(
          "DataRangeAndRange",
          [](Quantize& r) { *r.mutable_range() = PerChannelQuantizeRequest().range(); },
          "PARAMETERS_MISMATCH", "data_range"),
      BadDataRange(
          "DataRangeWithANumericsThatHasNone",
          [](Quantize& r) { r.mutable_spec()->set_numerics(v1::NUMERICS_PYTORCH); },
          "UNSUPPORTED_NUMERICS", "spec.numerics"),
      BadDataRange(
          "SymmetricDataRangeOfOnnx",
          [](Quantize& r) {
            r.mutable_data_range()->set_symmetric(true);
            r.mutable_spec()->set_numerics(v1::NUMERICS_ONNX);
          },
          "PARAMETERS_MISMATCH", "data_range.symmetric"),
      BadDataRange(
          "DataRangeInBlocks",
          [](Quantize& r) {
            r.mutable_data_range()->set_axis(1);
            r.mutable_data_range()->set_block_size(2);
          },
          "PARAMETERS_MISMATCH", "data_range.block_size"),
      BadDataRange(
          "AxisOfADataRangeBeyondTheRank", [](Quantize& r) { r.mutable_data_range()->set_axis(2); },
          "AXIS_OUT_OF_RANGE", "data_range.axis"),
      BadDataRange(
          "DataRangeOfNan",
          [](Quantize& r) {
            *r.mutable_input() = MakeTensor({2, 3}, std::vector<float>(6, NAN));
          },
          "INVALID_VALUE", "input.data"),
  };
}

std::vector<BadRequest<Dequantize>> BadCodeTensors() {
  return {
      {"TypeOfFloats",
       [](Dequantize& r) {
         *r.mutable_input() = MakeTensor({2, 3}, Ramp(6));
       },
       "UNSUPPORTED_DATA_TYPE", "input.data_type"},
      {"TypeThatTheNumericsDoesNotHave",
       [](Dequantize& r) {
         r.mutable_input()->set_data_type(v1::DATA_TYPE_INT32);
         r.mutable_input()->set_data(std::string(24, '\0'));
       },
       "UNSUPPORTED_DATA_TYPE", "input.data_type"},
      {"CodesAsNumbers",
       [](Dequantize& r) { r.mutable_input()->mutable_float_values()->add_values(1); },
       "UNSUPPORTED_DATA_TYPE", "input.data_type"},
      {"PackedCodesCutShort",
       [](Dequantize& r) {
         r.mutable_input()->set_data_type(v1::DATA_TYPE_UINT4);
         r.mutable_input()->set_data("ab");
       },
       "TENSOR_SIZE_MISMATCH", "input.data"},
      {"PackedCodesTooLong",
       [](Dequantize& r) {
         r.mutable_input()->set_data_type(v1::DATA_TYPE_INT2);
         r.mutable_input()->set_data("abc");
       },
       "TENSOR_SIZE_MISMATCH", "input.data"},
      {"OutputTypeOfCodes", [](Dequantize& r) { r.set_output_type(v1::DATA_TYPE_INT8); },
       "UNSUPPORTED_DATA_TYPE", "output_type"},
  };
}

// All elements of `lists`.
template <typename Request>
std::vector<BadRequest<Request>> Concatenate(
    std::initializer_list<std::vector<BadRequest<Request>>> lists) {
  std::vector<BadRequest<Request>> all;
  for (const auto& list : lists) {
    all.insert(all.end(), list.begin(), list.end());
  }
  return all;
}

}  // namespace

const std::vector<BadRequest<Forward>>& BadFakeQuantizeRequests() {
  static const auto all =
      Concatenate<Forward>({BadChoices<Forward>(), BadSpecs<Forward>(), BadCodes<Forward>(),
                            BadRanges<Forward>(), BadAffineParameters<Forward>(),
                            BadBlocks<Forward>(), BadTensors<Forward>(), BadFloats<Forward>()});
  return all;
}

const std::vector<BadRequest<Gradient>>& BadFakeQuantizeGradientRequests() {
  static const auto all = Concatenate<Gradient>(
      {BadChoices<Gradient>(),
       BadSpecs<Gradient>(),
       BadCodes<Gradient>(),
       BadAffineParameters<Gradient>(),
       {
           {"NoGradients", [](Gradient& r) { r.clear_gradients(); }, "TENSOR_SIZE_MISMATCH",
            "gradients"},
           {"NoInputs", [](Gradient& r) { r.clear_inputs(); }, "TENSOR_SIZE_MISMATCH", "inputs"},
           {"MinAboveMax", [](Gradient& r) { SetBounds(*r.mutable_range(), 2, 1, -1); },
            "INVALID_RANGE", "range.min[2]"},
           {"AxisBeyondTheRank", [](Gradient& r) { r.mutable_range()->set_axis(2); },
            "AXIS_OUT_OF_RANGE", "range.axis"},
           {"NegativeDimensionOfGradients",
            [](Gradient& r) { r.mutable_gradients()->set_shape(0, -2); }, "TENSOR_SIZE_MISMATCH",
            "gradients.shape[0]"},
           {"NegativeDimensionOfInputs", [](Gradient& r) { r.mutable_inputs()->set_shape(0, -2); },
            "TENSOR_SIZE_MISMATCH", "inputs.shape[0]"},
           {"GradientsCutShort",
            [](Gradient& r) { r.mutable_gradients()->mutable_data()->pop_back(); },
            "TENSOR_SIZE_MISMATCH", "gradients.data"},
           {"InputsCutShort", [](Gradient& r) { r.mutable_inputs()->mutable_data()->pop_back(); },
            "TENSOR_SIZE_MISMATCH", "inputs.data"},
           {"InputsInSharedMemory",
            [](Gradient& r) { r.mutable_inputs()->mutable_shared_memory()->set_byte_size(24); },
            "SHARED_MEMORY_UNAVAILABLE", "inputs.shared_memory"},
           {"SameSizeOtherShape",
            [](Gradient& r) {
              r.mutable_gradients()->set_shape(0, 3);
              r.mutable_gradients()->set_shape(1, 2);
            },
            "SHAPE_MISMATCH", "inputs.shape"},
           {"OtherRank", [](Gradient& r) { r.mutable_gradients()->add_shape(1); }, "SHAPE_MISMATCH",
            "inputs.shape"},
           {"OtherType",
            [](Gradient& r) { r.mutable_inputs()->set_data_type(v1::DATA_TYPE_FLOAT64); },
            "SHAPE_MISMATCH", "inputs.data_type"},
           {"TypeOfInputsUnset", [](Gradient& r) { r.mutable_inputs()->clear_data_type(); },
            "UNSUPPORTED_DATA_TYPE", "inputs.data_type"},
           {"TypesNotTaken",
            [](Gradient& r) {
              r.mutable_gradients()->set_data_type(v1::DATA_TYPE_INT8);
              r.mutable_inputs()->set_data_type(v1::DATA_TYPE_INT8);
            },
            "UNSUPPORTED_DATA_TYPE", "gradients.data_type"},
           {"TypesThatTheNumericsDoesNotHave",
            [](Gradient& r) {
              MakeDoubles(*r.mutable_gradients());
              MakeDoubles(*r.mutable_inputs());
            },
            "UNSUPPORTED_DATA_TYPE", "inputs.data_type"},
           {"NumericsWithoutAGradient",
            [](Gradient& r) {
              UseScales(r);
              r.mutable_spec()->set_numerics(v1::NUMERICS_ONNX);
            },
            "UNSUPPORTED_NUMERICS", "spec.numerics"},
           {"ScaleIsInfinite",
            [](Gradient& r) {
              UseScales(r);
              r.mutable_affine()->set_scale(1, kInfinity);
            },
            "INVALID_SCALE", "affine.scale[1]"},
       }});
  return all;
}

const std::vector<BadRequest<Quantize>>& BadQuantizeRequests() {
  static const auto all = Concatenate<Quantize>(
      {BadChoices<Quantize>(), BadSpecs<Quantize>(), BadCodes<Quantize>(), BadRanges<Quantize>(),
       BadAffineParameters<Quantize>(), BadBlocks<Quantize>(), BadTensors<Quantize>(),
       BadFloats<Quantize>(), BadCodeTypes<Quantize>(), BadOutputs(), BadDataRanges()});
  return all;
}

const std::vector<BadRequest<Dequantize>>& BadDequantizeRequests() {
  static const auto all = Concatenate<Dequantize>(
      {BadChoices<Dequantize>(), BadSpecs<Dequantize>(), BadCodes<Dequantize>(),
       BadRanges<Dequantize>(), BadAffineParameters<Dequantize>(), BadBlocks<Dequantize>(),
       BadTensors<Dequantize>(), BadCodeTypes<Dequantize>(), BadCodeTensors()});
  return all;
}

}  // namespace quantd::server
