// A client of quantd: fake quantization with TensorFlow's bits, computed by a
// server.
//
//   auto client = quantd::client::Client::Connect({.address = "localhost:50051"});
//   if (!client.ok()) return client.status();
//   auto result = (*client)->FakeQuantize({.shape = shape, .values = values},
//                                         {.min = {&min, 1}, .max = {&max, 1}}, {.num_bits = 8});

#ifndef QUANTD_CLIENT_LIBRARY_CLIENT_H_
#define QUANTD_CLIENT_LIBRARY_CLIENT_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/quantization.h"

namespace quantd::client {

struct ClientOptions {
  // Where the server listens: HOST:PORT, or unix:PATH on the same host.
  std::string address = "localhost:50051";
  // How long the server may keep a call waiting; above 0. A tensor that is sent
  // in one message is answered within this time, from the start of the call; one
  // that is sent in parts may take longer in all, but never so long from one
  // answer to the next.
  std::chrono::milliseconds timeout = std::chrono::seconds(60);
  // Tensors that have more bytes in all than this, together with their range,
  // are sent in parts over a stream: faster for large ones, with little memory
  // on both sides, and of any size. The results are the same. At most 1 GiB.
  std::size_t stream_from_bytes = std::size_t{1} << 20U;
  // About how many bytes of tensors a part has: at least one element, at most
  // 1 GiB.
  std::size_t stream_message_bytes = std::size_t{1} << 20U;
};

// A float32 tensor in C order (the last dimension varies fastest). Does not own
// the elements.
struct TensorView {
  // Each dimension at least 0; empty is a scalar.
  std::span<const std::int64_t> shape;
  // As many as the product of the shape.
  std::span<const float> values;
};

struct FakeQuantizeResult {
  // Of the shape of the input.
  std::vector<float> output;
  // The ranges that were really used: one, or one a channel.
  core::NudgedRange nudged_range;
};

struct FakeQuantizeGradientResult {
  // Of the shape of the inputs.
  std::vector<float> input_gradients;
  // With respect to the range: one value, or one a channel.
  std::vector<float> min_gradient;
  std::vector<float> max_gradient;
  core::NudgedRange nudged_range;
};

// The gradients with respect to the range: one value, or one a channel.
struct RangeGradients {
  std::vector<float> min;
  std::vector<float> max;
  core::NudgedRange nudged_range;
};

// Told, while a call runs, how many of a tensor's elements are done. Called by
// the thread that waits for the call. Must not throw: the call goes on meanwhile.
using Progress = std::function<void(std::size_t done, std::size_t all)>;

// What a server is and what it takes; see quantd.v1.GetServerInfoResponse.
struct ServerInfo {
  std::string version;
  // As Highway names it: "AVX3", "NEON", …
  std::string simd_target;
  std::vector<std::string> supported_simd_targets;
  // As the schema names them: "DATA_TYPE_FLOAT32", …
  std::vector<std::string> data_types;
  std::uint64_t max_message_bytes = 0;
  std::uint64_t max_in_flight_bytes = 0;
  std::uint32_t worker_threads = 0;
  // Empty: the server takes no shared memory.
  std::string shared_memory_socket;
};

// Whether a service takes calls, as grpc.health.v1 tells it.
enum class HealthStatus { kUnknown, kServing, kNotServing };

// The protocol's word for `status`: "UNKNOWN", "SERVING" or "NOT_SERVING".
std::string_view HealthStatusName(HealthStatus status);

// One connection to a server. Safe to use from several threads at once; every
// method blocks until the server answered or the timeout has passed. Large
// tensors are sent in parts, and put together again from the answers: see
// ClientOptions.
//
// A failed call returns the server's code and message, and the
// core::ErrorDetail that it sent (core::GetErrorDetail()). Where no server
// answers the code is kUnavailable, and kDeadlineExceeded after the timeout;
// both messages name the address. All calls are pure and may be repeated.
class Client {
  class Connection;
  // Keeps the constructor for Connect() alone.
  class Token {
    friend class Client;
    Token() = default;
  };

 public:
  Client(Token token, std::unique_ptr<Connection> connection);

  // Makes a client. Opens the connection with the first call, and again
  // whenever it broke.
  //
  // Errors: kInvalidArgument for an empty address, a timeout that is not above 0
  // or over a year, and messages over 1 GiB.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const ClientOptions& options);

  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Fake-quantizes `input`; see core::FakeQuantization::Apply().
  //
  // Errors: the server's; kInternal for an answer that does not fit the request;
  // kResourceExhausted where memory does not suffice for a message.
  absl::StatusOr<FakeQuantizeResult> FakeQuantize(const TensorView& input, const core::Range& range,
                                                  const core::QuantizationSpec& spec,
                                                  const Progress& progress = nullptr);

  // The same, written to `output`, which has as many elements as `input` and
  // either does not overlap it or is the same. Faster where memory is used again:
  // that of a new vector has to be cleared first. After an error, `output` has
  // any values.
  //
  // Errors: as above; kInvalidArgument where `output` has another size.
  absl::StatusOr<core::NudgedRange> FakeQuantizeInto(const TensorView& input,
                                                     const core::Range& range,
                                                     const core::QuantizationSpec& spec,
                                                     std::span<float> output,
                                                     const Progress& progress = nullptr);

  // The gradients of FakeQuantize() with respect to its input and its range,
  // given those with respect to its output; see
  // core::FakeQuantization::ApplyGradient(). Errors: as above.
  absl::StatusOr<FakeQuantizeGradientResult> FakeQuantizeGradient(
      const TensorView& gradients, const TensorView& inputs, const core::Range& range,
      const core::QuantizationSpec& spec, const Progress& progress = nullptr);

  // The same, with the gradients with respect to the input written to
  // `input_gradients`, which has as many elements as `inputs`. Otherwise as
  // FakeQuantizeInto().
  absl::StatusOr<RangeGradients> FakeQuantizeGradientInto(const TensorView& gradients,
                                                          const TensorView& inputs,
                                                          const core::Range& range,
                                                          const core::QuantizationSpec& spec,
                                                          std::span<float> input_gradients,
                                                          const Progress& progress = nullptr);

  absl::StatusOr<ServerInfo> GetServerInfo();

  // The health of `service`, such as "quantd.v1.QuantizationService", or of the
  // server as a whole where it is empty.
  //
  // Errors: kNotFound for a service that the server does not have.
  absl::StatusOr<HealthStatus> CheckHealth(const std::string& service);

 private:
  std::unique_ptr<Connection> connection_;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_CLIENT_H_
