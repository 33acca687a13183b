// The tensor that the RPC benchmark sends, and the expected answers.

#ifndef QUANTD_BENCH_WORKLOAD_H_
#define QUANTD_BENCH_WORKLOAD_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/quantization.h"
#include "quantd/v1/quantization_service.pb.h"

namespace quantd::bench {

// How a server answers a request.
enum class Answer {
  // It sends the request's bytes back.
  kEcho,
  // It fake-quantizes the tensor.
  kFakeQuantized,
};

// A one-dimensional float32 tensor that is fake-quantized to 8 bits with one range, which
// clips some of its values, and the request for that. The request is made only once, both
// as raw bytes and as a message, and reused for every call.
class Workload {
 public:
  // `tensor_bytes` is a multiple of 4, above 0.
  //
  // Errors: kInternal if the tensor does not fit into a message.
  static absl::StatusOr<Workload> Create(std::size_t tensor_bytes);

  std::size_t tensor_bytes() const { return values_.size() * sizeof(float); }

  std::span<const float> values() const { return values_; }
  std::span<const std::int64_t> shape() const { return shape_; }
  core::Range range() const { return {.min = min_, .max = max_, .axis = {}}; }
  const core::QuantizationSpec& spec() const { return spec_; }

  // Returns the request as a grpc::ByteBuffer or a v1::FakeQuantizeRequest.
  template <typename Request>
  const Request& request() const {
    if constexpr (std::is_same_v<Request, grpc::ByteBuffer>) {
      return raw_request_;
    } else {
      return request_;
    }
  }

  // Checks that a response is what a server of the kind `answer` sends, to the last bit.
  //
  // Errors: kDataLoss, with what differs.
  absl::Status Check(const grpc::ByteBuffer& response, Answer answer) const;
  absl::Status Check(const v1::FakeQuantizeResponse& response, Answer answer) const;
  absl::Status Check(std::span<const float> output, Answer answer) const;

 private:
  Workload() = default;

  std::vector<float> values_;
  std::vector<std::int64_t> shape_;
  std::vector<float> min_;
  std::vector<float> max_;
  core::QuantizationSpec spec_;
  v1::FakeQuantizeRequest request_;
  grpc::ByteBuffer raw_request_;
  // The values that Answer::kFakeQuantized has to return.
  std::vector<float> expected_;
};

// Checks all answers of one case: the contents of the first, and only the sizes of the
// others, which costs nothing. Thread-safe.
class AnswerCheck {
 public:
  // `workload` must outlive the check.
  AnswerCheck(const Workload& workload, Answer answer) : workload_(workload), answer_(answer) {}

  AnswerCheck(const AnswerCheck&) = delete;
  AnswerCheck& operator=(const AnswerCheck&) = delete;

  // Errors: kDataLoss, with what differs.
  template <typename Response>
  absl::Status Check(const Response& response) {
    const std::lock_guard lock(mutex_);
    if (size_.has_value()) {
      return CheckSize(SizeOf(response));
    }
    size_ = SizeOf(response);
    return workload_.Check(response, answer_);
  }

 private:
  static std::size_t SizeOf(const grpc::ByteBuffer& response) { return response.Length(); }
  static std::size_t SizeOf(const v1::FakeQuantizeResponse& response) {
    return response.output().data().size();
  }
  static std::size_t SizeOf(std::span<const float> output) { return output.size_bytes(); }

  absl::Status CheckSize(std::size_t size) const;

  const Workload& workload_;
  const Answer answer_;
  std::mutex mutex_;
  // The size of the first answer.
  std::optional<std::size_t> size_;
};

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_WORKLOAD_H_
