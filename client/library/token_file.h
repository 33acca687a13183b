// The token that a client shows.

#ifndef QUANTD_CLIENT_LIBRARY_TOKEN_FILE_H_
#define QUANTD_CLIENT_LIBRARY_TOKEN_FILE_H_

#include <chrono>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/mutex.h"

namespace quantd::client {

// A file with a token, which may be replaced at any time. Thread-safe.
class TokenFile {
 public:
  // For how long a token is used before the file is read again.
  static constexpr std::chrono::seconds kMaxAge{1};

  // An empty path stands for no token.
  explicit TokenFile(std::string path) : path_(std::move(path)) {}

  // Returns the value of the header "authorization", "Bearer TOKEN", or an empty text if there is
  // no token. Reads the file at most once in kMaxAge. What surrounds the token is left out if it is
  // blank.
  //
  // Errors: kFailedPrecondition if the file cannot be read, or is not a token of visible
  // ASCII characters.
  absl::StatusOr<std::string> AuthorizationHeader();

 private:
  absl::StatusOr<std::string> Read() const;

  const std::string path_;
  core::Mutex mutex_;
  std::string header_ ABSL_GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point read_again_ ABSL_GUARDED_BY(mutex_){};
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_TOKEN_FILE_H_
