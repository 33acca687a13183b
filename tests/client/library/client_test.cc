#include "client/library/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <limits>
#include <thread>

#include "core/base/error.h"
#include "core/reference.h"
#include "tests/client/temporary_folder.h"
#include "tests/client/test_server.h"
#include "tests/core/same_bits.h"

namespace quantd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::unique_ptr<Client> ConnectTo(const std::string& address,
                                  std::chrono::milliseconds timeout = std::chrono::seconds(30)) {
  auto client = Client::Connect({.address = address, .timeout = timeout});
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

class ClientTest : public ::testing::Test {
 protected:
  TestService service_;
  TestServer server_{&service_};
  std::unique_ptr<Client> client_ = ConnectTo(server_.address());

  const std::vector<std::int64_t> shape_ = {2, 3};
  const std::vector<float> values_ = {-7, -0.3F, 0, 1.1F, 6, kInfinity};
  const std::vector<float> min_ = {-6, 0, -1};
  const std::vector<float> max_ = {6, 3, 2};
  const TensorView tensor_{shape_, values_};
  const core::Range per_channel_{.min = min_, .max = max_, .axis = -1};
  const core::Range per_tensor_{.min = {min_.data(), 1}, .max = {max_.data(), 1}, .axis = {}};
  const core::QuantizationSpec spec_{.num_bits = 4, .narrow_range = true};
};

TEST_F(ClientTest, FakeQuantizeMatchesTheReferenceBitForBit) {
  for (const core::Range& range : {per_tensor_, per_channel_}) {
    const auto result = client_->FakeQuantize(tensor_, range, spec_);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_THAT(result->output,
                ElementsAreArray(*core::reference::FakeQuantize(shape_, values_, range, spec_)));
    const auto nudged = core::Nudge(range, spec_);
    EXPECT_THAT(result->nudged_range.min, ElementsAreArray(nudged->min));
    EXPECT_THAT(result->nudged_range.max, ElementsAreArray(nudged->max));
    EXPECT_THAT(result->nudged_range.scale, ElementsAreArray(nudged->scale));
    EXPECT_THAT(result->nudged_range.zero_point, ElementsAreArray(nudged->zero_point));
  }
}

TEST_F(ClientTest, FakeQuantizeGradientMatchesTheReferenceBitForBit) {
  const std::vector<float> gradients = {1, -2, 3, 0.5F, -0.25F, 8};
  const auto result =
      client_->FakeQuantizeGradient({shape_, gradients}, tensor_, per_channel_, spec_);
  ASSERT_TRUE(result.ok()) << result.status();
  const auto expected =
      core::reference::FakeQuantizeGradient(shape_, gradients, values_, per_channel_, spec_);
  EXPECT_THAT(result->input_gradients, ElementsAreArray(expected->input));
  EXPECT_THAT(result->min_gradient, ElementsAreArray(expected->min));
  EXPECT_THAT(result->max_gradient, ElementsAreArray(expected->max));
  EXPECT_EQ(result->nudged_range.scale.size(), 3U);
}

TEST_F(ClientTest, SendsTheRequestedNumerics) {
  // Values between two codes: to which of them they are rounded depends on whether
  // they are divided by the scale or multiplied by its inverse.
  std::vector<float> values;
  const float scale = core::Nudge(per_tensor_, {})->scale[0];
  for (int step = -100; step < 100; ++step) {
    values.push_back((static_cast<float>(step) + 0.5F) * scale);
  }
  const std::vector<std::int64_t> shape = {200};
  const auto expected = [&](core::Numerics numerics) {
    return *core::reference::FakeQuantize(shape, values, per_tensor_, {.numerics = numerics});
  };
  ASSERT_FALSE(core::SameBits(expected(core::Numerics::kTensorFlow),
                              expected(core::Numerics::kTensorFlowArgs)));
  for (const auto numerics : {core::Numerics::kTensorFlow, core::Numerics::kTensorFlowArgs}) {
    const auto result = client_->FakeQuantize({shape, values}, per_tensor_, {.numerics = numerics});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(core::SameBits(result->output, expected(numerics)));
  }
}

TEST_F(ClientTest, AcceptsEmptyTensorsAndScalars) {
  const std::vector<std::int64_t> empty_shape = {0, 3};
  const auto empty = client_->FakeQuantize({empty_shape, {}}, per_channel_, {});
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_THAT(empty->output, IsEmpty());

  const float value = 100;
  const auto scalar = client_->FakeQuantize({{}, {&value, 1}}, per_tensor_, {});
  ASSERT_TRUE(scalar.ok()) << scalar.status();
  EXPECT_THAT(scalar->output, ElementsAre(scalar->nudged_range.max[0]));
}

TEST_F(ClientTest, SendsTensorsAboveGrpcsDefaultLimitOfFourMebibytes) {
  const std::vector<float> values(std::size_t{16} << 20U, 0.5F);
  const std::vector<std::int64_t> shape = {static_cast<std::int64_t>(values.size())};
  const auto result = client_->FakeQuantize({shape, values}, per_tensor_, {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->output.size(), values.size());
}

TEST_F(ClientTest, FailedCallsCarryTheServersErrorDetail) {
  const core::Range swapped{.min = max_, .max = min_, .axis = 1};
  const auto result = client_->FakeQuantize(tensor_, swapped, spec_);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  const auto detail = core::GetErrorDetail(result.status());
  ASSERT_TRUE(detail.has_value()) << result.status();
  EXPECT_EQ(detail->reason, core::ErrorReasonName(core::ErrorReason::kInvalidRange));
  EXPECT_EQ(detail->field, "range.min[0]");
  EXPECT_EQ(detail->metadata.at("channel"), "0");
}

TEST_F(ClientTest, GetServerInfoNamesTheDataTypesOfNewerServers) {
  const auto info = client_->GetServerInfo();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->version, "1.2.3");
  EXPECT_EQ(info->simd_target, "AVX3");
  EXPECT_THAT(info->supported_simd_targets, ElementsAre("AVX3", "AVX2"));
  EXPECT_THAT(info->data_types, ElementsAre("DATA_TYPE_FLOAT32", "DATA_TYPE_99"));
  EXPECT_EQ(info->max_message_bytes, std::uint64_t{1} << 40U);
  EXPECT_EQ(info->max_in_flight_bytes, 7U);
  EXPECT_EQ(info->worker_threads, 2U);
}

TEST_F(ClientTest, CheckHealthReturnsTheServersState) {
  EXPECT_EQ(client_->CheckHealth("").value(), HealthStatus::kServing);
  server_.SetServing(false);
  EXPECT_EQ(client_->CheckHealth("").value(), HealthStatus::kNotServing);
}

TEST_F(ClientTest, CheckHealthReturnsNotFoundForUnknownServices) {
  const auto health = client_->CheckHealth("quantd.v1.Nothing");
  EXPECT_TRUE(absl::IsNotFound(health.status())) << health.status();
  EXPECT_THAT(std::string(health.status().message()), HasSubstr("quantd.v1.Nothing"));
}

TEST_F(ClientTest, OneClientCanBeUsedByManyThreads) {
  std::vector<std::future<bool>> calls;
  calls.reserve(8);
  for (int i = 0; i < 8; ++i) {
    calls.push_back(std::async(std::launch::async, [this] {
      bool all_ok = true;
      for (int call = 0; call < 20; ++call) {
        all_ok = all_ok && client_->FakeQuantize(tensor_, per_tensor_, spec_).ok();
      }
      return all_ok;
    }));
  }
  for (std::future<bool>& call : calls) {
    EXPECT_TRUE(call.get());
  }
}

TEST(Client, ConnectsOverUnixSockets) {
  const TemporaryFolder folder;
  TestService service;
  const TestServer server(&service, "unix:" + (folder / "quantd.sock").string());
  EXPECT_TRUE(ConnectTo(server.address())->GetServerInfo().ok());
}

TEST(Client, NamesTheAddressIfNoServerAnswers) {
  const TemporaryFolder folder;
  const std::string address = "unix:" + (folder / "nobody.sock").string();
  const auto info = ConnectTo(address)->GetServerInfo();
  EXPECT_TRUE(absl::IsUnavailable(info.status())) << info.status();
  EXPECT_THAT(std::string(info.status().message()), HasSubstr(address));
}

TEST(Client, ReportsDeadlineExceededAfterTheTimeout) {
  TestService service;
  service.edit_answer = [](grpc::ServerContext* context, v1::FakeQuantizeResponse*) {
    TestService::AwaitCancellation(context);
    return grpc::Status::OK;
  };
  const TestServer server(&service);
  const float bound = 0;
  const auto result = ConnectTo(server.address(), std::chrono::milliseconds(50))
                          ->FakeQuantize({{}, {&bound, 1}},
                                         {.min = {&bound, 1}, .max = {&bound, 1}, .axis = {}}, {});
  EXPECT_TRUE(absl::IsDeadlineExceeded(result.status())) << result.status();
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("within 50 ms"));
}

TEST(Client, RejectsAnswersThatDoNotMatchTheRequest) {
  struct Edit {
    std::string message;
    std::function<void(v1::FakeQuantizeResponse*)> apply;
  };
  const std::vector<Edit> edits = {
      {"output has 3 bytes", [](auto* answer) { answer->mutable_output()->set_data("abc"); }},
      {"DATA_TYPE_INT8",
       [](auto* answer) { answer->mutable_output()->set_data_type(v1::DATA_TYPE_INT8); }},
      {"nudged_range.min", [](auto* answer) { answer->mutable_nudged_range()->clear_min(); }},
      {"nudged_range.max", [](auto* answer) { answer->mutable_nudged_range()->add_max(1); }},
      {"nudged_range.scale", [](auto* answer) { answer->mutable_nudged_range()->clear_scale(); }},
      {"zero_point", [](auto* answer) { answer->mutable_nudged_range()->add_zero_point(1); }}};
  for (const Edit& edit : edits) {
    TestService service;
    service.edit_answer = [&edit](grpc::ServerContext*, v1::FakeQuantizeResponse* answer) {
      edit.apply(answer);
      return grpc::Status::OK;
    };
    const TestServer server(&service);
    const float bound = 0;
    const auto result =
        ConnectTo(server.address())
            ->FakeQuantize({{}, {&bound, 1}}, {.min = {&bound, 1}, .max = {&bound, 1}, .axis = {}},
                           {});
    EXPECT_TRUE(absl::IsInternal(result.status())) << result.status();
    EXPECT_THAT(std::string(result.status().message()), HasSubstr(edit.message));
  }
}

TEST(Client, RejectsGradientsThatDoNotFitTheRequest) {
  struct Edit {
    std::string message;
    std::function<void(v1::FakeQuantizeGradientResponse*)> apply;
  };
  const std::vector<Edit> edits = {
      {"input_gradients has 3 bytes",
       [](auto* answer) { answer->mutable_input_gradients()->set_data("abc"); }},
      {"min_gradient has 2 values; expected 1", [](auto* answer) { answer->add_min_gradient(1); }},
      {"max_gradient has 0 values; expected 1", [](auto* answer) { answer->clear_max_gradient(); }},
      {"nudged_range.min", [](auto* answer) { answer->clear_nudged_range(); }}};
  for (const Edit& edit : edits) {
    TestService service;
    service.edit_gradient_answer = [&edit](grpc::ServerContext*,
                                           v1::FakeQuantizeGradientResponse* answer) {
      edit.apply(answer);
      return grpc::Status::OK;
    };
    const TestServer server(&service);
    const float bound = 0;
    const TensorView tensor({}, {&bound, 1});
    const auto result =
        ConnectTo(server.address())
            ->FakeQuantizeGradient(tensor, tensor,
                                   {.min = {&bound, 1}, .max = {&bound, 1}, .axis = {}}, {});
    EXPECT_TRUE(absl::IsInternal(result.status())) << result.status();
    EXPECT_THAT(std::string(result.status().message()), HasSubstr(edit.message));
  }
}

TEST(Client, ConnectRejectsAnEmptyAddressAndANonPositiveTimeout) {
  EXPECT_TRUE(absl::IsInvalidArgument(Client::Connect({.address = ""}).status()));
  for (const auto timeout : {std::chrono::milliseconds(0), std::chrono::milliseconds::max()}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Client::Connect({.timeout = timeout}).status()));
  }
}

}  // namespace
}  // namespace quantd::client
