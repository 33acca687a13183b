// Codes of less than a byte, several in each byte, the first in the lowest bits.

#ifndef QUANTD_CORE_KERNELS_PACKED_CODES_H_
#define QUANTD_CORE_KERNELS_PACKED_CODES_H_

#include <cstddef>
#include <cstdint>

#include "core/base/element_pointer.h"

namespace quantd::core::kernels {

// Writes the low `bits`, 2 or 4, of each of `count` codes to the elements of `output` from
// `first` on. Adds to the first and to the last byte, unless all their codes are among them:
// their other bits stay, and those of these codes must be 0.
void PackAt(const std::uint8_t* codes, std::size_t count, std::size_t bits, std::size_t first,
            std::uint8_t* output);

// The inverse: writes the first `count` codes of `packed` as bytes, in two's complement if
// `is_signed`.
void Unpack(ElementPointer<std::uint8_t> packed, std::size_t count, std::size_t bits,
            bool is_signed, std::uint8_t* codes);

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_PACKED_CODES_H_
