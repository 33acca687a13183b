#include "tests/server/bad_requests.h"

#include <cmath>
#include <cstdint>
#include <limits>

namespace quantd::server {
namespace {

using Forward = v1::FakeQuantizeRequest;
using Gradient = v1::FakeQuantizeGradientRequest;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

void SetBounds(v1::Range& range, int channel, float min, float max) {
  range.set_min(channel, min);
  range.set_max(channel, max);
}

std::vector<BadRequest<Forward>> BadSpecs() {
  return {
      {"OneBit", [](Forward& r) { r.mutable_spec()->set_num_bits(1); }, "INVALID_NUM_BITS",
       "spec.num_bits"},
      {"NoBits", [](Forward& r) { r.mutable_spec()->set_num_bits(0); }, "INVALID_NUM_BITS",
       "spec.num_bits"},
      {"SeventeenBits", [](Forward& r) { r.mutable_spec()->set_num_bits(17); }, "INVALID_NUM_BITS",
       "spec.num_bits"},
      {"UnknownNumerics",
       [](Forward& r) { r.mutable_spec()->set_numerics(static_cast<v1::Numerics>(99)); },
       "UNSUPPORTED_NUMERICS", "spec.numerics"},
  };
}

std::vector<BadRequest<Forward>> BadRanges() {
  return {
      {"NoRange", [](Forward& r) { r.clear_range(); }, "RANGE_SIZE_MISMATCH", "range"},
      {"EmptyRange", [](Forward& r) { r.mutable_range()->Clear(); }, "RANGE_SIZE_MISMATCH",
       "range.min"},
      {"OneMaxMissing", [](Forward& r) { r.mutable_range()->mutable_max()->RemoveLast(); },
       "RANGE_SIZE_MISMATCH", "range.max"},
      {"OneChannelMissing",
       [](Forward& r) {
         r.mutable_range()->mutable_min()->RemoveLast();
         r.mutable_range()->mutable_max()->RemoveLast();
       },
       "RANGE_SIZE_MISMATCH", "range.min"},
      {"ManyRangesWithoutAxis", [](Forward& r) { r.mutable_range()->clear_axis(); },
       "RANGE_SIZE_MISMATCH", "range.min"},
      {"MinIsNan", [](Forward& r) { r.mutable_range()->set_min(1, std::nanf("")); },
       "INVALID_RANGE", "range.min[1]"},
      {"MinIsInfinite", [](Forward& r) { r.mutable_range()->set_min(2, -kInfinity); },
       "INVALID_RANGE", "range.min[2]"},
      {"MaxIsInfinite", [](Forward& r) { r.mutable_range()->set_max(0, kInfinity); },
       "INVALID_RANGE", "range.max[0]"},
      {"MinAboveMax", [](Forward& r) { SetBounds(*r.mutable_range(), 1, 2, -2); }, "INVALID_RANGE",
       "range.min[1]"},
      {"EmptyInterval", [](Forward& r) { SetBounds(*r.mutable_range(), 1, 2, 2); }, "INVALID_RANGE",
       "range.max[1]"},
      {"ScaleOfZero",
       [](Forward& r) {
         SetBounds(*r.mutable_range(), 0, 0, std::numeric_limits<float>::denorm_min());
       },
       "INVALID_RANGE", "range.max[0]"},
      {"DenormalScale",
       [](Forward& r) { SetBounds(*r.mutable_range(), 0, 0, std::numeric_limits<float>::min()); },
       "INVALID_RANGE", "range.max[0]"},
      {"InfiniteScale",
       [](Forward& r) {
         SetBounds(*r.mutable_range(), 0, std::numeric_limits<float>::lowest(),
                   std::numeric_limits<float>::max());
       },
       "INVALID_RANGE", "range.max[0]"},
      {"AxisBeyondTheRank", [](Forward& r) { r.mutable_range()->set_axis(2); }, "AXIS_OUT_OF_RANGE",
       "range.axis"},
      {"AxisBeforeTheFirst", [](Forward& r) { r.mutable_range()->set_axis(-3); },
       "AXIS_OUT_OF_RANGE", "range.axis"},
      {"AxisOnAScalar",
       [](Forward& r) {
         r.mutable_input()->clear_shape();
         r.mutable_input()->set_data(std::string(4, '\0'));
         r.mutable_range()->set_axis(0);
       },
       "AXIS_OUT_OF_RANGE", "range.axis"},
  };
}

std::vector<BadRequest<Forward>> BadTensors() {
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  return {
      {"NoInput", [](Forward& r) { r.clear_input(); }, "TENSOR_SIZE_MISMATCH", "input"},
      {"NoStorage", [](Forward& r) { r.mutable_input()->clear_storage(); }, "TENSOR_SIZE_MISMATCH",
       "input"},
      {"NegativeDimension", [](Forward& r) { r.mutable_input()->set_shape(1, -3); },
       "TENSOR_SIZE_MISMATCH", "input.shape[1]"},
      {"ProductOverflows",
       [](Forward& r) {
         r.mutable_input()->set_shape(0, kHuge);
         r.mutable_input()->set_shape(1, kHuge);
       },
       "TENSOR_SIZE_MISMATCH", "input.shape"},
      {"HugeShapeWithoutData", [](Forward& r) { r.mutable_input()->set_shape(0, 1 << 30); },
       "TENSOR_SIZE_MISMATCH", "input.data"},
      {"DataCutShort", [](Forward& r) { r.mutable_input()->mutable_data()->pop_back(); },
       "TENSOR_SIZE_MISMATCH", "input.data"},
      {"DataTooLong", [](Forward& r) { r.mutable_input()->mutable_data()->append(4, '\0'); },
       "TENSOR_SIZE_MISMATCH", "input.data"},
      {"TooFewValues", [](Forward& r) { r.mutable_input()->mutable_float_values()->add_values(1); },
       "TENSOR_SIZE_MISMATCH", "input.float_values"},
      {"SharedMemory",
       [](Forward& r) { r.mutable_input()->mutable_shared_memory()->set_byte_size(24); },
       "SHARED_MEMORY_UNAVAILABLE", "input.shared_memory"},
      {"TypeUnset", [](Forward& r) { r.mutable_input()->clear_data_type(); },
       "UNSUPPORTED_DATA_TYPE", "input.data_type"},
      {"TypeUnknown",
       [](Forward& r) { r.mutable_input()->set_data_type(static_cast<v1::DataType>(99)); },
       "UNSUPPORTED_DATA_TYPE", "input.data_type"},
      {"TypeNotTaken", [](Forward& r) { r.mutable_input()->set_data_type(v1::DATA_TYPE_INT8); },
       "UNSUPPORTED_DATA_TYPE", "input.data_type"},
  };
}

template <typename T>
void Append(std::vector<T> more, std::vector<T>& all) {
  all.insert(all.end(), more.begin(), more.end());
}

}  // namespace

const std::vector<BadRequest<Forward>>& BadFakeQuantizeRequests() {
  static const std::vector<BadRequest<Forward>> all = [] {
    std::vector<BadRequest<Forward>> requests = BadSpecs();
    Append(BadRanges(), requests);
    Append(BadTensors(), requests);
    return requests;
  }();
  return all;
}

const std::vector<BadRequest<Gradient>>& BadFakeQuantizeGradientRequests() {
  static const std::vector<BadRequest<Gradient>> all = {
      {"NoGradients", [](Gradient& r) { r.clear_gradients(); }, "TENSOR_SIZE_MISMATCH",
       "gradients"},
      {"NoInputs", [](Gradient& r) { r.clear_inputs(); }, "TENSOR_SIZE_MISMATCH", "inputs"},
      {"NoRange", [](Gradient& r) { r.clear_range(); }, "RANGE_SIZE_MISMATCH", "range"},
      {"SeventeenBits", [](Gradient& r) { r.mutable_spec()->set_num_bits(17); }, "INVALID_NUM_BITS",
       "spec.num_bits"},
      {"UnknownNumerics",
       [](Gradient& r) { r.mutable_spec()->set_numerics(static_cast<v1::Numerics>(99)); },
       "UNSUPPORTED_NUMERICS", "spec.numerics"},
      {"MinAboveMax", [](Gradient& r) { SetBounds(*r.mutable_range(), 2, 1, -1); }, "INVALID_RANGE",
       "range.min[2]"},
      {"AxisBeyondTheRank", [](Gradient& r) { r.mutable_range()->set_axis(2); },
       "AXIS_OUT_OF_RANGE", "range.axis"},
      {"NegativeDimensionOfGradients", [](Gradient& r) { r.mutable_gradients()->set_shape(0, -2); },
       "TENSOR_SIZE_MISMATCH", "gradients.shape[0]"},
      {"NegativeDimensionOfInputs", [](Gradient& r) { r.mutable_inputs()->set_shape(0, -2); },
       "TENSOR_SIZE_MISMATCH", "inputs.shape[0]"},
      {"GradientsCutShort", [](Gradient& r) { r.mutable_gradients()->mutable_data()->pop_back(); },
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
      {"OtherType", [](Gradient& r) { r.mutable_inputs()->set_data_type(v1::DATA_TYPE_FLOAT64); },
       "SHAPE_MISMATCH", "inputs.data_type"},
      {"TypeOfInputsUnset", [](Gradient& r) { r.mutable_inputs()->clear_data_type(); },
       "UNSUPPORTED_DATA_TYPE", "inputs.data_type"},
      {"TypesNotTaken",
       [](Gradient& r) {
         r.mutable_gradients()->set_data_type(v1::DATA_TYPE_FLOAT16);
         r.mutable_inputs()->set_data_type(v1::DATA_TYPE_FLOAT16);
       },
       "UNSUPPORTED_DATA_TYPE", "gradients.data_type"},
  };
  return all;
}

}  // namespace quantd::server
