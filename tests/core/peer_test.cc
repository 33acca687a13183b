// Holds core's public interface and its reference to the results of the producers'
// own software.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "core/base/float16.h"
#include "core/fake_quantization.h"
#include "core/kernels/packed_codes.h"
#include "core/parameter_layout.h"
#include "core/quantizer.h"
#include "core/reference.h"
#include "tests/core/every_simd_target.h"
#include "tests/core/same_bits.h"
#include "tests/golden/peer_cases.h"

namespace quantd::core {
namespace {

using golden::PeerArray;
using golden::PeerCase;
using golden::PeerOperation;

const std::vector<PeerCase>& PeerCases() {
  static const std::vector<PeerCase> cases = golden::LoadPeerCases();
  return cases;
}

// The cases that are refused on purpose, because their producer gives NaN.
bool IsRefused(const std::string& name) {
  static const std::set<std::string> refused = {"tf_xla_014"};
  return refused.contains(name);
}

TensorView ViewOf(const PeerArray& array) {
  return {array.type, array.shape, ScatteredBytes(array.bytes)};
}

testing::AssertionResult SameCodes(const std::vector<std::int32_t>& actual,
                                   const std::vector<std::int32_t>& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (actual[i] != expected[i]) {
      return testing::AssertionFailure()
             << "code " << i << " is " << actual[i] << ", expected " << expected[i];
    }
  }
  return testing::AssertionSuccess();
}

// Returns whether elements have the same bits. Any NaN equals any other.
testing::AssertionResult SameElements(const PeerArray& actual, const PeerArray& expected) {
  if (expected.type == ElementType::kFloat64) {
    return SameBits(actual.AsDoubles(), expected.AsDoubles());
  }
  if (RowOf(expected.type).is_code) {
    return SameCodes(actual.AsCodes(), expected.AsCodes());
  }
  return SameBits(actual.AsFloats(), expected.AsFloats());
}

// Room for a result like `expected`.
PeerArray RoomFor(const PeerArray& expected) {
  PeerArray array = expected;
  std::ranges::fill(array.bytes, std::byte{0x5A});
  return array;
}

OutputView OutputOf(PeerArray& array) {
  return {array.type, array.bytes.data(), ElementsIn(array.type, array.bytes.size())};
}

void ExpectPeerSum(double sum, double peer, double magnitude) {
  if (std::isfinite(peer)) {
    EXPECT_NEAR(sum, peer, 1e-6 * magnitude);
  } else {
    EXPECT_TRUE(std::isnan(peer) ? std::isnan(sum) : sum == peer) << sum << ", not " << peer;
  }
}

// Producers add in float32. No sums of doubles are other than 0.
void ExpectPeerSums(const PeerCase& peer, const std::vector<float>& min,
                    const std::vector<float>& max) {
  double magnitude = 0;
  if (peer.array("gradients").type != ElementType::kFloat64) {
    for (const float gradient : peer.array("gradients").AsFloats()) {
      magnitude += std::isfinite(gradient) ? std::abs(gradient) : 0;
    }
  }
  const std::vector<float> peer_min = peer.array("min_gradient").AsFloats();
  const std::vector<float> peer_max = peer.array("max_gradient").AsFloats();
  for (std::size_t i = 0; i < peer_min.size(); ++i) {
    ExpectPeerSum(min[i], peer_min[i], magnitude);
    ExpectPeerSum(max[i], peer_max[i], magnitude);
  }
}

void ExpectFakeQuantized(const PeerCase& peer) {
  const PeerArray& inputs = peer.array("inputs");
  const auto quantization = FakeQuantization::Create(peer.parameters(), peer.spec, inputs.type);
  ASSERT_EQ(quantization.ok(), !IsRefused(peer.name)) << quantization.status();
  if (!quantization.ok() || peer.array("outputs").empty()) {
    return;
  }
  PeerArray outputs = RoomFor(peer.array("outputs"));
  ASSERT_TRUE(quantization->Apply(ViewOf(inputs), OutputOf(outputs), nullptr).ok());
  EXPECT_TRUE(SameElements(outputs, peer.array("outputs")));
}

void ExpectDifferentiated(const PeerCase& peer) {
  const PeerArray& inputs = peer.array("inputs");
  const auto quantization =
      FakeQuantization::CreateForGradient(peer.parameters(), peer.spec, inputs.type);
  ASSERT_TRUE(quantization.ok()) << quantization.status();
  PeerArray input_gradients = RoomFor(peer.array("input_gradients"));
  const std::size_t ranges =
      quantization->has_range_gradients() ? quantization->channel_count() : 0;
  std::vector<float> min(ranges);
  std::vector<float> max(ranges);
  const auto status = quantization->ApplyGradient(
      ViewOf(peer.array("gradients")), ViewOf(inputs),
      {.input = OutputOf(input_gradients), .min = min, .max = max}, nullptr);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(SameElements(input_gradients, peer.array("input_gradients")));
  if (ranges > 0) {
    ExpectPeerSums(peer, min, max);
  }
}

// Rounds to a type, as producers do.
float RoundedTo(ElementType type, float value) {
  return type == ElementType::kFloat16    ? ToFloat(FromFloat<Float16>(value))
         : type == ElementType::kBFloat16 ? ToFloat(FromFloat<BFloat16>(value))
                                          : value;
}
std::vector<float> RoundedTo(ElementType type, std::vector<float> values) {
  for (float& value : values) {
    value = RoundedTo(type, value);
  }
  return values;
}

// Returns the producer's codes, and ours where they do not stand for its numerics.
std::vector<std::int32_t> ExpectedCodes(const PeerCase& peer,
                                        const std::vector<std::int32_t>& ours) {
  std::vector<std::int32_t> expected = peer.array("outputs").AsCodes();
  if (!peer.is_limited) {
    return expected;
  }
  const PeerArray& inputs = peer.array("inputs");
  const std::vector<float> values = inputs.AsFloats();
  const ParameterLayout layout = *MakeParameterLayout(inputs.shape, peer.parameters());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float t = RoundedTo(peer.spec.precision.value_or(ElementType::kFloat32),
                              values[i] / peer.scale[layout.ParameterOf(i)]);
    if (!(std::abs(t) < 0x1p31F)) {
      expected[i] = ours[i];
    }
  }
  return expected;
}

std::vector<std::int32_t> Unpacked(const PeerArray& packed, std::size_t count, ElementType type) {
  PeerArray codes{.type = RowOf(type).lowest < 0 ? ElementType::kInt8 : ElementType::kUint8,
                  .shape = {},
                  .bytes = std::vector<std::byte>(count)};
  kernels::Unpack(ElementPointer<std::uint8_t>(packed.bytes.data()), count, RowOf(type).bits,
                  RowOf(type).lowest < 0, reinterpret_cast<std::uint8_t*>(codes.bytes.data()));
  return codes.AsCodes();
}

// The codes of packed types lie unpacked in `outputs`.
void ExpectQuantized(const PeerCase& peer, const Quantizer& quantizer) {
  const bool is_packed = RowOf(peer.code_type).bits < 8;
  PeerArray outputs = RoomFor(peer.array(is_packed ? "packed" : "outputs"));
  const std::size_t count = peer.array("outputs").AsCodes().size();
  const OutputView output(peer.code_type, outputs.bytes.data(), count);
  const auto status = quantizer.Apply(ViewOf(peer.array("inputs")), output, nullptr);
  ASSERT_TRUE(status.ok()) << status;
  const std::vector<std::int32_t> codes =
      is_packed ? Unpacked(outputs, count, peer.code_type) : outputs.AsCodes();
  EXPECT_TRUE(SameCodes(codes, ExpectedCodes(peer, codes)));
  if (is_packed && !peer.is_limited) {
    EXPECT_EQ(outputs.bytes, peer.array("packed").bytes);
  }
}

void ExpectQuantized(const PeerCase& peer) {
  const auto quantizer =
      Quantizer::Create(peer.parameters(), peer.spec, {peer.array("inputs").type, peer.code_type});
  ASSERT_TRUE(quantizer.ok()) << quantizer.status();
  ExpectQuantized(peer, *quantizer);
  if (!peer.array("output_min").empty()) {
    const NudgedRange& range = *quantizer->nudged_range();
    EXPECT_TRUE(
        SameBits({range.min.begin(), range.min.end()}, peer.array("output_min").AsFloats()));
    EXPECT_TRUE(
        SameBits({range.max.begin(), range.max.end()}, peer.array("output_max").AsFloats()));
  }
}

void ExpectDynamicallyQuantized(const PeerCase& peer) {
  const auto quantizer = Quantizer::CreateFromData({}, peer.spec, ViewOf(peer.array("inputs")),
                                                   peer.code_type, nullptr);
  ASSERT_TRUE(quantizer.ok()) << quantizer.status();
  EXPECT_EQ(quantizer->parameters().scale[0], peer.scale[0]);
  EXPECT_EQ(quantizer->parameters().zero_point[0], peer.zero_point[0]);
  ExpectQuantized(peer, *quantizer);
}

void ExpectDequantized(const PeerCase& peer) {
  PeerArray outputs = RoomFor(peer.array("outputs"));
  const bool is_packed = RowOf(peer.code_type).bits < 8;
  const PeerArray& codes = peer.array(is_packed ? "packed" : "inputs");
  const auto dequantizer =
      Dequantizer::Create(peer.parameters(), peer.spec, {peer.code_type, outputs.type});
  ASSERT_TRUE(dequantizer.ok()) << dequantizer.status();
  const TensorView view(peer.code_type, peer.array("inputs").shape, ScatteredBytes(codes.bytes));
  const auto status = dequantizer->Apply(view, OutputOf(outputs), nullptr);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(SameElements(outputs, peer.array("outputs")));
}

TEST(PeerCases, AreComplete) { EXPECT_EQ(PeerCases().size(), 216); }

class PeersOnTarget : public EverySimdTarget {};

TEST_P(PeersOnTarget, GiveTheirOwnBits) {
  for (const PeerCase& peer : PeerCases()) {
    SCOPED_TRACE(peer.name);
    switch (peer.operation) {
      case PeerOperation::kFakeQuantize:
        ExpectFakeQuantized(peer);
        break;
      case PeerOperation::kFakeQuantizeGradient:
        ExpectFakeQuantized(peer);
        ExpectDifferentiated(peer);
        break;
      case PeerOperation::kQuantize:
        ExpectQuantized(peer);
        break;
      case PeerOperation::kDequantize:
        ExpectDequantized(peer);
        break;
      case PeerOperation::kDynamic:
        ExpectQuantized(peer);
        ExpectDynamicallyQuantized(peer);
        break;
    }
  }
}

INSTANTIATE_ON_EVERY_SIMD_TARGET(PeersOnTarget);

template <typename T>
void ExpectReference(const PeerCase& peer, const std::vector<T>& inputs,
                     const std::vector<T>& outputs, const std::vector<T>& gradients,
                     const std::vector<T>& input_gradients) {
  const auto& shape = peer.array("inputs").shape;
  if (!outputs.empty()) {
    const auto actual = reference::FakeQuantize(shape, inputs, peer.parameters(), peer.spec);
    ASSERT_EQ(actual.ok(), !IsRefused(peer.name)) << actual.status();
    if constexpr (std::is_same_v<T, float>) {
      if (actual.ok()) {
        EXPECT_TRUE(SameBits(RoundedTo(peer.array("outputs").type, *actual), outputs));
      }
    } else {
      EXPECT_TRUE(SameBits(*actual, outputs));
    }
  }
  if (!gradients.empty()) {
    const auto actual =
        reference::FakeQuantizeGradient(shape, gradients, inputs, peer.parameters(), peer.spec);
    ASSERT_TRUE(actual.ok()) << actual.status();
    EXPECT_TRUE(SameBits(actual->input, input_gradients));
  }
}

TEST(PeerReference, GivesTheirOwnBits) {
  for (const PeerCase& peer : PeerCases()) {
    SCOPED_TRACE(peer.name);
    const PeerArray& inputs = peer.array("inputs");
    const PeerArray& outputs = peer.array("outputs");
    if (peer.operation == PeerOperation::kDequantize) {
      const auto values = reference::Dequantize(inputs.shape, inputs.AsCodes(), peer.parameters(),
                                                peer.spec, peer.code_type);
      ASSERT_TRUE(values.ok()) << values.status();
      EXPECT_TRUE(SameBits(RoundedTo(outputs.type, *values), outputs.AsFloats()));
    } else if (peer.operation == PeerOperation::kQuantize ||
               peer.operation == PeerOperation::kDynamic) {
      const auto codes = reference::Quantize(inputs.shape, inputs.AsFloats(), peer.parameters(),
                                             peer.spec, peer.code_type, inputs.type);
      ASSERT_TRUE(codes.ok()) << codes.status();
      EXPECT_TRUE(SameCodes(*codes, ExpectedCodes(peer, *codes)));
    } else if (inputs.type == ElementType::kFloat64) {
      ExpectReference(peer, inputs.AsDoubles(), outputs.AsDoubles(),
                      peer.array("gradients").AsDoubles(),
                      peer.array("input_gradients").AsDoubles());
    } else {
      ExpectReference(peer, inputs.AsFloats(), outputs.AsFloats(),
                      peer.array("gradients").AsFloats(), peer.array("input_gradients").AsFloats());
    }
  }
}

}  // namespace
}  // namespace quantd::core
