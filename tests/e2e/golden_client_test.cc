// Tests the producers' bits with the C++ client and a complete server, in one message and in
// parts, like golden_test.py does from Python. Also tests a tensor of 64 MiB with the default
// settings of both.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "client/library/client.h"
#include "client/library/elements.h"
#include "core/fake_quantization.h"
#include "core/quantizer.h"
#include "server/server.h"
#include "server/settings/options.h"
#include "server/telemetry/log.h"
#include "tests/client/temporary_folder.h"
#include "tests/core/same_bits.h"
#include "tests/golden/golden_cases.h"
#include "tests/golden/peer_cases.h"
#include "tests/server/log_text.h"

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
  server::LogText log_text_;
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

using golden::PeerArray;
using golden::PeerCase;
using golden::PeerOperation;

// Core's result for a case, which tests/core holds to the producer's.
std::vector<std::byte> BytesOf(const core::OutputView& output, const absl::Status& status) {
  EXPECT_TRUE(status.ok()) << status;
  return {output.bytes().begin(), output.bytes().end()};
}

void ExpectBytes(const client::Elements& elements, const std::vector<std::byte>& expected) {
  EXPECT_TRUE(std::ranges::equal(elements.bytes(), expected));
}

core::TensorView ViewOf(const PeerArray& array) {
  return {array.type, array.shape, core::ScatteredBytes(array.bytes)};
}

void ExpectFakeQuantized(client::Client& client, const PeerCase& peer) {
  const core::TensorView inputs = ViewOf(peer.array("inputs"));
  const auto plan = core::FakeQuantization::Create(peer.parameters(), peer.spec, inputs.type);
  const auto result = client.FakeQuantize(inputs, peer.parameters(), peer.spec);
  ASSERT_EQ(result.ok(), plan.ok()) << result.status();
  if (!plan.ok()) {
    EXPECT_EQ(result.status(), plan.status());
    return;
  }
  client::Elements expected(inputs.type, result->output.size());
  ExpectBytes(result->output,
              BytesOf(expected.output(), plan->Apply(inputs, expected.output(), nullptr)));
  EXPECT_EQ(result->numerics, plan->numerics());
}

void ExpectDifferentiated(client::Client& client, const PeerCase& peer) {
  const core::TensorView inputs = ViewOf(peer.array("inputs"));
  const core::TensorView gradients = ViewOf(peer.array("gradients"));
  const auto plan =
      core::FakeQuantization::CreateForGradient(peer.parameters(), peer.spec, inputs.type);
  ASSERT_TRUE(plan.ok()) << plan.status();
  const auto result = client.FakeQuantizeGradient(gradients, inputs, peer.parameters(), peer.spec);
  ASSERT_TRUE(result.ok()) << result.status();
  const std::size_t ranges = plan->has_range_gradients() ? plan->channel_count() : 0;
  EXPECT_EQ(result->min_gradient.size(), ranges);
  std::vector<float> min(ranges);
  std::vector<float> max(ranges);
  client::Elements expected(inputs.type, result->input_gradients.size());
  const absl::Status status = plan->ApplyGradient(
      gradients, inputs, {.input = expected.output(), .min = min, .max = max}, nullptr);
  ExpectBytes(result->input_gradients, BytesOf(expected.output(), status));
}

void ExpectQuantized(client::Client& client, const PeerCase& peer,
                     const client::QuantizeParameters& parameters,
                     const absl::StatusOr<core::Quantizer>& plan) {
  const core::TensorView inputs = ViewOf(peer.array("inputs"));
  ASSERT_TRUE(plan.ok()) << plan.status();
  const auto result = client.Quantize(inputs, parameters, peer.spec, peer.code_type);
  ASSERT_TRUE(result.ok()) << result.status();
  client::Elements expected(peer.code_type, result->output.size());
  ExpectBytes(result->output,
              BytesOf(expected.output(), plan->Apply(inputs, expected.output(), nullptr)));
  EXPECT_EQ(result->parameters.scale, plan->parameters().scale);
  EXPECT_EQ(result->parameters.zero_point, plan->parameters().zero_point);
  EXPECT_EQ(result->numerics, plan->numerics());
}

void ExpectQuantized(client::Client& client, const PeerCase& peer) {
  const core::ElementType input_type = peer.array("inputs").type;
  ExpectQuantized(
      client, peer,
      peer.by_range ? client::QuantizeParameters(std::get<core::Range>(peer.parameters()))
                    : std::get<core::AffineParameters>(peer.parameters()),
      core::Quantizer::Create(peer.parameters(), peer.spec, {input_type, peer.code_type}));
}

void ExpectDequantized(client::Client& client, const PeerCase& peer) {
  const bool is_packed = client::IsPacked(peer.code_type);
  const core::TensorView codes(
      peer.code_type, peer.array("inputs").shape,
      core::ScatteredBytes(peer.array(is_packed ? "packed" : "inputs").bytes));
  const core::ElementType output_type = peer.array("outputs").type;
  const auto plan =
      core::Dequantizer::Create(peer.parameters(), peer.spec, {peer.code_type, output_type});
  ASSERT_TRUE(plan.ok()) << plan.status();
  const auto result = client.Dequantize(codes, peer.parameters(), peer.spec, output_type);
  ASSERT_TRUE(result.ok()) << result.status();
  client::Elements expected(output_type, result->output.size());
  ExpectBytes(result->output,
              BytesOf(expected.output(), plan->Apply(codes, expected.output(), nullptr)));
}

void ExpectCoresBits(client::Client& client, const PeerCase& peer) {
  SCOPED_TRACE(peer.name);
  switch (peer.operation) {
    case PeerOperation::kFakeQuantizeGradient:
      ExpectDifferentiated(client, peer);
      [[fallthrough]];
    case PeerOperation::kFakeQuantize:
      ExpectFakeQuantized(client, peer);
      break;
    case PeerOperation::kDynamic:
      ExpectQuantized(client, peer, core::DataRange{},
                      core::Quantizer::CreateFromData({}, peer.spec, ViewOf(peer.array("inputs")),
                                                      peer.code_type, nullptr));
      [[fallthrough]];
    case PeerOperation::kQuantize:
      ExpectQuantized(client, peer);
      break;
    case PeerOperation::kDequantize:
      ExpectDequantized(client, peer);
      break;
  }
}

TEST_F(ClientAndServer, GiveCoresBitsForEveryProducer) {
  const std::vector<PeerCase> cases = golden::LoadPeerCases();
  ASSERT_EQ(cases.size(), 216U);
  const auto client = Connect({.address = port()});
  for (const PeerCase& peer : cases) {
    ExpectCoresBits(*client, peer);
  }
}

TEST_F(ClientAndServer, GiveCoresBitsForEveryProducerInParts) {
  const std::vector<PeerCase> cases = golden::LoadPeerCases();
  for (const std::size_t message_bytes : {64U, 1000U}) {
    SCOPED_TRACE(message_bytes);
    const auto client = Connect(
        {.address = unix_socket(), .stream_from_bytes = 0, .stream_message_bytes = message_bytes});
    for (const PeerCase& peer : cases) {
      ExpectCoresBits(*client, peer);
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
