#include "client/library/parameters.h"

#include <cassert>

namespace quantd::client {
namespace {

// Calls the first function whose argument is of the kind of a variant.
template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

}  // namespace

QuantizeParameters ViewOf(const ParameterValues& values) {
  return std::visit(
      Overloaded{[](const core::DataRange& range) -> QuantizeParameters { return range; },
                 [](const auto& owner) -> QuantizeParameters { return owner.view(); }},
      values);
}

core::AffineParameters ViewOf(const core::UsedParameters& used) {
  return {.scale = used.scale,
          .zero_point = used.zero_point,
          .axis = used.axis,
          .block_size = used.block_size};
}

QuantizeParameters WithDataRange(const core::QuantizationParameters& parameters) {
  return std::visit([](const auto& kind) -> QuantizeParameters { return kind; }, parameters);
}

core::QuantizationParameters WithoutDataRange(const QuantizeParameters& parameters) {
  if (const auto* const range = std::get_if<core::Range>(&parameters)) {
    return *range;
  }
  assert(std::holds_alternative<core::AffineParameters>(parameters));
  return *std::get_if<core::AffineParameters>(&parameters);
}

std::optional<std::int32_t> AxisOf(const QuantizeParameters& parameters) {
  return std::visit([](const auto& kind) { return kind.axis; }, parameters);
}

std::optional<std::uint32_t> BlockSizeOf(const QuantizeParameters& parameters) {
  return std::visit(Overloaded{[](const core::Range&) { return std::optional<std::uint32_t>(); },
                               [](const auto& kind) { return kind.block_size; }},
                    parameters);
}

std::size_t SizeInBytes(const QuantizeParameters& parameters) {
  return std::visit(Overloaded{[](const core::Range& range) {
                                 return range.min.size_bytes() + range.max.size_bytes();
                               },
                               [](const core::AffineParameters& affine) {
                                 return affine.scale.size_bytes() + affine.zero_point.size_bytes();
                               },
                               [](const core::DataRange&) { return std::size_t{0}; }},
                    parameters);
}

absl::StatusOr<core::ParameterLayout> LayoutOf(std::span<const std::int64_t> shape,
                                               const QuantizeParameters& parameters) {
  if (const auto* const data_range = std::get_if<core::DataRange>(&parameters)) {
    return core::MakeParameterLayout(
        shape, core::AffineParameters{
                   .scale = {}, .axis = data_range->axis, .block_size = data_range->block_size});
  }
  return core::MakeParameterLayout(shape, WithoutDataRange(parameters));
}

}  // namespace quantd::client
