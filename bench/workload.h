// The tensor that the RPC benchmark sends, and the answer that it must get.

#ifndef QUANTD_BENCH_WORKLOAD_H_
#define QUANTD_BENCH_WORKLOAD_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/mutex.h"
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

// A float32 tensor of one dimension, to be fake-quantized to 8 bits with one
// range that clips some of it; and the request, which is built once, as raw bytes
// and as a message.
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

  // Compares a response, to the last bit, with that of a server that gives `answer`.
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
  // The elements of the response for Answer::kFakeQuantized.
  std::vector<float> expected_;
};

// Checks all answers of one case: the whole first one, and the sizes of the others,
// which costs next to nothing. Safe for several threads.
class AnswerCheck {
 public:
  // `workload` must outlive the check.
  AnswerCheck(const Workload& workload, Answer answer) : workload_(workload), answer_(answer) {}

  AnswerCheck(const AnswerCheck&) = delete;
  AnswerCheck& operator=(const AnswerCheck&) = delete;

  // Errors: kDataLoss, with what differs.
  template <typename Response>
  absl::Status Check(const Response& response) ABSL_LOCKS_EXCLUDED(mutex_) {
    const core::MutexLock lock(&mutex_);
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

  absl::Status CheckSize(std::size_t size) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Workload& workload_;
  const Answer answer_;
  core::Mutex mutex_;
  // The size of the first answer.
  std::optional<std::size_t> size_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_WORKLOAD_H_
