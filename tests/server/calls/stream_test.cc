// Tests streams, which have many requests in one call.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/calls/stream_call.h"
#include "tests/server/ask.h"
#include "tests/server/busy_pool.h"
#include "tests/server/call_error.h"
#include "tests/server/running_service.h"
#include "tests/wait_until.h"
#include "tests/wire/requests.h"

namespace quantd::server {
namespace {

using std::chrono::steady_clock;
using testing::HasSubstr;

using Stream = grpc::ClientReaderWriter<v1::FakeQuantizeRequest, v1::FakeQuantizeResponse>;

// Requests of this size are not answered on gRPC's own threads.
constexpr std::size_t kLargeTensor = 400'000;

std::string CountLine(const std::string& name, const std::string& labels, int value) {
  return name + "{" + labels +
         "grpc_method=\"StreamFakeQuantize\",grpc_service=\"quantd.v1.QuantizationService\","
         "grpc_type=\"bidi_stream\"} " +
         std::to_string(value) + "\n";
}

class Streams : public testing::Test {
 protected:
  std::unique_ptr<Stream> Open(grpc::ClientContext& context) const {
    return running_.stub->StreamFakeQuantize(&context);
  }

  // Returns the answer of the unary call.
  std::string Expected(const v1::FakeQuantizeRequest& request) {
    const OperationContext context{.pool = &running_.pool, .metrics = &running_.metrics};
    return Ask(request, context)->SerializeAsString();
  }

  // Waits until no call is running. Returns false if that does not happen.
  bool BecomesIdle() {
    return running_.admission.WaitUntilIdle(steady_clock::now() + std::chrono::seconds(10));
  }

  RunningService running_;
};

TEST(MessageQueue, KeepsTheOrderAndCountsEmptyMessages) {
  MessageQueue queue;
  grpc::ByteBuffer empty;
  queue.Push(empty);
  const std::size_t bytes_of_empty = queue.bytes();
  EXPECT_GT(bytes_of_empty, 0U);
  const grpc::Slice slice("abc");
  grpc::ByteBuffer message(&slice, 1);
  queue.Push(message);
  EXPECT_EQ(queue.bytes(), 2 * bytes_of_empty + 3);
  grpc::ByteBuffer popped;
  queue.Pop(popped);
  EXPECT_EQ(popped.Length(), 0U);
  queue.Pop(popped);
  EXPECT_EQ(popped.Length(), 3U);
  EXPECT_EQ(queue.bytes(), 0U);
  EXPECT_TRUE(queue.empty());
}

TEST_F(Streams, AnswerEveryRequestInOrder) {
  grpc::ClientContext context;
  const auto stream = Open(context);
  std::vector<v1::FakeQuantizeRequest> requests;
  for (std::size_t i = 0; i < 50; ++i) {
    // Some requests are answered on gRPC's threads, others on the pool.
    requests.push_back(PerTensorRequest(i % 7 == 3 ? kLargeTensor : 10 + i));
  }
  std::thread writer([&] {
    for (const v1::FakeQuantizeRequest& request : requests) {
      stream->Write(request);
    }
    stream->WritesDone();
  });
  for (const v1::FakeQuantizeRequest& request : requests) {
    v1::FakeQuantizeResponse response;
    ASSERT_TRUE(stream->Read(&response));
    ASSERT_EQ(response.SerializeAsString(), Expected(request));
  }
  v1::FakeQuantizeResponse none;
  EXPECT_FALSE(stream->Read(&none));
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(Streams, AnswerWhileRequestsAreStillArriving) {
  grpc::ClientContext context;
  const auto stream = Open(context);
  for (int i = 0; i < 20; ++i) {
    v1::FakeQuantizeResponse response;
    ASSERT_TRUE(stream->Write(PerTensorRequest(i % 2 == 0 ? 5 : kLargeTensor)));
    ASSERT_TRUE(stream->Read(&response));
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(Streams, WithoutRequestsHaveNoAnswers) {
  grpc::ClientContext context;
  const auto stream = Open(context);
  stream->WritesDone();
  v1::FakeQuantizeResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(Streams, ReuseRangeAndSpecOfTheRequestBefore) {
  v1::FakeQuantizeRequest first = PerChannelRequest();
  first.mutable_spec()->set_num_bits(4);
  v1::FakeQuantizeRequest second = first;
  second.clear_range();
  second.clear_spec();
  v1::FakeQuantizeRequest third = PerTensorRequest(9);
  grpc::ClientContext context;
  const auto stream = Open(context);
  std::vector<v1::FakeQuantizeResponse> responses(4);
  const v1::FakeQuantizeRequest requests[] = {first, second, third, third};
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(stream->Write(requests[i]));
    ASSERT_TRUE(stream->Read(&responses[static_cast<std::size_t>(i)]));
  }
  stream->WritesDone();
  ASSERT_TRUE(stream->Finish().ok());
  EXPECT_EQ(responses[0].SerializeAsString(), Expected(first));
  EXPECT_EQ(responses[1].SerializeAsString(), Expected(first));
  // The third request has its own range, and the spec of the first one.
  v1::FakeQuantizeRequest whole = third;
  *whole.mutable_spec() = first.spec();
  EXPECT_EQ(responses[2].SerializeAsString(), Expected(whole));
  EXPECT_EQ(responses[3].SerializeAsString(), Expected(whole));
}

TEST_F(Streams, EndAtABadRequestAfterAnsweringThoseBefore) {
  grpc::ClientContext context;
  const auto stream = Open(context);
  v1::FakeQuantizeRequest bad = PerTensorRequest(kLargeTensor);
  bad.mutable_range()->set_max(0, -5);
  ASSERT_TRUE(stream->Write(PerTensorRequest(kLargeTensor)));
  ASSERT_TRUE(stream->Write(PerTensorRequest(3)));
  ASSERT_TRUE(stream->Write(bad));
  // The server may already have ended the stream.
  stream->Write(PerTensorRequest(3));
  stream->WritesDone();
  v1::FakeQuantizeResponse response;
  EXPECT_TRUE(stream->Read(&response));
  EXPECT_TRUE(stream->Read(&response));
  EXPECT_FALSE(stream->Read(&response));
  const CallError error = ErrorOf(stream->Finish());
  EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(error.reason, "INVALID_RANGE");
  EXPECT_THAT(error.fields, testing::ElementsAre("range.min[0]"));
  EXPECT_EQ(error.metadata.at("message_index"), "2");
}

TEST_F(Streams, RequireParametersInTheFirstRequest) {
  grpc::ClientContext context;
  const auto stream = Open(context);
  v1::FakeQuantizeRequest request = PerTensorRequest(3);
  request.clear_range();
  stream->Write(request);
  stream->WritesDone();
  v1::FakeQuantizeResponse response;
  EXPECT_FALSE(stream->Read(&response));
  const grpc::Status status = stream->Finish();
  const CallError error = ErrorOf(status);
  EXPECT_EQ(error.reason, "PARAMETERS_MISMATCH");
  EXPECT_EQ(error.metadata.at("message_index"), "0");
  EXPECT_THAT(status.error_message(), HasSubstr("message 0: none of range, affine is set"));
}

TEST_F(Streams, OfCodesGiveTheValuesOfEveryMessage) {
  // A tensor in parts, one of which has an odd number of packed codes.
  const std::size_t counts[] = {8, 3, kLargeTensor};
  grpc::ClientContext quantize_context;
  grpc::ClientContext dequantize_context;
  const auto quantize = running_.stub->StreamQuantize(&quantize_context);
  const auto dequantize = running_.stub->StreamDequantize(&dequantize_context);
  for (const std::size_t count : counts) {
    v1::QuantizeRequest request;
    const v1::FakeQuantizeRequest forward = PerTensorRequest(count);
    *request.mutable_input() = forward.input();
    v1::QuantizeResponse codes;
    v1::DequantizeRequest back;
    if (count == counts[0]) {
      *request.mutable_range() = forward.range();
      request.set_output_type(v1::DATA_TYPE_UINT4);
      *back.mutable_range() = forward.range();
    }
    ASSERT_TRUE(quantize->Write(request) && quantize->Read(&codes));
    EXPECT_EQ(codes.output().data().size(), (count + 1) / 2);
    *back.mutable_input() = codes.output();
    v1::DequantizeResponse values;
    ASSERT_TRUE(dequantize->Write(back) && dequantize->Read(&values));

    v1::FakeQuantizeRequest expected = forward;
    expected.mutable_spec()->set_num_bits(4);
    const OperationContext context{.pool = &running_.pool, .metrics = &running_.metrics};
    EXPECT_EQ(values.output().SerializeAsString(),
              Ask(expected, context)->output().SerializeAsString());
  }
  quantize->WritesDone();
  dequantize->WritesDone();
  EXPECT_TRUE(quantize->Finish().ok());
  EXPECT_TRUE(dequantize->Finish().ok());
}

TEST_F(Streams, SendTheSumsOfGradientsUnrounded) {
  const v1::FakeQuantizeGradientRequest request = PerChannelGradientRequest();
  grpc::ClientContext context;
  const auto stream = running_.stub->StreamFakeQuantizeGradient(&context);
  ASSERT_TRUE(stream->Write(request));
  stream->WritesDone();
  v1::FakeQuantizeGradientResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_TRUE(stream->Finish().ok());
  const OperationContext handler{.pool = &running_.pool, .metrics = &running_.metrics};
  EXPECT_EQ(response.SerializeAsString(),
            Ask(request, handler, wire::Transfer::kStream)->SerializeAsString());
  EXPECT_EQ(response.min_gradient_sum_size(), 3);
}

TEST_F(Streams, OfGradientsReuseRangeAndSpecOfTheRequestBefore) {
  const v1::FakeQuantizeGradientRequest first = PerChannelGradientRequest();
  v1::FakeQuantizeGradientRequest second = first;
  second.clear_range();
  second.clear_spec();
  grpc::ClientContext context;
  const auto stream = running_.stub->StreamFakeQuantizeGradient(&context);
  v1::FakeQuantizeGradientResponse responses[2];
  ASSERT_TRUE(stream->Write(first));
  ASSERT_TRUE(stream->Read(&responses[0]));
  ASSERT_TRUE(stream->Write(second));
  ASSERT_TRUE(stream->Read(&responses[1]));
  stream->WritesDone();
  ASSERT_TRUE(stream->Finish().ok());
  EXPECT_EQ(responses[1].SerializeAsString(), responses[0].SerializeAsString());
}

TEST_F(Streams, StopReadingWhileTheirAnswersAreNotRead) {
  constexpr std::size_t kElements = std::size_t{64} * 1024;
  constexpr int kRequests = 400;  // 100 MiB
  constexpr int kBound = 100;
  grpc::ClientContext context;
  const auto stream = Open(context);
  const auto received = [&](int count) {
    const std::string text = running_.metrics.Text();
    const std::string name = "grpc_server_msg_received_total{grpc_method=\"StreamFakeQuantize\"";
    const std::size_t at = text.find(name);
    return std::stoi(text.substr(text.find("} ", at) + 2)) >= count;
  };
  std::thread writer([&] {
    for (int i = 0; i < kRequests; ++i) {
      stream->Write(PerTensorRequest(kElements));
    }
    stream->WritesDone();
  });
  ASSERT_TRUE(WaitUntil([&] { return received(1); }));
  // If nothing stopped the server, it would have read more by now.
  EXPECT_FALSE(WaitUntil([&] { return received(kBound); }, std::chrono::seconds(1)));
  for (int i = 0; i < kRequests; ++i) {
    v1::FakeQuantizeResponse response;
    ASSERT_TRUE(stream->Read(&response)) << i;
  }
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(Streams, RejectAMessageBeyondTheLimits) {
  grpc::ClientContext context;
  const auto stream = Open(context);
  ASSERT_TRUE(stream->Write(PerTensorRequest(3)));
  stream->Write(PerTensorRequest(RunningService::kMaxMessageBytes / sizeof(float)));
  stream->WritesDone();
  v1::FakeQuantizeResponse response;
  EXPECT_TRUE(stream->Read(&response));
  EXPECT_FALSE(stream->Read(&response));
  const CallError error = ErrorOf(stream->Finish());
  EXPECT_EQ(error.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(error.reason, "MESSAGE_TOO_LARGE");
  EXPECT_EQ(error.metadata.at("message_index"), "1");
}

TEST_F(Streams, WaitForRoom) {
  auto others = running_.OccupyAllBut(10);
  grpc::ClientContext context;
  const auto stream = Open(context);
  const v1::FakeQuantizeRequest request = PerTensorRequest(3);
  stream->Write(request);
  stream->WritesDone();
  ASSERT_TRUE(WaitUntil([&] { return running_.admission.load().waiting == 1; }));
  others.clear();
  v1::FakeQuantizeResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.SerializeAsString(), Expected(request));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(Streams, ThatWaitForRoomCanBeCancelled) {
  const auto others = running_.OccupyAllBut(10);
  grpc::ClientContext context;
  const auto stream = Open(context);
  stream->Write(PerTensorRequest(3));
  ASSERT_TRUE(WaitUntil([&] { return running_.admission.load().waiting == 1; }));
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(BecomesIdle());
}

TEST_F(Streams, CountAReusedRangeLikeTheRequestThatHadIt) {
  constexpr int kChannels = 20'000;
  v1::FakeQuantizeRequest first;
  first.mutable_input()->set_data_type(v1::DATA_TYPE_FLOAT32);
  first.mutable_input()->add_shape(0);
  first.mutable_input()->add_shape(kChannels);
  first.mutable_input()->set_data("");
  const std::vector<float> min(kChannels, -1);
  const std::vector<float> max(kChannels, 1);
  first.mutable_range()->mutable_min()->Assign(min.begin(), min.end());
  first.mutable_range()->mutable_max()->Assign(max.begin(), max.end());
  first.mutable_range()->set_axis(1);
  v1::FakeQuantizeRequest second = first;
  second.clear_range();
  grpc::ClientContext context;
  const auto stream = Open(context);
  v1::FakeQuantizeResponse response;
  ASSERT_TRUE(stream->Write(first));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.nudged_range().min_size(), kChannels);
  ASSERT_TRUE(stream->Write(second));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.nudged_range().min_size(), kChannels);

  EXPECT_GE(running_.admission.load().bytes, first.range().ByteSizeLong());

  // There is room for the request's own bytes, but not for the range.
  auto others = running_.OccupyAllBut(second.ByteSizeLong());
  stream->Write(second);
  stream->WritesDone();
  ASSERT_TRUE(WaitUntil([&] { return running_.admission.load().waiting == 1; }));
  others.clear();
  EXPECT_TRUE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(Streams, ContinueDuringADrainWhileNewOnesAreRejected) {
  grpc::ClientContext context;
  const auto stream = Open(context);
  v1::FakeQuantizeResponse response;
  ASSERT_TRUE(stream->Write(PerTensorRequest(3)));
  ASSERT_TRUE(stream->Read(&response));
  running_.admission.StartDraining();
  ASSERT_TRUE(stream->Write(PerTensorRequest(kLargeTensor)));
  EXPECT_TRUE(stream->Read(&response));

  grpc::ClientContext late_context;
  const auto late = Open(late_context);
  late->Write(PerTensorRequest(3));
  EXPECT_FALSE(late->Read(&response));
  EXPECT_EQ(ErrorOf(late->Finish()).reason, "SHUTTING_DOWN");

  EXPECT_FALSE(running_.admission.WaitUntilIdle(steady_clock::now()));
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(BecomesIdle());
}

TEST_F(Streams, AreEndedDuringADrainOnceTheyAreQuiet) {
  grpc::ClientContext context;
  const auto stream = Open(context);
  v1::FakeQuantizeResponse response;
  ASSERT_TRUE(stream->Write(PerTensorRequest(3)));
  ASSERT_TRUE(stream->Read(&response));

  // The stream has not been quiet for long enough.
  running_.open_streams.EndQuietSince(steady_clock::now() - std::chrono::hours(1));
  ASSERT_TRUE(stream->Write(PerTensorRequest(3)));
  ASSERT_TRUE(stream->Read(&response));

  EXPECT_TRUE(WaitUntil([&] {
    running_.open_streams.EndQuietSince(steady_clock::now());
    return running_.admission.WaitUntilIdle(steady_clock::now());
  }));
  EXPECT_FALSE(stream->Read(&response));
  const CallError error = ErrorOf(stream->Finish());
  EXPECT_EQ(error.code, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(error.reason, "SHUTTING_DOWN");
}

TEST_F(Streams, AreNotQuietWhileARequestIsProcessed) {
  BusyPool busy(running_.pool);
  grpc::ClientContext context;
  const auto stream = Open(context);
  ASSERT_TRUE(stream->Write(PerTensorRequest(kLargeTensor)));
  EXPECT_TRUE(WaitUntil([&] { return running_.admission.load().bytes > 0; }));
  running_.open_streams.EndQuietSince(steady_clock::now());
  busy.Release();
  v1::FakeQuantizeResponse response;
  EXPECT_TRUE(stream->Read(&response));
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(Streams, ThatAreCancelledLeaveNothingBehind) {
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    const auto stream = Open(context);
    stream->Write(PerTensorRequest(kLargeTensor));
    stream->Write(PerTensorRequest(kLargeTensor));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_TRUE(BecomesIdle());
  const std::string text = running_.metrics.Text();
  EXPECT_THAT(text, HasSubstr("quantd_in_flight_requests 0\n"));
  EXPECT_THAT(text, HasSubstr("quantd_in_flight_bytes 0\n"));
}

TEST_F(Streams, CanBeCancelledWhileTheirAnswersAreNotRead) {
  grpc::ClientContext context;
  const auto stream = Open(context);
  // Writes until flow control blocks it, and continues afterwards.
  std::thread writer([&] {
    while (stream->Write(PerTensorRequest(kLargeTensor))) {
    }
  });
  ASSERT_TRUE(WaitUntil([&] {
    return running_.metrics.Text().find("quantd_elements_total{operation=\"fake_quantize\"} 0\n") ==
           std::string::npos;
  }));
  EXPECT_THAT(running_.metrics.Text(), HasSubstr("quantd_in_flight_requests 1\n"));
  context.TryCancel();
  writer.join();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(BecomesIdle());
  const std::string text = running_.metrics.Text();
  EXPECT_THAT(text, HasSubstr("quantd_in_flight_bytes 0\n"));
  EXPECT_THAT(text,
              HasSubstr(CountLine("grpc_server_handled_total", "grpc_code=\"Canceled\",", 1)));
}

TEST_F(Streams, AreCountedAsOneCallOfManyMessages) {
  grpc::ClientContext context;
  const auto stream = Open(context);
  for (int i = 0; i < 3; ++i) {
    v1::FakeQuantizeResponse response;
    ASSERT_TRUE(stream->Write(PerTensorRequest(10)));
    ASSERT_TRUE(stream->Read(&response));
  }
  EXPECT_THAT(running_.metrics.Text(), HasSubstr("quantd_in_flight_requests 1\n"));
  stream->WritesDone();
  ASSERT_TRUE(stream->Finish().ok());
  const std::string text = running_.metrics.Text();
  EXPECT_THAT(text, HasSubstr(CountLine("grpc_server_started_total", "", 1)));
  EXPECT_THAT(text, HasSubstr(CountLine("grpc_server_handled_total", "grpc_code=\"OK\",", 1)));
  EXPECT_THAT(text, HasSubstr(CountLine("grpc_server_handling_seconds_count", "", 1)));
  EXPECT_THAT(text, HasSubstr(CountLine("grpc_server_msg_received_total", "", 3)));
  EXPECT_THAT(text, HasSubstr(CountLine("grpc_server_msg_sent_total", "", 3)));
  EXPECT_THAT(text, HasSubstr("quantd_elements_total{operation=\"fake_quantize\"} 30\n"));
  EXPECT_THAT(text, HasSubstr("quantd_in_flight_requests 0\n"));
  EXPECT_TRUE(WaitUntil([&] { return running_.admission.load().bytes == 0; }));
}

TEST_F(Streams, CanRunConcurrently) {
  constexpr int kStreams = 16;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kStreams; ++thread) {
    threads.emplace_back([&, thread] {
      const v1::FakeQuantizeRequest request =
          PerTensorRequest(thread % 4 == 0 ? 20'000 : 100 + static_cast<std::size_t>(thread));
      const std::string expected = Expected(request);
      grpc::ClientContext context;
      const auto stream = Open(context);
      for (int i = 0; i < 50; ++i) {
        v1::FakeQuantizeResponse response;
        wrong += static_cast<int>(!stream->Write(request) || !stream->Read(&response) ||
                                  response.SerializeAsString() != expected);
      }
      stream->WritesDone();
      wrong += static_cast<int>(!stream->Finish().ok());
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace quantd::server
