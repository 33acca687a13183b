#include "server/telemetry/log_line.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/to_absl.h"

namespace quantd::server {
namespace {

using Json = nlohmann::json;

// Indexed by LogLevel.
constexpr std::array<absl::string_view, 4> kLevelNames = {"debug", "info", "warning", "error"};

absl::string_view LevelName(LogLevel level) {
  return kLevelNames.at(static_cast<std::size_t>(level));
}

std::string Dump(const Json& json) {
  // Bytes that are not valid UTF-8 are replaced, because logging must not fail.
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

std::string JsonValue(const LogField& field) {
  return Dump(std::visit([](const auto& value) { return Json(value); }, field.value));
}

bool IsPlain(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("_.:/-+[]").find(c) != std::string_view::npos;
  });
}

std::string TextValue(const LogField& field) {
  const auto* const text = std::get_if<std::string>(&field.value);
  return text != nullptr && IsPlain(*text) ? *text : JsonValue(field);
}

}  // namespace

LogLine::LogLine(LogFormat format, LogLevel level, std::string_view event, LogFields fields)
    : format_(format),
      text_(format == LogFormat::kJson
                ? absl::StrCat(R"("level":")", LevelName(level), R"(","event":)", Dump(event))
                : absl::StrCat("level=", LevelName(level), " event=", Dump(event))) {
  Add(fields);
}

void LogLine::Add(LogFields fields) {
  for (const LogField& field : fields) {
    if (format_ == LogFormat::kJson) {
      absl::StrAppend(&text_, ",", Dump(field.name), ":", JsonValue(field));
    } else {
      absl::StrAppend(&text_, " ", core::ToAbsl(field.name), "=", TextValue(field));
    }
  }
}

std::string LogLine::At(absl::Time time) const {
  const std::string formatted =
      absl::FormatTime("%Y-%m-%d%ET%H:%M:%E3SZ", time, absl::UTCTimeZone());
  return format_ == LogFormat::kJson
             ? absl::StrCat(R"({"time":")", formatted, R"(",)", text_, "}\n")
             : absl::StrCat("time=", formatted, " ", text_, "\n");
}

}  // namespace quantd::server
