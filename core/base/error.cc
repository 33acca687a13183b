#include "core/base/error.h"

#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace quantd::core {
namespace {

constexpr absl::string_view kPayloadUrl = "quantd.core.ErrorDetail";

// Separates reason, field, key, value, key, value … in the payload. None of
// them contains it: they are names, paths and numbers.
constexpr char kSeparator = '\0';

}  // namespace

absl::Status MakeError(absl::StatusCode code, std::string_view message, const ErrorDetail& detail) {
  const std::string separator(1, kSeparator);
  std::string payload = absl::StrCat(detail.reason, separator, detail.field);
  for (const auto& [key, value] : detail.metadata) {
    absl::StrAppend(&payload, separator, key, separator, value);
  }
  absl::Status status(code, absl::string_view(message.data(), message.size()));
  status.SetPayload(kPayloadUrl, absl::Cord(std::move(payload)));
  return status;
}

absl::Status InvalidArgument(std::string_view message, const ErrorDetail& detail) {
  return MakeError(absl::StatusCode::kInvalidArgument, message, detail);
}

std::optional<ErrorDetail> GetErrorDetail(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) {
    return std::nullopt;
  }
  const std::string text(*payload);
  const std::vector<std::string> parts = absl::StrSplit(text, kSeparator);
  ErrorDetail detail{.reason = parts[0], .field = parts.at(1), .metadata = {}};
  for (std::size_t i = 2; i + 1 < parts.size(); i += 2) {
    detail.metadata[parts[i]] = parts[i + 1];
  }
  return detail;
}

}  // namespace quantd::core
