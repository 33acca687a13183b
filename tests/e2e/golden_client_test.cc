// Tests TensorFlow's bits with the C++ client and a complete server, in one message and in
// parts, like golden_test.py does from Python. Also tests a tensor of 64 MiB with the default
// settings of both.

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "client/library/client.h"
#include "server/server.h"
#include "server/settings/options.h"
#include "server/telemetry/log.h"
#include "tests/client/temporary_folder.h"
#include "tests/core/same_bits.h"
#include "tests/golden/golden_cases.h"

namespace quantd {
namespace {

using core::SameBits;

// Runs a server that listens on a port and on a unix socket.
class ClientAndServer : public testing::Test {
 protected:
  void SetUp() override {
    server::Options options;
    options.listen = {"127.0.0.1:0", "unix:" + (folder_ / "quantd.sock").string()};
    options.metrics_listen = "";
    absl::StatusOr<std::unique_ptr<server::Server>> server = server::Server::Start(options, &log_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    ASSERT_EQ(server_->addresses().size(), 2U);
  }

  static std::unique_ptr<client::Client> Connect(const client::ClientOptions& options) {
    absl::StatusOr<std::unique_ptr<client::Client>> client = client::Client::Connect(options);
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }

  const std::string& port() const { return server_->addresses().front(); }
  const std::string& unix_socket() const { return server_->addresses().back(); }

 private:
  client::TemporaryFolder folder_;
  std::ostringstream log_text_;
  server::Log log_{server::LogLevel::kInfo, server::LogFormat::kText, log_text_};
  std::unique_ptr<server::Server> server_;
};

void ExpectSums(const std::vector<float>& actual, const std::vector<double>& expected,
                const golden::Case& golden) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(actual[i], expected[i], golden::GradientTolerance(expected[i], golden.gradients));
  }
}

void ExpectTheRightBits(client::Client& client, const golden::Case& golden) {
  SCOPED_TRACE(golden.name);
  const client::TensorView inputs{golden.shape, golden.inputs};
  if (golden.is_gradient()) {
    const auto result = client.FakeQuantizeGradient({golden.shape, golden.gradients}, inputs,
                                                    golden.range(), golden.spec);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(SameBits(result->input_gradients.values<float>(), golden.input_gradients));
    ExpectSums(result->min_gradient, golden.min_gradient, golden);
    ExpectSums(result->max_gradient, golden.max_gradient, golden);
  } else {
    const auto result = client.FakeQuantize(inputs, golden.range(), golden.spec);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(SameBits(result->output.values<float>(), golden.outputs));
  }
}

TEST_F(ClientAndServer, MatchTensorFlowBitForBitInEveryGoldenCase) {
  const std::vector<golden::Case> cases = golden::LoadCases();
  ASSERT_EQ(cases.size(), 118U);
  for (const std::string& address : {port(), unix_socket()}) {
    SCOPED_TRACE(address);
    const auto client = Connect({.address = address});
    for (const golden::Case& golden : cases) {
      ExpectTheRightBits(*client, golden);
    }
  }
}

TEST_F(ClientAndServer, GiveTheSameBitsForTensorsInParts) {
  const std::vector<golden::Case> cases = golden::LoadCases();
  ASSERT_EQ(cases.size(), 118U);
  for (const std::string& address : {port(), unix_socket()}) {
    SCOPED_TRACE(address);
    for (const std::size_t message_bytes : {4U, 64U, 1000U}) {
      SCOPED_TRACE(message_bytes);
      const auto client = Connect(
          {.address = address, .stream_from_bytes = 0, .stream_message_bytes = message_bytes});
      for (const golden::Case& golden : cases) {
        ExpectTheRightBits(*client, golden);
      }
    }
  }
}

TEST_F(ClientAndServer, AcceptATensorOf64MiB) {
  const std::vector<float> values(std::size_t{16} << 20, 0.4F);
  const std::vector<std::int64_t> shape = {16, 1 << 20};
  const float min = 0;
  const float max = 255;
  for (const std::size_t stream_from_bytes :
       {client::ClientOptions().stream_from_bytes, std::size_t{1} << 30}) {
    const auto client = Connect({.address = port(), .stream_from_bytes = stream_from_bytes});
    const auto result =
        client->FakeQuantize({shape, values}, core::Range{.min = {&min, 1}, .max = {&max, 1}}, {});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(SameBits(result->output.values<float>(), std::vector<float>(values.size(), 0)));
  }
}

}  // namespace
}  // namespace quantd
