#include "server/access/bearer_tokens.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/to_absl.h"

namespace quantd::server {
namespace {

bool IsName(absl::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("._@-").find(c) != absl::string_view::npos;
  });
}

absl::Status ErrorAt(std::string_view path, std::size_t line, absl::string_view complaint) {
  return absl::InvalidArgumentError(absl::StrCat(core::ToAbsl(path), ":", line, ": ", complaint));
}

}  // namespace

BearerTokens::Hash BearerTokens::HashOf(std::string_view token) {
  Hash hash{};
  [[maybe_unused]] const int done =
      EVP_Digest(token.data(), token.size(), hash.data(), nullptr, EVP_sha256(), nullptr);
  assert(done == 1);
  return hash;
}

absl::StatusOr<BearerTokens::Entry> BearerTokens::ParseEntry(std::string_view line) {
  const std::vector<std::string> fields =
      absl::StrSplit(core::ToAbsl(line), absl::ByAnyChar(" \t"), absl::SkipEmpty());
  if (fields.size() != 2 || !IsName(fields.front())) {
    return absl::InvalidArgumentError(
        "expected a name of letters, digits and ._@- and the hash of its token, with a blank in "
        "between, such as trainer 9f86d081…");
  }
  const std::string& digits = fields.back();
  Entry entry{.name = fields.front(), .hash = {}};
  if (digits.size() != 2 * entry.hash.size() || !std::ranges::all_of(digits, [](char c) {
        return absl::ascii_isxdigit(static_cast<unsigned char>(c));
      })) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the hash of the token '", entry.name, "' has ", digits.size(),
        " characters; expected the 64 hexadecimal digits of its SHA-256, not the token "
        "itself: printf %s \"$TOKEN\" | sha256sum prints them"));
  }
  std::ranges::copy(absl::HexStringToBytes(digits), entry.hash.begin());
  return entry;
}

absl::StatusOr<BearerTokens> BearerTokens::Parse(std::string_view path, std::string_view text) {
  BearerTokens tokens;
  std::size_t number = 0;
  for (const absl::string_view raw : absl::StrSplit(core::ToAbsl(text), '\n')) {
    ++number;
    const absl::string_view line = absl::StripAsciiWhitespace(raw);
    if (line.empty() || line.front() == '#') {
      continue;
    }
    absl::StatusOr<Entry> entry = ParseEntry({line.data(), line.size()});
    if (!entry.ok()) {
      return ErrorAt(path, number, entry.status().message());
    }
    const auto same = std::ranges::find(tokens.entries_, entry->hash, &Entry::hash);
    if (same != tokens.entries_.end()) {
      return ErrorAt(
          path, number,
          absl::StrCat("'", entry->name, "' has the same token as '", same->name,
                       "'; expected a token of its own for each line: make another one"));
    }
    tokens.entries_.push_back(*std::move(entry));
  }
  if (tokens.entries_.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(core::ToAbsl(path),
                     " has no tokens, so that nobody could call; expected a line with a name and a "
                     "hash for each"));
  }
  return tokens;
}

std::optional<std::string> BearerTokens::NameOf(std::string_view token) const {
  const Hash hash = HashOf(token);
  const Entry* found = nullptr;
  for (const Entry& entry : entries_) {
    if (CRYPTO_memcmp(entry.hash.data(), hash.data(), hash.size()) == 0) {
      found = &entry;
    }
  }
  return found == nullptr ? std::nullopt : std::optional(found->name);
}

}  // namespace quantd::server
