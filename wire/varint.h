// Protobuf's integers of variable length.

#ifndef QUANTD_WIRE_VARINT_H_
#define QUANTD_WIRE_VARINT_H_

#include <cstdint>
#include <string>

namespace quantd::wire {

// Appends `value` in its shortest form.
inline void AppendVarint(std::uint64_t value, std::string& output) {
  for (; value >= 0x80; value >>= 7) {
    output.push_back(static_cast<char>(value | 0x80));
  }
  output.push_back(static_cast<char>(value));
}

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_VARINT_H_
