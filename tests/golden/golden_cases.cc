#include "tests/golden/golden_cases.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

namespace quantd::golden {
namespace {

const std::filesystem::path kFolder = QUANTD_GOLDEN_FOLDER;

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw std::runtime_error("cannot open " + path.string());
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

// Reads the elements of a .npy file of version 1, as all golden files are: ten bytes,
// of which the last two are the length of the header, then the header, then the
// data.
std::vector<float> ReadFloats(const std::string& name) {
  const std::string bytes = ReadFile(kFolder / name);
  std::uint16_t header = 0;
  std::memcpy(&header, bytes.data() + 8, sizeof(header));
  const std::size_t begin = 10U + header;
  if (bytes.find("'descr': '<f4', 'fortran_order': False") == std::string::npos) {
    throw std::runtime_error(name + " is not a C-order float32 array");
  }
  std::vector<float> floats((bytes.size() - begin) / sizeof(float));
  std::memcpy(floats.data(), bytes.data() + begin, floats.size() * sizeof(float));
  return floats;
}

std::vector<float> Floats(const nlohmann::json& entry, const char* key) {
  return entry.contains(key) ? ReadFloats(entry[key]) : std::vector<float>();
}

template <typename T>
std::vector<T> Numbers(const nlohmann::json& entry, const char* key) {
  return entry.value(key, std::vector<T>());
}

Case ParseCase(const nlohmann::json& entry) {
  const bool args = entry["op"] == "args";
  return {
      .name = entry["name"],
      .spec = {.num_bits = entry["num_bits"],
               .narrow_range = entry["narrow_range"],
               .numerics = args ? core::Numerics::kTensorFlowArgs : core::Numerics::kTensorFlow},
      .min = entry["min"],
      .max = entry["max"],
      .axis = entry["axis"].is_null() ? std::nullopt : std::optional<std::int32_t>(entry["axis"]),
      .shape = entry["shape"],
      .inputs = Floats(entry, "inputs"),
      .outputs = Floats(entry, "outputs"),
      .nudged_min = Numbers<float>(entry, "nudged_min"),
      .nudged_max = Numbers<float>(entry, "nudged_max"),
      .scale = Numbers<float>(entry, "scale"),
      .gradients = Floats(entry, "gradients"),
      .input_gradients = Floats(entry, "input_gradients"),
      .min_gradient = Numbers<double>(entry, "min_gradient"),
      .max_gradient = Numbers<double>(entry, "max_gradient"),
  };
}

}  // namespace

std::vector<Case> LoadCases() {
  std::vector<Case> cases;
  for (const auto& entry : nlohmann::json::parse(ReadFile(kFolder / "manifest.json"))) {
    cases.push_back(ParseCase(entry));
  }
  return cases;
}

double GradientTolerance(double exact, const std::vector<float>& gradients) {
  double magnitude = 0;
  for (const float gradient : gradients) {
    magnitude += std::abs(gradient);
  }
  const float nearest = std::abs(static_cast<float>(exact));
  const float next = std::nextafter(nearest, std::numeric_limits<float>::infinity());
  return static_cast<double>(next) - nearest + 1e-12 * magnitude;
}

}  // namespace quantd::golden
