#include "client/library/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <limits>
#include <thread>

#include "core/base/error.h"
#include "core/fake_quantization.h"
#include "core/quantizer.h"
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
using ::testing::SizeIs;

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

  std::vector<float> Expected(const core::QuantizationParameters& parameters) const {
    return *core::reference::FakeQuantize(shape_, std::span<const float>(values_), parameters,
                                          spec_);
  }
};

TEST_F(ClientTest, FakeQuantizeMatchesTheReferenceBitForBit) {
  for (const core::Range& range : {per_tensor_, per_channel_}) {
    const auto result = client_->FakeQuantize(tensor_, range, spec_);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_THAT(result->output.values<float>(), ElementsAreArray(Expected(range)));
    EXPECT_EQ(result->numerics, core::Numerics::kTensorFlow);
    const auto plan = core::FakeQuantization::Create(range, spec_);
    const core::NudgedRange* const nudged = plan->nudged_range();
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
  const auto expected = core::reference::FakeQuantizeGradient(
      shape_, std::span<const float>(gradients), values_, per_channel_, spec_);
  EXPECT_THAT(result->input_gradients.values<float>(), ElementsAreArray(expected->input));
  EXPECT_THAT(result->min_gradient, ElementsAreArray(expected->min));
  EXPECT_THAT(result->max_gradient, ElementsAreArray(expected->max));
  EXPECT_EQ(result->nudged_range.scale.size(), 3U);
}

TEST_F(ClientTest, SendsTheRequestedNumerics) {
  // Values between two codes: to which of them they are rounded depends on whether
  // they are divided by the scale or multiplied by its inverse.
  std::vector<float> values;
  const float scale = core::FakeQuantization::Create(per_tensor_, {})->nudged_range()->scale[0];
  for (int step = -100; step < 100; ++step) {
    values.push_back((static_cast<float>(step) + 0.5F) * scale);
  }
  const std::vector<std::int64_t> shape = {200};
  const auto expected = [&](core::Numerics numerics) {
    return *core::reference::FakeQuantize(shape, std::span<const float>(values), per_tensor_,
                                          {.numerics = numerics});
  };
  ASSERT_FALSE(core::SameBits(expected(core::Numerics::kTensorFlow),
                              expected(core::Numerics::kTensorFlowArgs)));
  for (const auto numerics : {core::Numerics::kTensorFlow, core::Numerics::kTensorFlowArgs}) {
    const auto result = client_->FakeQuantize({shape, values}, per_tensor_, {.numerics = numerics});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(core::SameBits(result->output.values<float>(), expected(numerics)));
    EXPECT_EQ(result->numerics, numerics);
  }
}

TEST_F(ClientTest, QuantizesByScaleAndSaysWhatWasUsed) {
  const std::vector<float> scale = {0.5F, 0.25F, 1};
  const std::vector<std::int32_t> zero_point = {0, 3, -2};
  const core::AffineParameters affine{.scale = scale, .zero_point = zero_point, .axis = -1};
  for (const core::ElementType type :
       {core::ElementType::kInt8, core::ElementType::kInt16, core::ElementType::kInt4}) {
    SCOPED_TRACE(core::RowOf(type).name);
    const auto result = client_->Quantize(tensor_, affine, {}, type);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->output.type(), type);
    EXPECT_EQ(ToCodes(result->output),
              *core::reference::Quantize(shape_, values_, affine, {}, type));
    EXPECT_EQ(result->numerics, core::Numerics::kOnnx);
    EXPECT_THAT(result->parameters.scale, ElementsAreArray(scale));
    EXPECT_THAT(result->parameters.zero_point, ElementsAreArray(zero_point));
    EXPECT_EQ(result->parameters.axis, -1);
    EXPECT_EQ(result->parameters.block_size, std::nullopt);
    EXPECT_THAT(result->nudged_range.min, IsEmpty());

    const auto values =
        client_->Dequantize(result->output.view(shape_), affine, {}, core::ElementType::kBFloat16);
    ASSERT_TRUE(values.ok()) << values.status();
    EXPECT_EQ(values->numerics, core::Numerics::kOnnx);
    const auto expected =
        core::reference::Dequantize(shape_, ToCodes(result->output), affine, {}, type);
    EXPECT_THAT(ToFloats(values->output),
                ElementsAreArray(ToFloats(FromFloats(*expected, core::ElementType::kBFloat16))));
  }
}

TEST_F(ClientTest, QuantizesByRangeAndSaysWhatWasUsed) {
  const auto result = client_->Quantize(tensor_, per_channel_, spec_, core::ElementType::kInt8);
  ASSERT_TRUE(result.ok()) << result.status();
  const auto plan = core::Quantizer::Create(
      per_channel_, spec_, {core::ElementType::kFloat32, core::ElementType::kInt8});
  EXPECT_EQ(ToCodes(result->output), *core::reference::Quantize(shape_, values_, per_channel_,
                                                                spec_, core::ElementType::kInt8));
  EXPECT_EQ(result->nudged_range.scale, plan->nudged_range()->scale);
  EXPECT_EQ(result->parameters.scale, plan->parameters().scale);
  // Codes of a signed type are those of the unsigned grid minus 8.
  EXPECT_EQ(result->parameters.zero_point[0], result->nudged_range.zero_point[0] - 8);
  EXPECT_EQ(result->numerics, core::Numerics::kTensorFlow);
}

TEST_F(ClientTest, QuantizesInBlocks) {
  const std::vector<float> scale = {0.5F, 0.25F, 1, 2};
  const core::AffineParameters blocks{.scale = scale, .axis = 1, .block_size = 2};
  const auto result = client_->Quantize(tensor_, blocks, {}, core::ElementType::kUint8);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(ToCodes(result->output),
            *core::reference::Quantize(shape_, values_, blocks, {}, core::ElementType::kUint8));
  EXPECT_THAT(result->parameters.scale, ElementsAreArray(scale));
  EXPECT_THAT(result->parameters.zero_point, ElementsAre(0, 0, 0, 0));
  EXPECT_EQ(result->parameters.block_size, 2U);
}

TEST_F(ClientTest, QuantizesByTheRangeOfTheData) {
  const std::vector<float> values = {-7, -0.3F, 0, 1.1F, 6, 2};
  const auto result =
      client_->Quantize({shape_, values}, core::DataRange{.symmetric = true, .axis = 0}, {},
                        core::ElementType::kInt8);
  ASSERT_TRUE(result.ok()) << result.status();
  const std::vector<float> min = {-7, -6};
  const std::vector<float> max = {7, 6};
  const core::Range range{.min = min, .max = max, .axis = 0};
  EXPECT_EQ(ToCodes(result->output),
            *core::reference::Quantize(shape_, values, range, {}, core::ElementType::kInt8));
  EXPECT_THAT(result->nudged_range.scale, SizeIs(2));
  EXPECT_THAT(result->parameters.scale, SizeIs(2));

  const auto dynamic =
      client_->Quantize({shape_, values}, core::DataRange{}, {.numerics = core::Numerics::kOnnx},
                        core::ElementType::kUint8);
  ASSERT_TRUE(dynamic.ok()) << dynamic.status();
  EXPECT_THAT(dynamic->nudged_range.scale, IsEmpty());
  EXPECT_THAT(dynamic->parameters.scale, ElementsAre(13.0F / 255));
  EXPECT_THAT(dynamic->parameters.zero_point, ElementsAre(137));
}

TEST_F(ClientTest, FakeQuantizesByScale) {
  const float scale = 0.1F;
  const std::int32_t zero_point = 100;
  const core::AffineParameters affine{.scale = {&scale, 1}, .zero_point = {&zero_point, 1}};
  const core::QuantizationSpec spec{
      .numerics = core::Numerics::kPyTorch, .quant_min = 0, .quant_max = 127};
  const auto result = client_->FakeQuantize(tensor_, affine, spec);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->output.values<float>(),
              ElementsAreArray(*core::reference::FakeQuantize(
                  shape_, std::span<const float>(values_), affine, spec)));
  EXPECT_EQ(result->numerics, core::Numerics::kPyTorch);
  EXPECT_THAT(result->nudged_range.min, IsEmpty());

  const auto gradients = client_->FakeQuantizeGradient(tensor_, tensor_, affine, spec);
  ASSERT_TRUE(gradients.ok()) << gradients.status();
  EXPECT_THAT(gradients->min_gradient, IsEmpty());
  EXPECT_THAT(gradients->input_gradients.values<float>()[3], 1.1F);
}

TEST_F(ClientTest, SomeNumericsHaveNoGradientsOfTheRange) {
  const core::QuantizationSpec spec{.numerics = core::Numerics::kTensorFlowXlaArgs};
  const auto result = client_->FakeQuantizeGradient(tensor_, tensor_, per_tensor_, spec);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->min_gradient, IsEmpty());
  EXPECT_THAT(result->nudged_range.min, SizeIs(1));
}

TEST_F(ClientTest, SendsTheRequestedPrecision) {
  // 1 / 0.3 lies between two numbers of float16, and its product with 1000.5 near a tie.
  const float scale = 0.3F;
  const core::AffineParameters affine{.scale = {&scale, 1}};
  std::vector<float> values;
  for (int i = 0; i < 200; ++i) {
    values.push_back((static_cast<float>(i) + 0.5F) * scale);
  }
  const std::vector<std::int64_t> shape = {200};
  const Elements half = FromFloats(values, core::ElementType::kFloat16);
  const auto codes = [&](std::optional<core::ElementType> precision) {
    const auto result = client_->Quantize(half.view(shape), affine, {.precision = precision},
                                          core::ElementType::kInt16);
    EXPECT_TRUE(result.ok()) << result.status();
    return ToCodes(result->output);
  };
  EXPECT_EQ(codes(core::ElementType::kFloat32), codes(std::nullopt));
  EXPECT_NE(codes(core::ElementType::kFloat16), codes(std::nullopt));
}

TEST_F(ClientTest, SendsTheRequestedRoundingAndSign) {
  const std::vector<float> values = {0.5F, 1.5F, -0.5F};
  const std::vector<std::int64_t> shape = {3};
  const float min = -128;
  const float max = 127;
  const core::Range range{.min = {&min, 1}, .max = {&max, 1}};
  const auto fake_quantized = [&](bool signed_input, std::optional<core::Rounding> rounding) {
    const auto result =
        client_->FakeQuantize({shape, values}, range,
                              {.num_bits = 8,
                               .numerics = core::Numerics::kTensorFlowQuantizeAndDequantize,
                               .signed_input = signed_input,
                               .rounding = rounding});
    EXPECT_TRUE(result.ok()) << result.status();
    return ToFloats(result->output);
  };
  EXPECT_THAT(fake_quantized(true, std::nullopt), ElementsAre(0, 2, 0));
  EXPECT_THAT(fake_quantized(true, core::Rounding::kHalfUp), ElementsAre(1, 2, 0));
  EXPECT_EQ(fake_quantized(false, std::nullopt).back(), 0);
  EXPECT_NE(fake_quantized(false, std::nullopt)[1], 2);
}

TEST_F(ClientTest, KeepsTheTypeOfFloats) {
  for (const core::ElementType type : {core::ElementType::kFloat16, core::ElementType::kBFloat16}) {
    SCOPED_TRACE(core::RowOf(type).name);
    const Elements input = FromFloats(values_, type);
    const auto result = client_->FakeQuantize(input.view(shape_), per_tensor_, spec_);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->output.type(), type);
    const std::vector<float> widened = ToFloats(input);
    const auto expected =
        core::reference::FakeQuantize(shape_, std::span<const float>(widened), per_tensor_, spec_);
    EXPECT_EQ(ToFloats(result->output), ToFloats(FromFloats(*expected, type)));
  }
}

TEST_F(ClientTest, RefusesAnOutputOfAnotherType) {
  Elements output(core::ElementType::kFloat16, values_.size());
  const absl::Status status =
      client_->FakeQuantizeInto(tensor_, per_tensor_, spec_, output.output()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("output is of type float16; expected float32, as the inputs"));
}

TEST_F(ClientTest, RefusesPackedCodesOfAnotherNumberThanTheShapeSays) {
  const Elements codes(core::ElementType::kInt4, 4);
  const absl::Status status = client_->Dequantize(codes.view(shape_), per_tensor_, {}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("2 bytes; expected 3"));
}

TEST_F(ClientTest, AcceptsEmptyTensorsAndScalars) {
  const std::vector<std::int64_t> empty_shape = {0, 3};
  const auto empty = client_->FakeQuantize({empty_shape, {}}, per_channel_, {});
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_THAT(empty->output.values<float>(), IsEmpty());

  const float value = 100;
  const auto scalar = client_->FakeQuantize({{}, {&value, 1}}, per_tensor_, {});
  ASSERT_TRUE(scalar.ok()) << scalar.status();
  EXPECT_THAT(scalar->output.values<float>(), ElementsAre(scalar->nudged_range.max[0]));
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

TEST_F(ClientTest, GetServerInfoSaysWhatNewerServersTake) {
  const auto info = client_->GetServerInfo();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->version, "1.2.3");
  EXPECT_EQ(info->simd_target, "AVX3");
  EXPECT_THAT(info->supported_simd_targets, ElementsAre("AVX3", "AVX2"));
  EXPECT_THAT(info->data_types, ElementsAre("DATA_TYPE_FLOAT32", "DATA_TYPE_99"));
  EXPECT_EQ(info->max_message_bytes, std::uint64_t{1} << 40U);
  EXPECT_EQ(info->max_in_flight_bytes, 7U);
  EXPECT_EQ(info->worker_threads, 2U);
  ASSERT_THAT(info->methods, SizeIs(1));
  const MethodSupport& quantize = info->methods.front();
  EXPECT_EQ(quantize.method, "Quantize");
  EXPECT_EQ(quantize.numerics, "LITERT_XNNPACK");
  EXPECT_THAT(quantize.parameters, ElementsAre("AFFINE_PER_CHANNEL", "99"));
  EXPECT_THAT(quantize.input_types, ElementsAre("FLOAT32"));
  EXPECT_THAT(quantize.output_types, ElementsAre("INT8", "UINT8"));
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
                                         core::Range{.min = {&bound, 1}, .max = {&bound, 1}}, {});
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
      {"numerics is NUMERICS_ONNX; expected NUMERICS_TENSORFLOW",
       [](auto* answer) { answer->set_numerics(v1::NUMERICS_ONNX); }},
      {"numerics is 99; expected NUMERICS_TENSORFLOW",
       [](auto* answer) { answer->set_numerics(static_cast<v1::Numerics>(99)); }},
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
            ->FakeQuantize({{}, {&bound, 1}}, core::Range{.min = {&bound, 1}, .max = {&bound, 1}},
                           {.numerics = core::Numerics::kTensorFlow});
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
                                   core::Range{.min = {&bound, 1}, .max = {&bound, 1}}, {});
    EXPECT_TRUE(absl::IsInternal(result.status())) << result.status();
    EXPECT_THAT(std::string(result.status().message()), HasSubstr(edit.message));
  }
}

TEST(Client, RejectsCodesThatDoNotFitTheRequest) {
  struct Edit {
    std::string message;
    std::function<void(v1::QuantizeResponse*)> apply;
  };
  const std::vector<Edit> edits = {
      {"output has 3 bytes; expected 1",
       [](auto* answer) { answer->mutable_output()->set_data("abc"); }},
      {"DATA_TYPE_INT8; expected DATA_TYPE_INT4",
       [](auto* answer) { answer->mutable_output()->set_data_type(v1::DATA_TYPE_INT8); }},
      {"parameters.scale has 0 values; expected 1",
       [](auto* answer) { answer->clear_parameters(); }},
      {"parameters.zero_point has 2 values; expected 1",
       [](auto* answer) { answer->mutable_parameters()->add_zero_point(1); }},
      {"nudged_range.min has 1 values; expected 0",
       [](auto* answer) { answer->mutable_nudged_range()->add_min(1); }},
      {"numerics is 999; expected one that this client knows",
       [](auto* answer) { answer->set_numerics(static_cast<v1::Numerics>(999)); }}};
  for (const Edit& edit : edits) {
    TestService service;
    service.edit_quantize_answer = [&edit](grpc::ServerContext*, v1::QuantizeResponse* answer) {
      edit.apply(answer);
      return grpc::Status::OK;
    };
    const TestServer server(&service);
    const float scale = 1;
    const auto result =
        ConnectTo(server.address())
            ->Quantize({{}, {&scale, 1}}, core::AffineParameters{.scale = {&scale, 1}}, {},
                       core::ElementType::kInt4);
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
