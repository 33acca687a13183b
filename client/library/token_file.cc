#include "client/library/token_file.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/read_file.h"
#include "core/base/status_macros.h"

namespace quantd::client {
namespace {

// gRPC's headers have 8 KiB in all.
constexpr std::size_t kMaxBytes = 4096;

absl::Status Wrong(const std::string& path, absl::string_view problem) {
  return absl::FailedPreconditionError(
      absl::StrCat("the token file ", path, ": ", problem,
                   "; expected a file of this user with one token of visible ASCII characters, at "
                   "most ",
                   kMaxBytes, " bytes"));
}

}  // namespace

absl::StatusOr<std::string> TokenFile::AuthorizationHeader() {
  if (path_.empty()) {
    return std::string();
  }
  const core::MutexLock lock(&mutex_);
  if (const auto now = std::chrono::steady_clock::now(); header_.empty() || now >= read_again_) {
    ASSIGN_OR_RETURN(header_, Read());
    read_again_ = now + kMaxAge;
  }
  return header_;
}

absl::StatusOr<std::string> TokenFile::Read() const {
  const absl::StatusOr<std::string> text = core::ReadFile(path_, kMaxBytes);
  if (!text.ok()) {
    return Wrong(path_, text.status().message());
  }
  const absl::string_view token = absl::StripAsciiWhitespace(*text);
  const bool is_token = !token.empty() && std::ranges::all_of(token, [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
  if (!is_token) {
    return Wrong(path_, token.empty() ? "it is empty" : "it has other characters than a token");
  }
  return absl::StrCat("Bearer ", token);
}

}  // namespace quantd::client
