#include "tests/golden/peer_cases.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "core/base/float16.h"

namespace quantd::golden {
namespace {

using core::ElementType;
using core::Numerics;

const std::filesystem::path kPeerFolder = std::filesystem::path(QUANTD_GOLDEN_FOLDER) / "peers";

std::vector<std::byte> ReadBytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw std::runtime_error("cannot open " + path.string());
  }
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

// The numerics of the files that begin so. A longer name comes before its beginning.
struct NumericsOfFile {
  std::string_view file;
  Numerics numerics;
};
constexpr NumericsOfFile kNumericsOfFiles[] = {
    {"tf_eager", Numerics::kTensorFlow},
    {"tf_xla_args", Numerics::kTensorFlowXlaArgs},
    {"tf_xla", Numerics::kTensorFlowXla},
    {"tf_keras_jax_jit", Numerics::kKerasJaxJit},
    {"tf_keras_jax", Numerics::kKerasJax},
    {"tf_uniform", Numerics::kTensorFlowUniform},
    {"tf_quantize_and_dequantize", Numerics::kTensorFlowQuantizeAndDequantize},
    // In the mode MIN_COMBINED.
    {"tf_quantize_v2", Numerics::kTensorFlowQuantizeV2MinCombined},
    {"tf_dequantize", Numerics::kTensorFlowQuantizeV2MinCombined},
    {"onnx_reference", Numerics::kOnnx},
    {"onnxruntime", Numerics::kOnnx},
    {"pytorch", Numerics::kPyTorch},
    {"litert_reference", Numerics::kLiteRt},
    {"litert_xnnpack", Numerics::kLiteRtXnnpack},
};

Numerics NumericsOf(std::string_view file, std::string_view operation, std::string_view mode) {
  if (file == "tf_eager" && operation.starts_with("args")) {
    return Numerics::kTensorFlowArgs;
  }
  if (mode == "MIN_FIRST") {
    return Numerics::kTensorFlowQuantizeV2MinFirst;
  }
  if (mode == "SCALED") {
    return Numerics::kTensorFlowQuantizeV2Scaled;
  }
  return std::ranges::find(kNumericsOfFiles, file, &NumericsOfFile::file)->numerics;
}

ElementType TypeNamed(std::string_view name) {
  const auto* const row =
      std::ranges::find(core::kElementTypeTable, name, &core::ElementTypeRow::name);
  if (row == core::kElementTypeTable.end()) {
    throw std::runtime_error("no element type is named " + std::string(name));
  }
  return row->type;
}

PeerOperation OperationOf(std::string_view name, bool has_gradients) {
  if (name == "dynamic_quantize") {
    return PeerOperation::kDynamic;
  }
  if (name.ends_with("dequantize")) {
    return PeerOperation::kDequantize;
  }
  if (name == "quantize" || name == "uniform_quantize" || name == "quantize_v2") {
    return PeerOperation::kQuantize;
  }
  return has_gradients ? PeerOperation::kFakeQuantizeGradient : PeerOperation::kFakeQuantize;
}

template <typename T>
std::vector<T> OneOrMany(const nlohmann::json& value) {
  return value.is_array() ? value.get<std::vector<T>>() : std::vector<T>{value.get<T>()};
}

PeerArray ParseArray(const nlohmann::json& entry, std::span<const std::byte> all) {
  PeerArray array;
  std::size_t count = 1;
  for (const std::int64_t size : entry["shape"]) {
    array.shape.push_back(size);
    count *= static_cast<std::size_t>(size);
  }
  // Zero points come as int64, which has no place among our types.
  const bool is_int64 = entry["type"] == "int64";
  array.type = is_int64 ? ElementType::kInt32 : TypeNamed(std::string(entry["type"]));
  const std::size_t size = is_int64 ? count * 8 : core::ElementBytes(array.type, count);
  const auto bytes = all.subspan(entry["offset"], size);
  if (!is_int64) {
    array.bytes.assign(bytes.begin(), bytes.end());
    return array;
  }
  for (std::size_t i = 0; i < count; ++i) {
    array.bytes.insert(array.bytes.end(), bytes.begin() + static_cast<std::ptrdiff_t>(8 * i),
                       bytes.begin() + static_cast<std::ptrdiff_t>(8 * i + 4));
  }
  return array;
}

core::Rounding RoundingOf(std::string_view round_mode) {
  return round_mode == "HALF_UP"        ? core::Rounding::kHalfUp
         : round_mode == "HALF_TO_EVEN" ? core::Rounding::kHalfToEven
                                        : core::Rounding::kHalfAwayFromZero;
}

// The arguments of quantization by range.
void ParseRange(const nlohmann::json& entry, PeerCase& peer) {
  peer.by_range = true;
  peer.min = OneOrMany<float>(entry.contains("min") ? entry["min"] : entry["range_min"]);
  peer.max = OneOrMany<float>(entry.contains("max") ? entry["max"] : entry["range_max"]);
  peer.spec.num_bits = entry["num_bits"];
  peer.spec.narrow_range = entry["narrow_range"];
  peer.spec.signed_input = entry.value("signed", false);
  // The other modes have no choice.
  if (entry.contains("round_mode") && entry.value("mode", "SCALED") == "SCALED") {
    peer.spec.rounding = RoundingOf(std::string(entry["round_mode"]));
  }
}

// The arguments of quantization by scale.
void ParseScales(const nlohmann::json& entry, PeerCase& peer) {
  if (entry.contains("quantization_min")) {
    peer.scale = OneOrMany<float>(entry["scale"]);
    peer.zero_point = OneOrMany<std::int32_t>(entry["zero_point"]);
    peer.spec.quant_min = entry["quantization_min"];
    peer.spec.quant_max = entry["quantization_max"];
    return;
  }
  peer.scale = peer.array("scale").AsFloats();
  peer.zero_point = peer.array("zero_point").AsCodes();
  peer.spec.quant_min = entry["quant_min"];
  peer.spec.quant_max = entry["quant_max"];
  const bool is_dynamic = peer.operation == PeerOperation::kDynamic;
  if (is_dynamic) {
    peer.spec.quant_min.reset();
    peer.spec.quant_max.reset();
  }
}

// ONNX Runtime computes in the type of the scale from opset 23 on, unless it is told not
// to; the reference evaluator always does.
bool ComputesInTypeOfScale(std::string_view file, const nlohmann::json& entry) {
  return entry.value("scale_type", "float32") != "float32" && entry["operation"] == "quantize" &&
         entry.value("precision", "") != "float32" &&
         (file == "onnx_reference" || entry["opset"] >= 23);
}

ElementType CodeTypeOf(const nlohmann::json& entry, const PeerCase& peer) {
  if (entry.contains("type")) {
    return TypeNamed(std::string(entry["type"]).substr(1));
  }
  if (peer.operation == PeerOperation::kQuantize || peer.operation == PeerOperation::kDynamic) {
    return TypeNamed(std::string(entry["output_type"]));
  }
  return peer.operation == PeerOperation::kDequantize ? TypeNamed(std::string(entry["input_type"]))
                                                      : ElementType::kUint8;
}

PeerCase ParsePeerCase(const std::string& file, const nlohmann::json& entry,
                       std::span<const std::byte> bytes) {
  PeerCase peer;
  peer.name = entry["name"];
  for (const auto& [key, array] : entry["arrays"].items()) {
    peer.arrays[key] = ParseArray(array, bytes);
  }
  const std::string operation = entry["operation"];
  peer.operation = OperationOf(operation, !peer.array("gradients").empty());
  peer.spec.numerics = NumericsOf(file, operation, entry.value("mode", ""));
  if (!entry["axis"].is_null()) {
    peer.axis = entry["axis"].get<std::int32_t>();
  }
  if (entry.value("block_size", 0) > 0) {
    peer.block_size = entry["block_size"].get<std::uint32_t>();
  }
  const bool has_range = (entry.contains("min") || entry.contains("range_min"));
  has_range ? ParseRange(entry, peer) : ParseScales(entry, peer);
  if (ComputesInTypeOfScale(file, entry)) {
    peer.spec.precision = TypeNamed(std::string(entry["scale_type"]));
  }
  peer.is_limited = file == "onnx_reference";
  peer.code_type = CodeTypeOf(entry, peer);
  return peer;
}

template <typename T, typename To>
void Append(std::span<const std::byte> bytes, std::vector<To>& values, auto convert) {
  for (std::size_t i = 0; i + sizeof(T) <= bytes.size(); i += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + i, sizeof(T));
    values.push_back(static_cast<To>(convert(value)));
  }
}

}  // namespace

std::vector<float> PeerArray::AsFloats() const {
  std::vector<float> values;
  const auto widen = [](auto value) { return core::ToFloat(value); };
  switch (type) {
    case ElementType::kFloat16:
      Append<core::Float16>(bytes, values, widen);
      break;
    case ElementType::kBFloat16:
      Append<core::BFloat16>(bytes, values, widen);
      break;
    default:
      Append<float>(bytes, values, std::identity());
  }
  return values;
}

std::vector<double> PeerArray::AsDoubles() const {
  std::vector<double> values;
  Append<double>(bytes, values, std::identity());
  return values;
}

std::vector<std::int32_t> PeerArray::AsCodes() const {
  std::vector<std::int32_t> values;
  switch (type) {
    case ElementType::kInt8:
      Append<std::int8_t>(bytes, values, std::identity());
      break;
    case ElementType::kUint8:
      Append<std::uint8_t>(bytes, values, std::identity());
      break;
    case ElementType::kInt16:
      Append<std::int16_t>(bytes, values, std::identity());
      break;
    case ElementType::kUint16:
      Append<std::uint16_t>(bytes, values, std::identity());
      break;
    default:
      Append<std::int32_t>(bytes, values, std::identity());
  }
  return values;
}

core::QuantizationParameters PeerCase::parameters() const {
  if (by_range) {
    return core::Range{.min = min, .max = max, .axis = axis};
  }
  return core::AffineParameters{
      .scale = scale, .zero_point = zero_point, .axis = axis, .block_size = block_size};
}

const PeerArray& PeerCase::array(const std::string& key) const {
  static const PeerArray none;
  const auto found = arrays.find(key);
  return found == arrays.end() ? none : found->second;
}

std::vector<PeerCase> LoadPeerCases() {
  std::vector<PeerCase> cases;
  for (const NumericsOfFile& peer : kNumericsOfFiles) {
    const std::string file(peer.file);
    const std::vector<std::byte> bytes = ReadBytes(kPeerFolder / (file + ".bin"));
    const std::vector<std::byte> text = ReadBytes(kPeerFolder / (file + ".json"));
    const auto* const characters = reinterpret_cast<const char*>(text.data());
    for (const auto& entry : nlohmann::json::parse(characters, characters + text.size())) {
      cases.push_back(ParsePeerCase(file, entry, bytes));
    }
  }
  return cases;
}

}  // namespace quantd::golden
