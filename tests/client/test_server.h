// A small quantd for the client's tests: it implements the public service with core,
// without the real server's transport, limits and threads.

#ifndef QUANTD_TESTS_CLIENT_TEST_SERVER_H_
#define QUANTD_TESTS_CLIENT_TEST_SERVER_H_

#include <grpcpp/server.h>
#include <grpcpp/support/sync_stream.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "quantd/v1/quantization_service.grpc.pb.h"

namespace quantd::client {

// Answers with core's numbers, unless a test sets another answer before the server
// starts.
class TestService final : public v1::QuantizationService::Service {
 public:
  using FakeQuantizeStream =
      grpc::ServerReaderWriter<v1::FakeQuantizeResponse, v1::FakeQuantizeRequest>;
  using FakeQuantizeGradientStream =
      grpc::ServerReaderWriter<v1::FakeQuantizeGradientResponse, v1::FakeQuantizeGradientRequest>;
  using QuantizeStream = grpc::ServerReaderWriter<v1::QuantizeResponse, v1::QuantizeRequest>;
  using DequantizeStream = grpc::ServerReaderWriter<v1::DequantizeResponse, v1::DequantizeRequest>;

  grpc::Status FakeQuantize(grpc::ServerContext* context, const v1::FakeQuantizeRequest* request,
                            v1::FakeQuantizeResponse* response) override;
  grpc::Status FakeQuantizeGradient(grpc::ServerContext* context,
                                    const v1::FakeQuantizeGradientRequest* request,
                                    v1::FakeQuantizeGradientResponse* response) override;
  grpc::Status Quantize(grpc::ServerContext* context, const v1::QuantizeRequest* request,
                        v1::QuantizeResponse* response) override;
  grpc::Status Dequantize(grpc::ServerContext* context, const v1::DequantizeRequest* request,
                          v1::DequantizeResponse* response) override;
  // Implements the schema: what a request leaves out is taken from the one before.
  grpc::Status StreamFakeQuantize(grpc::ServerContext* context,
                                  FakeQuantizeStream* stream) override;
  grpc::Status StreamFakeQuantizeGradient(grpc::ServerContext* context,
                                          FakeQuantizeGradientStream* stream) override;
  grpc::Status StreamQuantize(grpc::ServerContext* context, QuantizeStream* stream) override;
  grpc::Status StreamDequantize(grpc::ServerContext* context, DequantizeStream* stream) override;
  grpc::Status GetServerInfo(grpc::ServerContext* context, const v1::GetServerInfoRequest* request,
                             v1::GetServerInfoResponse* response) override;

  // Called with each answer of FakeQuantize, or of its stream, before it is sent.
  std::function<grpc::Status(grpc::ServerContext*, v1::FakeQuantizeResponse*)> edit_answer;
  // The same for FakeQuantizeGradient.
  std::function<grpc::Status(grpc::ServerContext*, v1::FakeQuantizeGradientResponse*)>
      edit_gradient_answer;
  // The same for Quantize and Dequantize.
  std::function<grpc::Status(grpc::ServerContext*, v1::QuantizeResponse*)> edit_quantize_answer;
  std::function<grpc::Status(grpc::ServerContext*, v1::DequantizeResponse*)> edit_dequantize_answer;
  // Called instead of answering a stream.
  std::function<grpc::Status(grpc::ServerContext*, FakeQuantizeStream*)> stream_instead;

  // Waits until the client has cancelled the call.
  static void AwaitCancellation(grpc::ServerContext* context);

  // What came over streams.
  std::atomic<int> streamed_requests = 0;
  // Messages that have parameters, of any kind.
  std::atomic<int> streamed_parameters = 0;
  std::atomic<int> streamed_specs = 0;
  std::atomic<std::size_t> largest_streamed_request = 0;
  std::atomic<std::size_t> streamed_elements = 0;

 private:
  template <typename Operation, typename Edit>
  grpc::Status AnswerStream(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<typename Operation::Response, typename Operation::Request>* stream,
      const Edit& edit);
  template <typename Operation>
  void Note(const typename Operation::Request& request);
};

// Serves until it is destroyed.
class TestServer {
 public:
  // Listens on an ephemeral port of this host, or on `address`.
  explicit TestServer(TestService* service, const std::string& address = "127.0.0.1:0");
  ~TestServer();
  // Cuts all connections and stops serving.
  void Stop();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  const std::string& address() const { return address_; }
  void SetServing(bool serving);

 private:
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace quantd::client

#endif  // QUANTD_TESTS_CLIENT_TEST_SERVER_H_
