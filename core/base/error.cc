#include "core/base/error.h"

#include <cassert>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "core/base/to_absl.h"

namespace quantd::core {
namespace {

constexpr absl::string_view kPayloadUrl = "quantd.core.ErrorDetail";

// Separates reason, field, key, value, key, value … in the payload. None of
// them contains it: they are names, paths and numbers.
constexpr char kSeparator = '\0';

// The key of the metadata, and the prefix of the message, of an error of a stream.
constexpr char kMessageIndex[] = "message_index";

std::string MessagePrefix(absl::string_view index) { return absl::StrCat("message ", index, ": "); }

// Adds `prefix` to the message, and lets `change` alter the detail if there is one.
template <typename Change>
absl::Status Prefixed(absl::string_view prefix, const absl::Status& status, Change change) {
  const std::string message = absl::StrCat(prefix, status.message());
  std::optional<ErrorDetail> detail = GetErrorDetail(status);
  if (!detail.has_value()) {
    return {status.code(), message};
  }
  change(*detail);
  return MakeError(status.code(), message, *detail);
}

}  // namespace

absl::Status MakeError(absl::StatusCode code, std::string_view message, const ErrorDetail& detail) {
  assert(code != absl::StatusCode::kOk);
  assert(!detail.reason.empty());
  const std::string separator(1, kSeparator);
  std::string payload = absl::StrCat(detail.reason, separator, detail.field);
  for (const auto& [key, value] : detail.metadata) {
    absl::StrAppend(&payload, separator, key, separator, value);
  }
  absl::Status status(code, ToAbsl(message));
  status.SetPayload(kPayloadUrl, absl::Cord(std::move(payload)));
  return status;
}

absl::Status MakeError(absl::StatusCode code, ErrorReason reason, std::string_view message,
                       ErrorContext context) {
  return MakeError(code, message,
                   {.reason = std::string(ErrorReasonName(reason)),
                    .field = std::move(context.field),
                    .metadata = std::move(context.metadata)});
}

absl::Status InvalidArgument(ErrorReason reason, std::string_view message, ErrorContext context) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason, message, std::move(context));
}

absl::Status WrongSize(const SizeMismatch& mismatch) {
  const auto& [field, size, expected, unit, advice] = mismatch;
  return InvalidArgument(
      ErrorReason::kTensorSizeMismatch,
      absl::StrCat(ToAbsl(field), " has ", size, " ", ToAbsl(unit), "; expected ", expected,
                   " for this shape and type: ", ToAbsl(advice)),
      {.field = std::string(field),
       .metadata = {{"size", absl::StrCat(size)}, {"expected", absl::StrCat(expected)}}});
}

absl::Status CheckSize(std::string_view field, std::size_t size, std::size_t expected) {
  return size == expected ? absl::OkStatus()
                          : WrongSize({.field = field, .size = size, .expected = expected});
}

std::optional<ErrorDetail> GetErrorDetail(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) {
    return std::nullopt;
  }
  const std::string text(*payload);
  const std::vector<std::string> parts = absl::StrSplit(text, kSeparator);
  ErrorDetail detail{.reason = parts[0], .field = parts.at(1)};
  for (std::size_t i = 2; i + 1 < parts.size(); i += 2) {
    detail.metadata[parts[i]] = parts[i + 1];
  }
  return detail;
}

absl::Status AtField(std::string_view name, const absl::Status& status) {
  return Prefixed(absl::StrCat(ToAbsl(name), ": "), status, [&](ErrorDetail& detail) {
    detail.field = absl::StrCat(ToAbsl(name), ".", detail.field);
  });
}

absl::Status AtMessage(std::uint64_t index, const absl::Status& status) {
  const std::string number = absl::StrCat(index);
  return Prefixed(MessagePrefix(number), status,
                  [&](ErrorDetail& detail) { detail.metadata.emplace(kMessageIndex, number); });
}

absl::Status WithoutMessageIndex(const absl::Status& status) {
  std::optional<ErrorDetail> detail = GetErrorDetail(status);
  if (!detail.has_value()) {
    return status;
  }
  const auto index = detail->metadata.extract(kMessageIndex);
  absl::string_view message = status.message();
  if (index.empty() || !absl::ConsumePrefix(&message, MessagePrefix(index.mapped()))) {
    return status;
  }
  return MakeError(status.code(), std::string(message), *detail);
}

}  // namespace quantd::core
