#include "client/library/tensor_stream.h"

#include <grpcpp/support/byte_buffer.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/library/arguments.h"
#include "client/library/message_stream.h"
#include "client/library/messages.h"
#include "client/library/tensor_parts.h"
#include "core/tensor_shape.h"

namespace quantd::client {
namespace {

// What a call does with the parts of its tensors.
class PartCodec {
 public:
  PartCodec() = default;
  virtual ~PartCodec() = default;
  PartCodec(const PartCodec&) = delete;
  PartCodec& operator=(const PartCodec&) = delete;

  virtual absl::StatusOr<grpc::ByteBuffer> Encode(const TensorPart& part,
                                                  const RequestParameters& parameters) = 0;
  virtual absl::Status Decode(const TensorPart& part, const grpc::ByteBuffer& response) = 0;
};

// Sends the parts in order; the answers stand for them in the same order.
class TensorStream final : public StreamedCall {
 public:
  TensorStream(PartCodec& codec, const TensorParts& parts, std::size_t element_count,
               const core::Range& range, const core::QuantizationSpec& spec)
      : codec_(codec),
        element_count_(element_count),
        range_(range),
        spec_(spec),
        parts_to_send_(parts),
        parts_to_receive_(parts) {}

  // How many elements have come back. Any thread may ask.
  std::size_t elements_done() const { return elements_done_.load(std::memory_order_relaxed); }

  absl::StatusOr<std::optional<grpc::ByteBuffer>> NextRequest() override {
    const std::optional<TensorPart> part = parts_to_send_.Next();
    if (!part.has_value()) {
      return std::nullopt;
    }
    absl::StatusOr<grpc::ByteBuffer> request = codec_.Encode(*part, ParametersOf(*part));
    last_sent_ = part;
    elements_sent_.store(part->first_element + part->element_count, std::memory_order_release);
    return request;
  }

  absl::Status TakeResponse(const grpc::ByteBuffer& response) override {
    const std::optional<TensorPart> part = parts_to_receive_.Next();
    // The output may be the input: what was not read yet must not be written.
    if (!part.has_value() ||
        part->first_element >= elements_sent_.load(std::memory_order_acquire)) {
      return absl::InternalError(
          "the server sent more answers than it had requests; check that client and server are of "
          "matching versions");
    }
    absl::Status status = codec_.Decode(*part, response);
    if (status.ok()) {
      elements_done_.store(part->first_element + part->element_count, std::memory_order_relaxed);
    }
    return status;
  }

  absl::Status CheckComplete() const override {
    return elements_done() == element_count_
               ? absl::OkStatus()
               : absl::InternalError(absl::StrCat(
                     "the server ended the stream after ", elements_done(), " of ", element_count_,
                     " elements; check that client and server are of matching versions"));
  }

 private:
  // What the server does not know from the part before.
  RequestParameters ParametersOf(const TensorPart& part) const {
    RequestParameters parameters;
    if (!last_sent_.has_value()) {
      parameters.spec = spec_;
    }
    if (!last_sent_.has_value() || !part.HasRangeOf(*last_sent_)) {
      parameters.range = part.RangeOf(range_);
    }
    return parameters;
  }

  PartCodec& codec_;
  const std::size_t element_count_;
  const core::Range range_;
  const core::QuantizationSpec spec_;
  TensorParts parts_to_send_;
  std::optional<TensorPart> last_sent_;
  std::atomic<std::size_t> elements_sent_ = 0;
  TensorParts parts_to_receive_;
  std::atomic<std::size_t> elements_done_ = 0;
};

core::NudgedRange NudgedRangeOf(std::size_t channel_count) {
  return {.min = std::vector<float>(channel_count),
          .max = std::vector<float>(channel_count),
          .scale = std::vector<float>(channel_count),
          .zero_point = std::vector<std::int32_t>(channel_count)};
}

// Puts the ranges of a part's channels in their place among all.
void Put(const core::NudgedRange& part, std::size_t first_channel, core::NudgedRange* whole) {
  const auto offset = static_cast<std::ptrdiff_t>(first_channel);
  std::ranges::copy(part.min, whole->min.begin() + offset);
  std::ranges::copy(part.max, whole->max.begin() + offset);
  std::ranges::copy(part.scale, whole->scale.begin() + offset);
  std::ranges::copy(part.zero_point, whole->zero_point.begin() + offset);
}

void AddTo(std::span<double> sums, std::span<const double> values) {
  std::ranges::transform(sums, values, sums.begin(), std::plus<>());
}

std::vector<float> Rounded(std::span<const double> sums) {
  std::vector<float> rounded(sums.size());
  std::ranges::transform(sums, rounded.begin(), [](double sum) { return static_cast<float>(sum); });
  return rounded;
}

// The values of `tensor` that `part` has; its shape is the part's.
TensorView ViewOf(const TensorPart& part, const TensorView& tensor) {
  return {.shape = part.shape(),
          .values = tensor.values.subspan(part.first_element, part.element_count)};
}

class FakeQuantizeCodec final : public PartCodec {
 public:
  FakeQuantizeCodec(const TensorView& input, std::span<float> output, std::size_t channel_count)
      : input_(input), output_(output), nudged_range_(NudgedRangeOf(channel_count)) {}

  absl::StatusOr<grpc::ByteBuffer> Encode(const TensorPart& part,
                                          const RequestParameters& parameters) override {
    return EncodeFakeQuantizeRequest(ViewOf(part, input_), parameters);
  }

  absl::Status Decode(const TensorPart& part, const grpc::ByteBuffer& response) override {
    const absl::StatusOr<core::NudgedRange> nudged_range = DecodeFakeQuantizeResponse(
        response, part.channel_count, output_.subspan(part.first_element, part.element_count));
    if (!nudged_range.ok()) {
      return nudged_range.status();
    }
    Put(*nudged_range, part.first_channel, &nudged_range_);
    return absl::OkStatus();
  }

  core::NudgedRange TakeResult() { return std::move(nudged_range_); }

 private:
  const TensorView input_;
  const std::span<float> output_;
  core::NudgedRange nudged_range_;
};

class FakeQuantizeGradientCodec final : public PartCodec {
 public:
  FakeQuantizeGradientCodec(const TensorView& gradients, const TensorView& inputs,
                            std::span<float> input_gradients, std::size_t channel_count)
      : gradients_(gradients),
        inputs_(inputs),
        input_gradients_(input_gradients),
        min_(channel_count),
        max_(channel_count),
        nudged_range_(NudgedRangeOf(channel_count)) {}

  absl::StatusOr<grpc::ByteBuffer> Encode(const TensorPart& part,
                                          const RequestParameters& parameters) override {
    return EncodeFakeQuantizeGradientRequest(ViewOf(part, gradients_), ViewOf(part, inputs_),
                                             parameters);
  }

  absl::Status Decode(const TensorPart& part, const grpc::ByteBuffer& response) override {
    const absl::StatusOr<RangeGradientSums> sums = DecodeStreamedGradientResponse(
        response, part.channel_count,
        input_gradients_.subspan(part.first_element, part.element_count));
    if (!sums.ok()) {
      return sums.status();
    }
    AddTo(std::span(min_).subspan(part.first_channel, part.channel_count), sums->min);
    AddTo(std::span(max_).subspan(part.first_channel, part.channel_count), sums->max);
    Put(sums->nudged_range, part.first_channel, &nudged_range_);
    return absl::OkStatus();
  }

  RangeGradients TakeResult() {
    return {.min = Rounded(min_), .max = Rounded(max_), .nudged_range = std::move(nudged_range_)};
  }

 private:
  const TensorView gradients_;
  const TensorView inputs_;
  const std::span<float> input_gradients_;
  std::vector<double> min_;
  std::vector<double> max_;
  core::NudgedRange nudged_range_;
};

// Sends the parts of tensors whose channels lie as `layout` says, and has
// `codec` put the answers together. `tensor_count` tensors are in a request.
absl::Status RunTensorStream(const TensorStreamOptions& options, const std::string& method,
                             PartCodec& codec, const core::ChannelLayout& layout,
                             std::size_t tensor_count, const core::Range& range,
                             const core::QuantizationSpec& spec, const Progress& progress) {
  const std::size_t max_elements =
      std::max<std::size_t>(options.message_bytes / (tensor_count * sizeof(float)), 1);
  const std::size_t all = layout.element_count();
  TensorStream stream(codec, TensorParts(layout, range.axis.has_value(), max_elements), all, range,
                      spec);
  std::function<void()> on_response;
  if (progress != nullptr) {
    on_response = [&] { progress(stream.elements_done(), all); };
  }
  return RunStream(options.stub, method, stream, options.timeout, on_response);
}

}  // namespace

absl::StatusOr<core::NudgedRange> StreamFakeQuantize(
    const TensorStreamOptions& options, const TensorView& input, const core::Range& range,
    const core::QuantizationSpec& spec, std::span<float> output, const Progress& progress) {
  const absl::StatusOr<core::ChannelLayout> layout = CheckArguments(input, range, spec);
  if (!layout.ok()) {
    return layout.status();
  }
  FakeQuantizeCodec codec(input, output, layout->channels);
  const absl::Status status =
      RunTensorStream(options, "/quantd.v1.QuantizationService/StreamFakeQuantize", codec, *layout,
                      1, range, spec, progress);
  if (!status.ok()) {
    return status;
  }
  return codec.TakeResult();
}

absl::StatusOr<RangeGradients> StreamFakeQuantizeGradient(
    const TensorStreamOptions& options, const TensorView& gradients, const TensorView& inputs,
    const core::Range& range, const core::QuantizationSpec& spec, std::span<float> input_gradients,
    const Progress& progress) {
  const absl::StatusOr<core::ChannelLayout> layout = CheckArguments(gradients, inputs, range, spec);
  if (!layout.ok()) {
    return layout.status();
  }
  FakeQuantizeGradientCodec codec(gradients, inputs, input_gradients, layout->channels);
  const absl::Status status =
      RunTensorStream(options, "/quantd.v1.QuantizationService/StreamFakeQuantizeGradient", codec,
                      *layout, 2, range, spec, progress);
  if (!status.ok()) {
    return status;
  }
  return codec.TakeResult();
}

}  // namespace quantd::client
