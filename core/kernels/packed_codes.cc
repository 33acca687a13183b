#include "core/kernels/packed_codes.h"

#include <algorithm>
#include <cassert>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/packed_codes.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/memory-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

// All codes of a byte are worked on in one lane.
template <std::size_t bits>
using ByteTag =
    std::conditional_t<bits == 4, hn::ScalableTag<std::uint16_t>, hn::ScalableTag<std::uint32_t>>;

// Returns the bytes of lanes, each of which has the codes of one byte in bytes of its own.
template <std::size_t bits, class D>
HWY_INLINE hn::Vec<D> BytesOf(D d, hn::Vec<D> codes) {
  if constexpr (bits == 4) {
    return hn::Or(hn::And(codes, hn::Set(d, 0x0F)),
                  hn::And(hn::ShiftRight<4>(codes), hn::Set(d, 0xF0)));
  } else {
    const auto pairs = hn::Or(hn::And(codes, hn::Set(d, 0x0003'0003)),
                              hn::And(hn::ShiftRight<6>(codes), hn::Set(d, 0x000C'000C)));
    return hn::And(hn::Or(pairs, hn::ShiftRight<12>(pairs)), hn::Set(d, 0xFF));
  }
}

// The inverse.
template <std::size_t bits, class D>
HWY_INLINE hn::Vec<D> CodesOf(D d, hn::Vec<D> bytes) {
  if constexpr (bits == 4) {
    return hn::And(hn::Or(bytes, hn::ShiftLeft<4>(bytes)), hn::Set(d, 0x0F0F));
  } else {
    const auto pairs = hn::And(hn::Or(bytes, hn::ShiftLeft<12>(bytes)), hn::Set(d, 0x000F'000F));
    return hn::And(hn::Or(pairs, hn::ShiftLeft<6>(pairs)), hn::Set(d, 0x0303'0303));
  }
}

template <std::size_t bits>
std::size_t PackVectors(const std::uint8_t* codes, std::size_t count, std::uint8_t* output) {
  const ByteTag<bits> d;
  const hn::Repartition<std::uint8_t, decltype(d)> d8;
  const hn::Rebind<std::uint8_t, decltype(d)> narrow;
  const std::size_t bytes = count * bits / 8 / hn::Lanes(d) * hn::Lanes(d);
  for (std::size_t i = 0; i < bytes; i += hn::Lanes(d)) {
    const auto packed = BytesOf<bits>(d, hn::BitCast(d, hn::LoadU(d8, codes + i * (8 / bits))));
    hn::StoreU(hn::DemoteTo(narrow, hn::BitCast(hn::RebindToSigned<decltype(d)>(), packed)), narrow,
               output + i);
  }
  return bytes * (8 / bits);
}

template <std::size_t bits>
std::size_t UnpackVectors(ElementPointer<std::uint8_t> packed, std::size_t count, bool is_signed,
                          std::uint8_t* codes) {
  const ByteTag<bits> d;
  const hn::Repartition<std::uint8_t, decltype(d)> d8;
  const hn::Rebind<std::uint8_t, decltype(d)> narrow;
  // Subtracting it from a code with its sign bit flipped extends the sign.
  const auto sign = hn::Set(d8, static_cast<std::uint8_t>(is_signed ? 1 << (bits - 1) : 0));
  const std::size_t bytes = count * bits / 8 / hn::Lanes(d) * hn::Lanes(d);
  for (std::size_t i = 0; i < bytes; i += hn::Lanes(d)) {
    const auto unsigned_codes =
        hn::BitCast(d8, CodesOf<bits>(d, hn::PromoteTo(d, LoadElements(narrow, packed + i))));
    hn::StoreU(hn::Sub(hn::Xor(unsigned_codes, sign), sign), d8, codes + i * (8 / bits));
  }
  return bytes * (8 / bits);
}

#else

template <std::size_t bits>
std::size_t PackVectors(const std::uint8_t* /*codes*/, std::size_t /*count*/,
                        std::uint8_t* /*output*/) {
  return 0;
}

template <std::size_t bits>
std::size_t UnpackVectors(ElementPointer<std::uint8_t> /*packed*/, std::size_t /*count*/,
                          bool /*is_signed*/, std::uint8_t* /*codes*/) {
  return 0;
}

#endif

// Work on whole vectors, and return how many codes there are in these.
std::size_t PackMost(const std::uint8_t* codes, std::size_t count, std::size_t bits,
                     std::uint8_t* output) {
  return bits == 4 ? PackVectors<4>(codes, count, output) : PackVectors<2>(codes, count, output);
}

std::size_t UnpackMost(ElementPointer<std::uint8_t> packed, std::size_t count, std::size_t bits,
                       bool is_signed, std::uint8_t* codes) {
  return bits == 4 ? UnpackVectors<4>(packed, count, is_signed, codes)
                   : UnpackVectors<2>(packed, count, is_signed, codes);
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::core::kernels {

HWY_EXPORT(PackMost);
HWY_EXPORT(UnpackMost);

namespace {

// Adds codes one by one, from element `first` on.
void AddCodes(const std::uint8_t* codes, std::size_t count, std::size_t bits, std::size_t first,
              std::uint8_t* output) {
  const std::size_t per_byte = 8 / bits;
  const unsigned mask = (1U << bits) - 1;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t element = first + i;
    output[element / per_byte] |=
        static_cast<std::uint8_t>((codes[i] & mask) << (element % per_byte * bits));
  }
}

}  // namespace

void PackAt(const std::uint8_t* codes, std::size_t count, std::size_t bits, std::size_t first,
            std::uint8_t* output) {
  assert(bits == 2 || bits == 4);
  const std::size_t per_byte = 8 / bits;
  const std::size_t head = std::min(count, (per_byte - first % per_byte) % per_byte);
  AddCodes(codes, head, bits, first, output);
  // Whole bytes, and then what is left of the last one.
  const std::size_t whole = (count - head) / per_byte * per_byte;
  std::uint8_t* const bytes = output + (first + head) / per_byte;
  const std::size_t packed = HWY_DYNAMIC_DISPATCH(PackMost)(codes + head, whole, bits, bytes);
  std::fill(bytes + packed / per_byte, bytes + whole / per_byte, std::uint8_t{0});
  AddCodes(codes + head + packed, count - head - packed, bits, first + head + packed, output);
}

void Unpack(ElementPointer<std::uint8_t> packed, std::size_t count, std::size_t bits,
            bool is_signed, std::uint8_t* codes) {
  assert(bits == 2 || bits == 4);
  const std::size_t per_byte = 8 / bits;
  const unsigned mask = (1U << bits) - 1;
  const unsigned sign = is_signed ? 1U << (bits - 1) : 0;
  for (std::size_t i = HWY_DYNAMIC_DISPATCH(UnpackMost)(packed, count, bits, is_signed, codes);
       i < count; ++i) {
    const auto byte = std::to_integer<unsigned>(packed.bytes()[i / per_byte]);
    const unsigned code = byte >> (i % per_byte * bits) & mask;
    codes[i] = static_cast<std::uint8_t>((code ^ sign) - sign);
  }
}

}  // namespace quantd::core::kernels
#endif  // HWY_ONCE
