#include "client/library/elements.h"

#include <algorithm>

#include "core/base/float16.h"

namespace quantd::client {
namespace {

constexpr unsigned kByteBits = 8;

template <typename To, typename From>
std::vector<To> Converted(std::span<const From> values, To (*convert)(From)) {
  std::vector<To> converted(values.size());
  std::ranges::transform(values, converted.begin(), convert);
  return converted;
}

template <typename T>
std::vector<std::int32_t> Widened(const Elements& codes) {
  return Converted<std::int32_t, T>(codes.values<T>(),
                                    [](T code) { return static_cast<std::int32_t>(code); });
}

template <typename T>
Elements Narrowed(std::span<const std::int32_t> values) {
  return Elements::Of<T>(
      Converted<T, std::int32_t>(values, [](std::int32_t code) { return static_cast<T>(code); }));
}

std::vector<std::int32_t> Unpacked(const Elements& codes) {
  const core::ElementTypeRow& row = core::RowOf(codes.type());
  const std::size_t per_byte = kByteBits / row.bits;
  std::vector<std::int32_t> unpacked(codes.size());
  for (std::size_t i = 0; i < unpacked.size(); ++i) {
    const auto byte = std::to_integer<std::uint32_t>(codes.bytes()[i / per_byte]);
    const auto code =
        static_cast<std::int32_t>(byte >> (i % per_byte * row.bits) & ((1U << row.bits) - 1));
    unpacked[i] = code > row.highest ? code - (std::int32_t{1} << row.bits) : code;
  }
  return unpacked;
}

Elements Packed(std::span<const std::int32_t> values, core::ElementType type) {
  const std::size_t bits = core::RowOf(type).bits;
  const std::size_t per_byte = kByteBits / bits;
  Elements packed(type, values.size());
  const std::span<std::byte> bytes = packed.output().bytes();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint32_t code = static_cast<std::uint32_t>(values[i]) & ((1U << bits) - 1);
    bytes[i / per_byte] |= static_cast<std::byte>(code << (i % per_byte * bits));
  }
  return packed;
}

}  // namespace

std::vector<float> ToFloats(const Elements& floats) {
  switch (floats.type()) {
    case core::ElementType::kFloat16:
      return Converted<float, core::Float16>(floats.values<core::Float16>(), core::ToFloat);
    case core::ElementType::kBFloat16:
      return Converted<float, core::BFloat16>(floats.values<core::BFloat16>(), core::ToFloat);
    case core::ElementType::kFloat64:
      return Converted<float, double>(floats.values<double>(),
                                      [](double value) { return static_cast<float>(value); });
    default:
      const std::span<const float> values = floats.values<float>();
      return {values.begin(), values.end()};
  }
}

Elements FromFloats(std::span<const float> values, core::ElementType type) {
  switch (type) {
    case core::ElementType::kFloat16:
      return Elements::Of<core::Float16>(
          Converted<core::Float16, float>(values, core::FromFloat<core::Float16>));
    case core::ElementType::kBFloat16:
      return Elements::Of<core::BFloat16>(
          Converted<core::BFloat16, float>(values, core::FromFloat<core::BFloat16>));
    default:
      assert(type == core::ElementType::kFloat32);
      return Elements::Of<float>(values);
  }
}

std::vector<std::int32_t> ToCodes(const Elements& codes) {
  switch (codes.type()) {
    case core::ElementType::kInt8:
      return Widened<std::int8_t>(codes);
    case core::ElementType::kUint8:
      return Widened<std::uint8_t>(codes);
    case core::ElementType::kInt16:
      return Widened<std::int16_t>(codes);
    case core::ElementType::kUint16:
      return Widened<std::uint16_t>(codes);
    case core::ElementType::kInt32:
      return Widened<std::int32_t>(codes);
    default:
      assert(core::RowOf(codes.type()).is_code);
      return Unpacked(codes);
  }
}

Elements FromCodes(std::span<const std::int32_t> values, core::ElementType type) {
  switch (type) {
    case core::ElementType::kInt8:
      return Narrowed<std::int8_t>(values);
    case core::ElementType::kUint8:
      return Narrowed<std::uint8_t>(values);
    case core::ElementType::kInt16:
      return Narrowed<std::int16_t>(values);
    case core::ElementType::kUint16:
      return Narrowed<std::uint16_t>(values);
    case core::ElementType::kInt32:
      return Narrowed<std::int32_t>(values);
    default:
      assert(core::RowOf(type).is_code);
      return Packed(values, type);
  }
}

}  // namespace quantd::client
