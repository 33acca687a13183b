// Calls that send tensors in small parts to a server in this process.

#ifndef QUANTD_TESTS_CLIENT_LIBRARY_TENSOR_IN_PARTS_H_
#define QUANTD_TESTS_CLIENT_LIBRARY_TENSOR_IN_PARTS_H_

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "client/library/client.h"
#include "core/base/error.h"
#include "core/quantization.h"
#include "tests/client/test_server.h"

namespace quantd::client {

inline constexpr std::size_t kMessageBytes = 64;

inline std::unique_ptr<Client> ConnectInParts(
    const std::string& address, std::chrono::milliseconds timeout = std::chrono::minutes(1),
    std::size_t message_bytes = kMessageBytes) {
  auto client = Client::Connect({.address = address,
                                 .timeout = timeout,
                                 .stream_from_bytes = 0,
                                 .stream_message_bytes = message_bytes});
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

// Generates values, gradients and ranges for a tensor of a given shape.
class RangedTensor {
 public:
  explicit RangedTensor(std::vector<std::int64_t> shape, std::size_t channels = 1)
      : shape_(std::move(shape)) {
    std::size_t count = 1;
    for (const std::int64_t dimension : shape_) {
      count *= static_cast<std::size_t>(dimension);
    }
    std::uniform_real_distribution<float> value(-4, 4);
    std::uniform_real_distribution<float> bound(0.5F, 3);
    for (std::size_t i = 0; i < count; ++i) {
      values_.push_back(value(random_));
      gradients_.push_back(value(random_));
    }
    for (std::size_t channel = 0; channel < channels; ++channel) {
      min_.push_back(-bound(random_));
      max_.push_back(bound(random_));
    }
  }

  const std::vector<std::int64_t>& shape() const { return shape_; }
  TensorView values() const { return {shape_, values_}; }
  TensorView gradients() const { return {shape_, gradients_}; }
  core::Range range(std::optional<std::int32_t> axis = {}) const {
    return {.min = min_, .max = max_, .axis = axis};
  }

 private:
  std::mt19937 random_{7};  // NOLINT(bugprone-random-generator-seed)
  std::vector<std::int64_t> shape_;
  std::vector<float> values_;
  std::vector<float> gradients_;
  std::vector<float> min_;
  std::vector<float> max_;
};

// The reason of an error, and the field that it names.
inline std::pair<std::string, std::string> ReasonAndField(const absl::Status& status) {
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  const auto detail = core::GetErrorDetail(status).value_or(core::ErrorDetail());
  return {detail.reason, detail.field};
}

class StreamTest : public ::testing::Test {
 protected:
  TestService service_;
  TestServer server_{&service_};
  std::unique_ptr<Client> client_ = ConnectInParts(server_.address());
  const core::QuantizationSpec spec_{.num_bits = 4, .narrow_range = true};
};

}  // namespace quantd::client

#endif  // QUANTD_TESTS_CLIENT_LIBRARY_TENSOR_IN_PARTS_H_
