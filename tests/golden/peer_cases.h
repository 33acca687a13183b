// Cases whose results came out of the producers' own software: peers/README.md.

#ifndef QUANTD_TESTS_GOLDEN_PEER_CASES_H_
#define QUANTD_TESTS_GOLDEN_PEER_CASES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/element_type.h"
#include "core/quantization.h"

namespace quantd::golden {

// The elements of a case, as the producer took or gave them.
struct PeerArray {
  core::ElementType type = core::ElementType::kFloat32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;

  bool empty() const { return bytes.empty(); }
  // float16 and bfloat16 widened; codes as numbers.
  std::vector<float> AsFloats() const;
  std::vector<double> AsDoubles() const;
  std::vector<std::int32_t> AsCodes() const;
};

enum class PeerOperation { kFakeQuantize, kFakeQuantizeGradient, kQuantize, kDequantize, kDynamic };

struct PeerCase {
  std::string name;
  PeerOperation operation;
  core::QuantizationSpec spec;
  // The type of the codes, where there are any.
  core::ElementType code_type = core::ElementType::kUint8;
  // Either a range or scales.
  bool by_range = false;
  std::vector<float> min;
  std::vector<float> max;
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;
  std::optional<std::int32_t> axis;
  std::optional<std::uint32_t> block_size;
  // Whether the producer's result stands for its numerics only where |x / scale| is
  // below 2^31: elsewhere it is what a cast gives on its machine.
  bool is_limited = false;
  // inputs, outputs, gradients, input_gradients, min_gradient, max_gradient, packed,
  // output_min, output_max
  std::map<std::string, PeerArray> arrays;

  core::QuantizationParameters parameters() const;
  // Empty if the case has no such array.
  const PeerArray& array(const std::string& key) const;
};

// Reads all cases. Throws if a file is missing or malformed, which fails the test.
std::vector<PeerCase> LoadPeerCases();

}  // namespace quantd::golden

#endif  // QUANTD_TESTS_GOLDEN_PEER_CASES_H_
