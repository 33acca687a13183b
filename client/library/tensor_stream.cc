#include "client/library/tensor_stream.h"

#include <grpcpp/support/byte_buffer.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/library/call_parts.h"
#include "client/library/message_stream.h"
#include "client/library/parameters.h"
#include "client/library/tensor_parts.h"
#include "core/base/error.h"
#include "core/base/scattered_bytes.h"
#include "core/base/status_macros.h"
#include "core/numerics.h"
#include "core/parameter_layout.h"
#include "core/resolved_spec.h"
#include "wire/methods.h"

namespace quantd::client {
namespace {

// The elements of `tensor` that `part` has, with the shape of the part.
TensorView ViewOf(const TensorPart& part, const TensorView& tensor) {
  assert(tensor.bytes.in_one_piece());
  const core::ScatteredBytes::Piece whole(tensor.bytes.front(), tensor.bytes.size());
  return {tensor.type, part.shape(),
          core::ScatteredBytes(whole.subspan(core::ElementBytes(tensor.type, part.first_element),
                                             core::ElementBytes(tensor.type, part.element_count)))};
}

// Adds the values of a part to those of all channels, from `first_channel` on. There
// are none if the operation does not differentiate the range.
void Add(std::span<const double> values, std::size_t first_channel, std::vector<double>* sums) {
  assert(values.empty() || first_channel + values.size() <= sums->size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    (*sums)[first_channel + i] += values[i];
  }
}

// Appends the values that `all` does not have yet; the first of `values` is at `first`.
template <typename T>
void AppendAt(std::size_t first, const core::PerChannel<T>& values, core::PerChannel<T>* all) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (first + i >= all->size()) {
      all->push_back(values[i]);
    }
  }
}

// Returns the number in the metadata of an error.
std::optional<std::size_t> NumberIn(const core::ErrorDetail& detail, const std::string& key) {
  const auto entry = detail.metadata.find(key);
  std::size_t number = 0;
  return entry != detail.metadata.end() && absl::SimpleAtoi(entry->second, &number)
             ? std::optional(number)
             : std::nullopt;
}

// Returns the server's error about a part as one about the whole tensor: without the
// index of the message, and with the element's own index.
absl::Status AsOfWholeTensor(const absl::Status& status, const TensorCall& call, CallParts parts) {
  const core::ErrorDetail detail = core::GetErrorDetail(status).value_or(core::ErrorDetail());
  const std::optional<std::size_t> message = NumberIn(detail, "message_index");
  const std::optional<std::size_t> element = NumberIn(detail, "index");
  if (!detail.Is(core::ErrorReason::kInvalidValue) || !message.has_value() ||
      !element.has_value()) {
    return core::WithoutMessageIndex(status);
  }
  std::optional<TensorPart> part = parts.Next();
  for (std::size_t i = 0; i < *message && part.has_value(); ++i) {
    part = parts.Next();
  }
  return part.has_value() ? core::NanHasNoCode(NumericsOf(call), part->first_element + *element)
                          : core::WithoutMessageIndex(status);
}

}  // namespace

// Sends the parts in order. The answers arrive in the same order.
class TensorStream::Exchange final : public StreamExchange {
 public:
  Exchange(const TensorCall& call, const core::ParameterLayout& layout, std::size_t message_bytes)
      : call_(call),
        unanswered_(call, layout, message_bytes),
        parts_of_try_(unanswered_),
        parts_to_send_(unanswered_),
        parts_to_receive_(unanswered_) {}

  // Goes on with the parts that have no answer, for a server that knows nothing of the others.
  void StartTry() {
    parts_of_try_ = unanswered_;
    parts_of_try_.StartAnew();
    parts_to_send_ = parts_of_try_;
    parts_to_receive_ = parts_of_try_;
    last_sent_.reset();
    parts_sent_ = 0;
    parts_received_ = 0;
  }

  // The parts of the last StartTry().
  const CallParts& parts_of_try() const { return parts_of_try_; }

  // How many elements have arrived. Safe for any thread.
  std::size_t elements_done() const { return elements_done_.load(std::memory_order_relaxed); }

  // Once the stream has ended without an error.
  AnswerParameters TakeAnswer() { return *std::move(answer_); }

  absl::StatusOr<std::optional<grpc::ByteBuffer>> NextRequest() override {
    const std::optional<TensorPart> part = parts_to_send_.Next();
    if (!part.has_value()) {
      return std::nullopt;
    }
    absl::InlinedVector<TensorView, 2> inputs;
    for (const TensorView& input : call_.inputs) {
      inputs.push_back(ViewOf(*part, input));
    }
    ASSIGN_OR_RETURN(grpc::ByteBuffer request,
                     EncodeRequest(call_.operation, inputs, ParametersOf(*part)));
    last_sent_ = part;
    parts_sent_.fetch_add(1, std::memory_order_release);
    return request;
  }

  absl::Status TakeResponse(const grpc::ByteBuffer& response) override {
    const std::optional<TensorPart> part = parts_to_receive_.Next();
    // The output may be the input: what has not been read yet must not be written.
    if (!part.has_value() || parts_received_ == parts_sent_.load(std::memory_order_acquire)) {
      return absl::InternalError(
          "the server sent more answers than it had requests; check that client and server are of "
          "matching versions");
    }
    ++parts_received_;
    ASSIGN_OR_RETURN(
        AnswerParameters answer,
        DecodeResponse(
            call_.operation, wire::Transfer::kStream, response,
            {.parameter_count = part->parameter_count,
             .has_scales = std::holds_alternative<core::AffineParameters>(call_.parameters),
             .numerics = call_.spec.numerics},
            call_.output.Part(part->first_element, part->element_count)));
    // The first part of another try was answered before.
    if (!answer_.has_value() || part->element_count > 0) {
      Merge(*part, std::move(answer));
      static_cast<void>(unanswered_.Next());
      elements_done_.store(part->first_element + part->element_count, std::memory_order_relaxed);
    }
    return absl::OkStatus();
  }

  absl::Status CheckComplete() const override {
    return elements_done() == call_.element_count()
               ? absl::OkStatus()
               : absl::InternalError(absl::StrCat(
                     "the server ended the stream after ", elements_done(), " of ",
                     call_.element_count(),
                     " elements; check that client and server are of matching versions"));
  }

 private:
  // What the server does not know from the part before.
  RequestParameters ParametersOf(const TensorPart& part) const {
    if (!last_sent_.has_value()) {
      return FirstParameters(part);
    }
    RequestParameters parameters;
    if (!part.HasParametersOf(*last_sent_)) {
      parameters.parameters = ShareOf(part);
    }
    return parameters;
  }

  RequestParameters FirstParameters(const TensorPart& part) const {
    RequestParameters parameters = AllParameters(call_);
    if (part.block_size.has_value()) {
      parameters.parameters = ShareOf(part);
    } else {
      // All of them, whether their number is right or not.
      std::visit([&](auto& kind) { kind.axis = part.axis; }, *parameters.parameters);
    }
    return parameters;
  }

  QuantizeParameters ShareOf(const TensorPart& part) const {
    return WithDataRange(part.ParametersOf(WithoutDataRange(call_.parameters)));
  }

  // The first part has all parameters; those of blocks come part by part. The sums of
  // gradients add up.
  void Merge(const TensorPart& part, AnswerParameters answer) {
    if (!answer_.has_value()) {
      answer_ = std::move(answer);
      return;
    }
    Add(answer.min_gradient, part.first_parameter, &answer_->min_gradient);
    Add(answer.max_gradient, part.first_parameter, &answer_->max_gradient);
    AppendAt(part.first_parameter, answer.parameters.scale, &answer_->parameters.scale);
    AppendAt(part.first_parameter, answer.parameters.zero_point, &answer_->parameters.zero_point);
  }

  const TensorCall& call_;
  CallParts unanswered_;
  CallParts parts_of_try_;
  // One thread sends.
  CallParts parts_to_send_;
  std::optional<TensorPart> last_sent_;
  std::atomic<std::size_t> parts_sent_ = 0;
  // Another one receives.
  CallParts parts_to_receive_;
  std::size_t parts_received_ = 0;
  std::optional<AnswerParameters> answer_;
  std::atomic<std::size_t> elements_done_ = 0;
};

bool CanBeCut(const TensorCall& call) {
  return call.element_count() > 0 && !call.shape().empty() &&
         !std::holds_alternative<core::DataRange>(call.parameters);
}

TensorStream::TensorStream(const TensorCall& call, const TensorStreamOptions& options,
                           std::unique_ptr<Exchange> exchange)
    : call_(&call), timeout_(options.timeout), exchange_(std::move(exchange)) {}

TensorStream::~TensorStream() = default;
TensorStream::TensorStream(TensorStream&&) noexcept = default;
TensorStream& TensorStream::operator=(TensorStream&&) noexcept = default;

absl::StatusOr<TensorStream> TensorStream::Make(const TensorCall& call,
                                                const TensorStreamOptions& options) {
  assert(CanBeCut(call));
  if (BlockSizeOf(call.parameters).has_value()) {
    RETURN_IF_ERROR(CheckAsServer(call));
  }
  ASSIGN_OR_RETURN(const core::ParameterLayout layout, LayoutOf(call.shape(), call.parameters));
  return TensorStream(call, options,
                      std::make_unique<Exchange>(call, layout, options.message_bytes));
}

TryEnd TensorStream::Try(const std::string& authorization, const Progress& progress,
                         grpc::GenericStub* stub) {
  std::function<void()> on_response;
  if (progress != nullptr) {
    on_response = [&] { progress(elements_done(), call_->element_count()); };
  }
  const wire::Method& method =
      wire::kMethods[wire::MethodIndex(call_->operation, wire::Transfer::kStream)];
  exchange_->StartTry();
  TryEnd end = RunStream({.method = std::string(method.path),
                          .authorization = authorization,
                          .timeout = timeout_,
                          .last_answer = &last_answer_},
                         on_response, exchange_.get(), stub);
  if (!end.status.ok()) {
    end.status = AsOfWholeTensor(end.status, *call_, exchange_->parts_of_try());
  }
  return end;
}

std::size_t TensorStream::elements_done() const { return exchange_->elements_done(); }

std::chrono::steady_clock::time_point TensorStream::deadline() const {
  return last_answer_ + timeout_;
}

AnswerParameters TensorStream::TakeAnswer() { return exchange_->TakeAnswer(); }

}  // namespace quantd::client
