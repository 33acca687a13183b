// The invalid parameters and specs that several methods have in common, for
// bad_requests.cc.

#ifndef QUANTD_TESTS_SERVER_BAD_SETTINGS_H_
#define QUANTD_TESTS_SERVER_BAD_SETTINGS_H_

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "quantd/v1/quantization.pb.h"
#include "quantd/v1/tensor.pb.h"
#include "tests/server/bad_requests.h"
#include "tests/wire/requests.h"

namespace quantd::server {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

inline void SetBounds(v1::Range& range, int channel, float min, float max) {
  range.set_min(channel, min);
  range.set_max(channel, max);
}

// Cuts a tensor of six elements down to one without dimensions.
inline void MakeScalar(v1::Tensor& tensor) {
  tensor.clear_shape();
  tensor.mutable_data()->resize(tensor.data().size() / 6);
}

template <typename Request>
std::vector<BadRequest<Request>> BadRanges() {
  return {
      {"EmptyRange", [](Request& r) { r.mutable_range()->Clear(); }, "RANGE_SIZE_MISMATCH",
       "range.min"},
      {"OneMaxMissing", [](Request& r) { r.mutable_range()->mutable_max()->RemoveLast(); },
       "RANGE_SIZE_MISMATCH", "range.max"},
      {"OneChannelMissing",
       [](Request& r) {
         r.mutable_range()->mutable_min()->RemoveLast();
         r.mutable_range()->mutable_max()->RemoveLast();
       },
       "RANGE_SIZE_MISMATCH", "range.min"},
      {"ManyRangesWithoutAxis", [](Request& r) { r.mutable_range()->clear_axis(); },
       "RANGE_SIZE_MISMATCH", "range.min"},
      {"MinIsNan", [](Request& r) { r.mutable_range()->set_min(1, std::nanf("")); },
       "INVALID_RANGE", "range.min[1]"},
      {"MinIsInfinite", [](Request& r) { r.mutable_range()->set_min(2, -kInfinity); },
       "INVALID_RANGE", "range.min[2]"},
      {"MaxIsInfinite", [](Request& r) { r.mutable_range()->set_max(0, kInfinity); },
       "INVALID_RANGE", "range.max[0]"},
      {"MinAboveMax", [](Request& r) { SetBounds(*r.mutable_range(), 1, 2, -2); }, "INVALID_RANGE",
       "range.min[1]"},
      {"EmptyInterval", [](Request& r) { SetBounds(*r.mutable_range(), 1, 2, 2); }, "INVALID_RANGE",
       "range.max[1]"},
      {"ScaleOfZero",
       [](Request& r) {
         SetBounds(*r.mutable_range(), 0, 0, std::numeric_limits<float>::denorm_min());
       },
       "INVALID_RANGE", "range.max[0]"},
      {"DenormalScale",
       [](Request& r) { SetBounds(*r.mutable_range(), 0, 0, std::numeric_limits<float>::min()); },
       "INVALID_RANGE", "range.max[0]"},
      {"InfiniteScale",
       [](Request& r) {
         SetBounds(*r.mutable_range(), 0, std::numeric_limits<float>::lowest(),
                   std::numeric_limits<float>::max());
       },
       "INVALID_RANGE", "range.max[0]"},
      {"AxisBeyondTheRank", [](Request& r) { r.mutable_range()->set_axis(2); }, "AXIS_OUT_OF_RANGE",
       "range.axis"},
      {"AxisBeforeTheFirst", [](Request& r) { r.mutable_range()->set_axis(-3); },
       "AXIS_OUT_OF_RANGE", "range.axis"},
      {"AxisOnAScalar",
       [](Request& r) {
         MakeScalar(*r.mutable_input());
         r.mutable_range()->set_axis(0);
       },
       "AXIS_OUT_OF_RANGE", "range.axis"},
  };
}

// A request that has scales, which `spoil` makes invalid.
template <typename Request>
BadRequest<Request> BadScales(std::string name, std::function<void(v1::AffineParameters&)> spoil,
                              std::string reason, std::string field) {
  return {std::move(name),
          [spoil = std::move(spoil)](Request& r) {
            UseScales(r);
            spoil(*r.mutable_affine());
          },
          std::move(reason), std::move(field)};
}

template <typename Request>
std::vector<BadRequest<Request>> BadAffineParameters() {
  using Affine = v1::AffineParameters;
  const auto bad = [](std::string name, void (*spoil)(Affine&), std::string reason,
                      std::string field) {
    return BadScales<Request>(std::move(name), spoil, std::move(reason), std::move(field));
  };
  return {
      bad(
          "NoScales",
          [](Affine& a) {
            a.clear_scale();
            a.clear_zero_point();
          },
          "PARAMETERS_SIZE_MISMATCH", "affine.scale"),
      bad(
          "OneScaleMissing",
          [](Affine& a) {
            a.mutable_scale()->RemoveLast();
            a.mutable_zero_point()->RemoveLast();
          },
          "PARAMETERS_SIZE_MISMATCH", "affine.scale"),
      bad(
          "ManyScalesWithoutAxis", [](Affine& a) { a.clear_axis(); }, "PARAMETERS_SIZE_MISMATCH",
          "affine.scale"),
      bad(
          "OneZeroPointMissing", [](Affine& a) { a.mutable_zero_point()->RemoveLast(); },
          "PARAMETERS_SIZE_MISMATCH", "affine.zero_point"),
      bad(
          "ScaleIsNan", [](Affine& a) { a.set_scale(1, std::nanf("")); }, "INVALID_SCALE",
          "affine.scale[1]"),
      bad(
          "ScaleIsInfinite", [](Affine& a) { a.set_scale(2, kInfinity); }, "INVALID_SCALE",
          "affine.scale[2]"),
      bad(
          "ScaleIsZero", [](Affine& a) { a.set_scale(0, 0); }, "INVALID_SCALE", "affine.scale[0]"),
      bad(
          "ScaleIsNegative", [](Affine& a) { a.set_scale(1, -1); }, "INVALID_SCALE",
          "affine.scale[1]"),
      bad(
          "ZeroPointBelowTheCodes", [](Affine& a) { a.set_zero_point(1, -1); },
          "INVALID_ZERO_POINT", "affine.zero_point[1]"),
      bad(
          "ZeroPointAboveTheCodes", [](Affine& a) { a.set_zero_point(2, 256); },
          "INVALID_ZERO_POINT", "affine.zero_point[2]"),
      bad(
          "AxisOfScalesBeyondTheRank", [](Affine& a) { a.set_axis(2); }, "AXIS_OUT_OF_RANGE",
          "affine.axis"),
      bad(
          "BlocksThatTheNumericsDoesNotHave", [](Affine& a) { a.set_block_size(1); },
          "UNSUPPORTED_NUMERICS", "spec.numerics"),
  };
}

template <typename Request>
std::vector<BadRequest<Request>> BadBlocks() {
  return {
      {"BlocksOfZero",
       [](Request& r) {
         UseScales(r);
         r.clear_spec();
         r.mutable_affine()->set_block_size(0);
       },
       "INVALID_BLOCK_SIZE", "affine.block_size"},
      {"BlocksWithoutAxis",
       [](Request& r) {
         UseScales(r);
         r.clear_spec();
         r.mutable_affine()->clear_axis();
         r.mutable_affine()->set_block_size(2);
       },
       "INVALID_BLOCK_SIZE", "affine.block_size"},
      {"OneBlockMissing",
       [](Request& r) {
         UseScales(r);
         r.clear_spec();
         r.mutable_affine()->set_block_size(1);
       },
       "PARAMETERS_SIZE_MISMATCH", "affine.scale"},
  };
}

// Requests with no parameters, or of more than one kind.
template <typename Request>
std::vector<BadRequest<Request>> BadChoices() {
  return {
      {"NoParameters", [](Request& r) { r.clear_range(); }, "PARAMETERS_MISMATCH", "range", false},
      {"RangeAndScales", [](Request& r) { *r.mutable_affine() = PerChannelScales(); },
       "PARAMETERS_MISMATCH", "affine"},
  };
}

template <typename Request>
std::vector<BadRequest<Request>> BadSpecs() {
  return {
      {"OneBit", [](Request& r) { r.mutable_spec()->set_num_bits(1); }, "INVALID_NUM_BITS",
       "spec.num_bits"},
      {"NoBits", [](Request& r) { r.mutable_spec()->set_num_bits(0); }, "INVALID_NUM_BITS",
       "spec.num_bits"},
      {"SeventeenBits", [](Request& r) { r.mutable_spec()->set_num_bits(17); }, "INVALID_NUM_BITS",
       "spec.num_bits"},
      {"UnknownNumerics",
       [](Request& r) { r.mutable_spec()->set_numerics(static_cast<v1::Numerics>(99)); },
       "UNSUPPORTED_NUMERICS", "spec.numerics"},
      {"NumericsWithoutRanges",
       [](Request& r) { r.mutable_spec()->set_numerics(v1::NUMERICS_ONNX); },
       "UNSUPPORTED_NUMERICS", "spec.numerics"},
      {"NumericsWithoutScales",
       [](Request& r) {
         UseScales(r);
         r.mutable_spec()->set_numerics(v1::NUMERICS_TENSORFLOW);
       },
       "UNSUPPORTED_NUMERICS", "spec.numerics"},
      {"NumericsWithoutChannels",
       [](Request& r) { r.mutable_spec()->set_numerics(v1::NUMERICS_TENSORFLOW_XLA_ARGS); },
       "UNSUPPORTED_NUMERICS", "spec.numerics"},
      {"UnknownPrecision",
       [](Request& r) {
         UseScales(r);
         r.mutable_spec()->set_precision(static_cast<v1::DataType>(99));
       },
       "UNSUPPORTED_DATA_TYPE", "spec.precision"},
      {"PrecisionThatTheNumericsDoesNotHave",
       [](Request& r) { r.mutable_spec()->set_precision(v1::DATA_TYPE_FLOAT16); },
       "UNSUPPORTED_DATA_TYPE", "spec.precision"},
      {"UnknownRounding",
       [](Request& r) { r.mutable_spec()->set_rounding(static_cast<v1::Rounding>(99)); },
       "UNSUPPORTED_NUMERICS", "spec.rounding"},
      {"RoundingThatTheNumericsDoesNotHave",
       [](Request& r) { r.mutable_spec()->set_rounding(v1::ROUNDING_HALF_TO_EVEN); },
       "UNSUPPORTED_NUMERICS", "spec.rounding"},
      {"RoundingOfScales",
       [](Request& r) {
         UseScales(r);
         r.mutable_spec()->set_rounding(v1::ROUNDING_HALF_TO_EVEN);
       },
       "UNSUPPORTED_NUMERICS", "spec.rounding"},
      {"SignedInputThatTheNumericsDoesNotHave",
       [](Request& r) { r.mutable_spec()->set_signed_input(true); }, "UNSUPPORTED_NUMERICS",
       "spec.signed_input"},
  };
}

template <typename Request>
std::vector<BadRequest<Request>> BadCodes() {
  return {
      {"CodesWithARange",
       [](Request& r) {
         r.mutable_spec()->set_quant_min(0);
         r.mutable_spec()->set_quant_max(255);
       },
       "INVALID_QUANT_RANGE", "spec.quant_min"},
      {"NoHighestCode",
       [](Request& r) {
         UseScales(r);
         r.mutable_spec()->set_quant_min(0);
       },
       "INVALID_QUANT_RANGE", "spec.quant_max"},
      {"NoLowestCode",
       [](Request& r) {
         UseScales(r);
         r.mutable_spec()->set_quant_max(0);
       },
       "INVALID_QUANT_RANGE", "spec.quant_min"},
      {"CodesAndBits",
       [](Request& r) {
         UseScales(r);
         r.mutable_spec()->set_num_bits(8);
         r.mutable_spec()->set_quant_min(0);
         r.mutable_spec()->set_quant_max(255);
       },
       "INVALID_QUANT_RANGE", "spec.quant_min"},
      {"OneCode",
       [](Request& r) {
         UseScales(r);
         r.mutable_spec()->set_quant_min(7);
         r.mutable_spec()->set_quant_max(7);
       },
       "INVALID_QUANT_RANGE", "spec.quant_min"},
      {"CodesBeyondTheType",
       [](Request& r) {
         UseScales(r);
         r.mutable_spec()->set_quant_min(0);
         r.mutable_spec()->set_quant_max(65536);
       },
       "INVALID_QUANT_RANGE", "spec.quant_max"},
  };
}

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_BAD_SETTINGS_H_
