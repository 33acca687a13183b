// A client of quantd: tensors quantized by a server, with the bits of the framework
// that the numerics names.
//
//   auto client = quantd::client::Client::Connect({.address = "localhost:50051"});
//   if (!client.ok()) return client.status();
//   auto result = (*client)->Quantize({shape, values},
//                                     quantd::core::AffineParameters{.scale = {&scale, 1}},
//                                     {.numerics = quantd::core::Numerics::kOnnx},
//                                     quantd::core::ElementType::kInt8);

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
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "client/library/connection_security.h"
#include "client/library/elements.h"
#include "client/library/tries.h"
#include "core/base/element_type.h"
#include "core/base/tensor_view.h"
#include "core/quantization.h"
#include "core/quantizer.h"

namespace quantd::client {

struct ClientOptions {
  // Where servers listen, as ParseServerAddresses() reads it: HOST:PORT, or unix:PATH on the same
  // host; several with commas in between. Calls go to each in turn, and to another one if one
  // fails.
  std::string address = "localhost:50051";
  // How the client and the servers know each other.
  ConnectionSecurity security = {};
  // How calls that fail are made again.
  RetryOptions retry = {};
  // The proxy that gRPC finds in the environment, for error messages; empty: none.
  std::string proxy = {};
  // How long the server may keep a call waiting, over all tries; above 0. A tensor that is sent
  // in one message is answered within this time, from the start of the call. A
  // tensor that is sent in parts may take longer in all, but each answer must
  // follow the last one within this time.
  std::chrono::milliseconds timeout = std::chrono::seconds(60);
  // Tensors of which a request or an answer has more bytes in all than this,
  // parameters included, are sent in parts over a stream. A stream is faster for
  // large tensors, takes little memory on both sides, and has no limit on the size of
  // a tensor. The results are the same. Scalars, and tensors whose parameters the
  // server computes from the data, are sent whole. At most 1 GiB.
  std::size_t stream_from_bytes = std::size_t{1} << 20U;
  // About how many bytes of tensors a part has, in its request or in its answer: at
  // least one element, at most 1 GiB. Parts are larger where smaller ones would begin
  // within a byte of packed codes, or where a numerics computes a single channel
  // differently than several (kKerasJax, kTensorFlowXla, kTensorFlowXlaUnfused).
  std::size_t stream_message_bytes = std::size_t{1} << 20U;
};

// A tensor in C order (the last dimension varies fastest): TensorView(shape, values)
// for float32, TensorView(type, shape, bytes) for any type. Has as many elements as
// the product of its shape, in one piece. Does not own them.
using TensorView = core::TensorView;

// Where the parameters of Quantize() come from.
using QuantizeParameters = std::variant<core::Range, core::AffineParameters, core::DataRange>;

// What a server used for the parameters of a fake quantization.
struct UsedRange {
  // The ranges: one, or one per channel. Without values if there were scales.
  core::NudgedRange nudged_range;
  core::Numerics numerics = {};
};

struct FakeQuantizeResult {
  // Of the shape and the type of the input.
  Elements output;
  // See UsedRange.
  core::NudgedRange nudged_range;
  core::Numerics numerics = {};
};

// The gradients with respect to the range: one value, or one per channel. Without
// values if the numerics has none, as with scales.
struct RangeGradients {
  std::vector<float> min;
  std::vector<float> max;
  // See UsedRange.
  core::NudgedRange nudged_range;
  core::Numerics numerics = {};
};

struct FakeQuantizeGradientResult {
  // Of the shape and the type of the inputs.
  Elements input_gradients;
  // See RangeGradients.
  std::vector<float> min_gradient;
  std::vector<float> max_gradient;
  // See UsedRange.
  core::NudgedRange nudged_range;
  core::Numerics numerics = {};
};

// What a server used for the parameters of a quantization.
struct UsedCodes {
  // The scale and zero point of the codes: one each, or one per channel or block.
  // Dequantize() takes them.
  core::UsedParameters parameters;
  // See UsedRange.
  core::NudgedRange nudged_range;
  core::Numerics numerics = {};
};

struct QuantizeResult {
  // Codes, of the shape of the input.
  Elements output;
  // See UsedCodes.
  core::UsedParameters parameters;
  core::NudgedRange nudged_range;
  core::Numerics numerics = {};
};

struct DequantizeResult {
  // Of the shape of the codes.
  Elements output;
  core::Numerics numerics = {};
};

// Receives how many of a tensor's elements are done, while a call runs. Called by
// the thread that waits for the call. Must not throw: the call continues
// meanwhile.
using Progress = std::function<void(std::size_t done, std::size_t all)>;

// What a method takes with one numerics, in the words of the schema.
struct MethodSupport {
  // Such as "Quantize"; its stream takes the same.
  std::string method;
  // Without a prefix, as in core::NumericsRow: "TENSORFLOW", …
  std::string numerics;
  // Ways to give parameters, without a prefix: "RANGE", "AFFINE_BLOCKS", …
  std::vector<std::string> parameters;
  // Without a prefix: "FLOAT32", …
  std::vector<std::string> input_types;
  std::vector<std::string> output_types;
};

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
  // Empty if the server takes no shared memory.
  std::string shared_memory_socket;
  std::vector<MethodSupport> methods;
};

// Whether a service takes calls, as grpc.health.v1 reports it.
enum class HealthStatus { kUnknown, kServing, kNotServing };

// Returns the protocol's word for `status`: "UNKNOWN", "SERVING" or
// "NOT_SERVING".
std::string_view HealthStatusName(HealthStatus status);

// Calls a server, or one of several. Safe to use from several threads at once. Every
// method blocks until a server answered or the timeout has passed. Large
// tensors are sent in parts and put together again from the answers: see
// ClientOptions.
//
// All calls are pure. What fails because a server cannot be reached, stops or has no room is made
// again, on another server if there is one; a tensor in parts goes on with those that have no
// answer yet.
//
// A failed call returns the server's code and message, and the core::ErrorDetail
// that it sent (core::GetErrorDetail()). The code is kUnavailable if no server
// answers, and kDeadlineExceeded after the timeout; both messages name the
// address. After several tries, the message says how many, and how they ended.
class Client {
 public:
  // Makes a client. Opens the connection with the first call, and again
  // whenever it broke.
  //
  // Errors: kInvalidArgument for an address that is none, a timeout that is not above 0
  // or over a year, and messages over 1 GiB; those of CheckSecurity().
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const ClientOptions& options);

  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Fake-quantizes `input`; see core::FakeQuantization::Apply().
  //
  // Errors: the server's; TENSOR_SIZE_MISMATCH if the input has more or fewer
  // elements than its shape says; kInternal for an answer that does not fit the
  // request; kResourceExhausted if memory does not suffice for a message.
  absl::StatusOr<FakeQuantizeResult> FakeQuantize(const TensorView& input,
                                                  const core::QuantizationParameters& parameters,
                                                  const core::QuantizationSpec& spec,
                                                  const Progress& progress = nullptr);

  // The same, written to `output`, which has the type and as many elements as `input`
  // and either does not overlap it or is the same. Faster if memory is used again: a
  // new vector has to be cleared first. After an error, `output` has any values.
  //
  // Errors: as above; TENSOR_SIZE_MISMATCH or UNSUPPORTED_DATA_TYPE if `output` has
  // another size or type.
  absl::StatusOr<UsedRange> FakeQuantizeInto(const TensorView& input,
                                             const core::QuantizationParameters& parameters,
                                             const core::QuantizationSpec& spec,
                                             const core::OutputView& output,
                                             const Progress& progress = nullptr);

  // The gradients of FakeQuantize() with respect to its input and its range,
  // given those with respect to its output; see
  // core::FakeQuantization::ApplyGradient().
  //
  // Errors: as above; SHAPE_MISMATCH if the tensors have different shapes.
  absl::StatusOr<FakeQuantizeGradientResult> FakeQuantizeGradient(
      const TensorView& gradients, const TensorView& inputs,
      const core::QuantizationParameters& parameters, const core::QuantizationSpec& spec,
      const Progress& progress = nullptr);

  // The same, with the gradients with respect to the input written to
  // `input_gradients`, which has the type and as many elements as `inputs`.
  // Otherwise as FakeQuantizeInto().
  absl::StatusOr<RangeGradients> FakeQuantizeGradientInto(
      const TensorView& gradients, const TensorView& inputs,
      const core::QuantizationParameters& parameters, const core::QuantizationSpec& spec,
      const core::OutputView& input_gradients, const Progress& progress = nullptr);

  // Rounds `input` to codes of `output_type`; see core::Quantizer. With a DataRange,
  // the tensor is sent in one message, since its parts have other ranges.
  //
  // Errors: as FakeQuantize().
  absl::StatusOr<QuantizeResult> Quantize(const TensorView& input,
                                          const QuantizeParameters& parameters,
                                          const core::QuantizationSpec& spec,
                                          core::ElementType output_type,
                                          const Progress& progress = nullptr);

  // The same, written to `output`, which has as many elements as `input`, and whose
  // type the codes will have. No memory overlaps.
  absl::StatusOr<UsedCodes> QuantizeInto(const TensorView& input,
                                         const QuantizeParameters& parameters,
                                         const core::QuantizationSpec& spec,
                                         const core::OutputView& output,
                                         const Progress& progress = nullptr);

  // Returns the values of `codes`, as `output_type`; see core::Dequantizer.
  //
  // Errors: as FakeQuantize().
  absl::StatusOr<DequantizeResult> Dequantize(
      const TensorView& codes, const core::QuantizationParameters& parameters,
      const core::QuantizationSpec& spec,
      core::ElementType output_type = core::ElementType::kFloat32,
      const Progress& progress = nullptr);

  // The same, written to `output`, which has as many elements as `codes`, and whose
  // type the values will have. No memory overlaps. Returns the numerics that was used.
  absl::StatusOr<core::Numerics> DequantizeInto(const TensorView& codes,
                                                const core::QuantizationParameters& parameters,
                                                const core::QuantizationSpec& spec,
                                                const core::OutputView& output,
                                                const Progress& progress = nullptr);

  absl::StatusOr<ServerInfo> GetServerInfo();

  // Returns the health of `service`, such as "quantd.v1.QuantizationService", or
  // of the server as a whole if `service` is empty.
  //
  // Errors: kNotFound for a service that the server does not have.
  absl::StatusOr<HealthStatus> CheckHealth(const std::string& service);

 private:
  class Impl;

  explicit Client(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

// The two passes through the fake quantization of one tensor, whose range
// varies. Neither is empty.
struct FakeQuantizationPasses {
  // Fake-quantizes the tensor.
  std::function<absl::StatusOr<FakeQuantizeResult>(const core::Range& range)> forward;
  // Returns the gradients with respect to the range, given those with respect to
  // the output, of which there are as many as the tensor has elements.
  std::function<absl::StatusOr<RangeGradients>(std::span<const float> gradients,
                                               const core::Range& range)>
      backward;
};

// Returns passes that `client` computes. They refer to it, and to the shape and
// the elements of `input`: all of them must outlive the passes.
FakeQuantizationPasses MakePasses(const TensorView& input, const core::QuantizationSpec& spec,
                                  Client* client);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_CLIENT_H_
