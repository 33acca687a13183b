// The tokens that a server accepts.

#ifndef QUANTD_SERVER_ACCESS_BEARER_TOKENS_H_
#define QUANTD_SERVER_ACCESS_BEARER_TOKENS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace quantd::server {

// Named tokens, of which only the hashes are known. Immutable.
//
// The hash is SHA-256 without salt or iterations: tokens are random, unlike passwords, so that
// there is no dictionary to try them with.
class BearerTokens {
 public:
  // Reads a file of tokens. Each line has a name and the hash of the token with that name, as
  // sha256sum prints it, with blanks in between:
  //
  //   # made with: openssl rand -hex 32 | tee token | tr -d '\n' | sha256sum
  //   trainer 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  //
  // Names have letters, digits and any of "._@-". One name may have several tokens, such as an old
  // and a new one. Empty lines, and what follows a '#' at the start of a line, are left out. `path`
  // is for messages.
  //
  // Errors: kInvalidArgument, with the path, the line, and what was expected, for any other text
  // and for a file without tokens. No message quotes what may be a token.
  static absl::StatusOr<BearerTokens> Parse(std::string_view path, std::string_view text);

  // Returns the name of `token`, or nothing if it is not one of the tokens. Takes the same time
  // whichever token it is, and whatever part of it is right.
  std::optional<std::string> NameOf(std::string_view token) const;

 private:
  using Hash = std::array<std::uint8_t, 32>;

  struct Entry {
    std::string name;
    Hash hash;
  };

  static Hash HashOf(std::string_view token);
  static absl::StatusOr<Entry> ParseEntry(std::string_view line);

  std::vector<Entry> entries_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_ACCESS_BEARER_TOKENS_H_
