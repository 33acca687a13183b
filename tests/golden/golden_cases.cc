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
std::vector<float> ReadFloats(const std::filesystem::path& path) {
  const std::string bytes = ReadFile(path);
  std::uint16_t header = 0;
  std::memcpy(&header, bytes.data() + 8, sizeof(header));
  const std::size_t begin = 10U + header;
  if (bytes.find("'descr': '<f4', 'fortran_order': False") == std::string::npos) {
    throw std::runtime_error(path.string() + " is not a C-order float32 array");
  }
  std::vector<float> floats((bytes.size() - begin) / sizeof(float));
  std::memcpy(floats.data(), bytes.data() + begin, floats.size() * sizeof(float));
  return floats;
}

std::vector<float> Floats(const std::filesystem::path& folder, const nlohmann::json& entry,
                          const char* key) {
  return entry.contains(key) ? ReadFloats(folder / std::string(entry[key])) : std::vector<float>();
}

// Returns sums, which are numbers in the manifest or a file.
std::vector<double> Sums(const std::filesystem::path& folder, const nlohmann::json& entry,
                         const char* key) {
  if (!entry.contains(key) || entry[key].is_array()) {
    return entry.value(key, std::vector<double>());
  }
  const std::vector<float> sums = Floats(folder, entry, key);
  return {sums.begin(), sums.end()};
}

template <typename T>
std::vector<T> Numbers(const nlohmann::json& entry, const char* key) {
  return entry.value(key, std::vector<T>());
}

Case ParseCase(const std::filesystem::path& folder, const nlohmann::json& entry) {
  const bool args = std::string(entry["op"]).starts_with("args");
  return {
      .name = entry["name"],
      .spec = {.num_bits = entry["num_bits"],
               .narrow_range = entry["narrow_range"],
               .numerics = args ? core::Numerics::kTensorFlowArgs : core::Numerics::kTensorFlow},
      .min = entry["min"],
      .max = entry["max"],
      .axis = entry["axis"].is_null() ? std::nullopt : std::optional<std::int32_t>(entry["axis"]),
      .shape = entry["shape"],
      .inputs = Floats(folder, entry, "inputs"),
      .outputs = Floats(folder, entry, "outputs"),
      .nudged_min = Numbers<float>(entry, "nudged_min"),
      .nudged_max = Numbers<float>(entry, "nudged_max"),
      .scale = Numbers<float>(entry, "scale"),
      .gradients = Floats(folder, entry, "gradients"),
      .input_gradients = Floats(folder, entry, "input_gradients"),
      .min_gradient = Sums(folder, entry, "min_gradient"),
      .max_gradient = Sums(folder, entry, "max_gradient"),
  };
}

std::vector<Case> LoadFolder(const std::filesystem::path& folder) {
  std::vector<Case> cases;
  for (const auto& entry : nlohmann::json::parse(ReadFile(folder / "manifest.json"))) {
    cases.push_back(ParseCase(folder, entry));
  }
  return cases;
}

}  // namespace

std::vector<Case> LoadCases() { return LoadFolder(kFolder); }

std::vector<Case> LoadPeerCases() { return LoadFolder(kFolder / "peers"); }

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
