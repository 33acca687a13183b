#include "core/kernels/packed_codes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/core/every_simd_target.h"

namespace quantd::core {
namespace {

class PackedCodes : public EverySimdTarget {};

// Codes that differ from their neighbours, of every width and size up to a few vectors.
std::vector<std::uint8_t> Codes(std::size_t count, std::size_t bits) {
  std::vector<std::uint8_t> codes(count);
  for (std::size_t i = 0; i < count; ++i) {
    codes[i] = static_cast<std::uint8_t>((i * 7 + i / 5) % (1U << bits));
  }
  return codes;
}

TEST_P(PackedCodes, AreInTheLowBitsFirst) {
  for (const std::size_t bits : {2U, 4U}) {
    const std::size_t per_byte = 8 / bits;
    for (std::size_t count = 0; count < 600; ++count) {
      std::vector<std::uint8_t> codes = Codes(count, bits);
      std::vector<std::uint8_t> expected((count + per_byte - 1) / per_byte);
      for (std::size_t i = 0; i < count; ++i) {
        expected[i / per_byte] |= static_cast<std::uint8_t>(codes[i] << (i % per_byte * bits));
        // Other bits of a code do not matter.
        codes[i] |= static_cast<std::uint8_t>(i % 2 == 0 ? 0xFFU << bits : 0);
      }
      std::vector<std::uint8_t> packed(expected.size(), 0xAA);
      std::fill(packed.begin() + static_cast<std::ptrdiff_t>(count / per_byte), packed.end(), 0);
      kernels::PackAt(codes.data(), count, bits, 0, packed.data());
      ASSERT_EQ(packed, expected) << bits << " bits, " << count << " codes";
      // In two parts, of which the second may begin within a byte.
      const std::size_t part = count / 3;
      std::fill(packed.begin(), packed.end(), 0);
      kernels::PackAt(codes.data() + part, count - part, bits, part, packed.data());
      kernels::PackAt(codes.data(), part, bits, 0, packed.data());
      ASSERT_EQ(packed, expected) << bits << " bits, " << part << " codes first";
    }
  }
}

TEST_P(PackedCodes, ComeBackWithTheirSigns) {
  for (const std::size_t bits : {2U, 4U}) {
    for (std::size_t count = 0; count < 600; ++count) {
      const std::vector<std::uint8_t> codes = Codes(count, bits);
      std::vector<std::uint8_t> packed((count * bits + 7) / 8);
      kernels::PackAt(codes.data(), count, bits, 0, packed.data());
      std::vector<std::uint8_t> unpacked(count);
      kernels::Unpack(packed.data(), count, bits, /*is_signed=*/false, unpacked.data());
      ASSERT_EQ(unpacked, codes);
      kernels::Unpack(packed.data(), count, bits, /*is_signed=*/true, unpacked.data());
      for (std::size_t i = 0; i < count; ++i) {
        const int highest = (1 << (bits - 1)) - 1;
        const int expected = codes[i] > highest ? codes[i] - (1 << bits) : codes[i];
        ASSERT_EQ(static_cast<std::int8_t>(unpacked[i]), expected) << bits << " bits, code " << i;
      }
    }
  }
}

INSTANTIATE_ON_EVERY_SIMD_TARGET(PackedCodes);

}  // namespace
}  // namespace quantd::core
