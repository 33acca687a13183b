// Memory in pieces, as a transport hands it over.

#ifndef QUANTD_TESTS_CORE_PIECES_H_
#define QUANTD_TESTS_CORE_PIECES_H_

#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "core/base/scattered_bytes.h"

namespace quantd::core {

// Elements that are cut at these offsets in bytes, which are in increasing order.
// Each piece has memory of its own; the alignment differs from piece to piece.
class Pieces {
 public:
  Pieces(std::span<const float> elements, std::span<const std::size_t> cuts) {
    const std::span<const std::byte> bytes = std::as_bytes(elements);
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= cuts.size(); ++i) {
      const std::size_t end = i < cuts.size() ? cuts[i] : bytes.size();
      if (end > begin) {
        Add(bytes.subspan(begin, end - begin), i % sizeof(float));
      }
      begin = end;
    }
  }

  // A view of the pieces, which this object owns.
  const ScatteredBytes& bytes() const { return bytes_; }

 private:
  void Add(std::span<const std::byte> bytes, std::size_t misalignment) {
    std::vector<std::byte>& memory = memory_.emplace_back(misalignment + bytes.size());
    std::memcpy(memory.data() + misalignment, bytes.data(), bytes.size());
    bytes_.Add(std::span(memory).subspan(misalignment));
  }

  std::vector<std::vector<std::byte>> memory_;
  ScatteredBytes bytes_;
};

}  // namespace quantd::core

#endif  // QUANTD_TESTS_CORE_PIECES_H_
