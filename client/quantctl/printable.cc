#include "client/quantctl/printable.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace quantd::client {
namespace {

// A character of UTF-8, and how many bytes it has.
struct Character {
  char32_t code;
  std::size_t size;
};

// The bytes that begin a character of some length.
struct Lead {
  std::size_t size;
  // Smaller ones have a shorter form.
  char32_t least;
  unsigned char mask;
  unsigned char bits;
};
constexpr Lead kLeads[] = {
    {1, 0, 0x80, 0x00}, {2, 0x80, 0xE0, 0xC0}, {3, 0x800, 0xF0, 0xE0}, {4, 0x10000, 0xF8, 0xF0}};

bool IsValid(char32_t code, char32_t least) {
  constexpr char32_t kFirstSurrogate = 0xD800;
  constexpr char32_t kLastSurrogate = 0xDFFF;
  constexpr char32_t kLast = 0x10FFFF;
  return code >= least && code <= kLast && !(code >= kFirstSurrogate && code <= kLastSurrogate);
}

// Returns the first character of `text`, which is not empty; nothing if it is not UTF-8.
std::optional<Character> FirstCharacter(std::string_view text) {
  constexpr unsigned kContinuationBits = 6;
  constexpr unsigned char kContinuationMask = 0xC0;
  constexpr unsigned char kContinuation = 0x80;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto* const lead = std::ranges::find_if(
      kLeads, [&](const Lead& other) { return (byte(0) & other.mask) == other.bits; });
  if (lead == std::ranges::end(kLeads) || text.size() < lead->size) {
    return std::nullopt;
  }
  char32_t code = byte(0) & static_cast<unsigned char>(~lead->mask);
  for (std::size_t i = 1; i < lead->size; ++i) {
    if ((byte(i) & kContinuationMask) != kContinuation) {
      return std::nullopt;
    }
    code = code << kContinuationBits | (byte(i) & static_cast<unsigned char>(~kContinuationMask));
  }
  return IsValid(code, lead->least) ? std::optional(Character{.code = code, .size = lead->size})
                                    : std::nullopt;
}

// Whether a terminal may obey the character instead of showing it: the control characters
// C0, DEL and C1, the separators of lines, and what changes the direction of writing.
bool IsObeyed(char32_t code) {
  struct Interval {
    char32_t first;
    char32_t last;
  };
  constexpr Interval kObeyed[] = {{0x00, 0x1F},     {0x7F, 0x9F},     {0x200E, 0x200F},
                                  {0x2028, 0x202E}, {0x2066, 0x2069}, {0xFEFF, 0xFEFF}};
  return std::ranges::any_of(kObeyed, [&](const Interval& interval) {
    return code >= interval.first && code <= interval.last;
  });
}

std::string Escape(char32_t code) {
  constexpr char32_t kOneByte = 0x80;
  switch (code) {
    case U'\n':
      return "\\n";
    case U'\r':
      return "\\r";
    case U'\t':
      return "\\t";
    default:
      return code < kOneByte ? absl::StrFormat("\\x%02x", static_cast<std::uint32_t>(code))
                             : absl::StrFormat("\\u%04x", static_cast<std::uint32_t>(code));
  }
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string printable;
  while (!text.empty()) {
    const std::optional<Character> first = FirstCharacter(text);
    const std::size_t size = first.has_value() ? first->size : 1;
    if (!first.has_value()) {
      absl::StrAppendFormat(&printable, "\\x%02x", static_cast<unsigned char>(text.front()));
    } else if (IsObeyed(first->code)) {
      printable += Escape(first->code);
    } else {
      printable += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
  return printable;
}

std::string PrintableJson(std::string_view json) {
  std::string printable;
  while (!json.empty()) {
    const std::optional<Character> first = FirstCharacter(json);
    const std::size_t size = first.has_value() ? first->size : 1;
    if (first.has_value() && IsObeyed(first->code)) {
      absl::StrAppendFormat(&printable, "\\u%04x", static_cast<std::uint32_t>(first->code));
    } else {
      printable += json.substr(0, size);
    }
    json.remove_prefix(size);
  }
  return printable;
}

}  // namespace quantd::client
