#include "server/telemetry/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"

namespace quantd::server {
namespace {

using Json = nlohmann::ordered_json;

// %v is the event with its fields. In JSON, it also closes the brace.
constexpr const char* kTextPattern = "time=%Y-%m-%dT%H:%M:%S.%eZ level=%l %v";
constexpr const char* kJsonPattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v)";

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      break;
  }
  return spdlog::level::err;
}

std::string Dump(const Json& json) {
  // Bytes that are not valid UTF-8 are replaced, because logging must not fail.
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

Json ToJson(const LogField& field) {
  return std::visit([](const auto& value) { return Json(value); }, field.value);
}

std::string JsonBody(std::string_view event, std::initializer_list<LogField> fields) {
  Json object = {{"event", event}};
  for (const LogField& field : fields) {
    object[std::string(field.name)] = ToJson(field);
  }
  return Dump(object).substr(1);
}

bool IsPlain(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("_.:/-+[]").find(c) != std::string_view::npos;
  });
}

std::string TextValue(const LogField& field) {
  const auto* const text = std::get_if<std::string>(&field.value);
  return text != nullptr && IsPlain(*text) ? *text : Dump(ToJson(field));
}

std::string TextBody(std::string_view event, std::initializer_list<LogField> fields) {
  std::string body = "event=" + Dump(Json(event));
  for (const LogField& field : fields) {
    body += ' ';
    body += field.name;
    body += '=';
    body += TextValue(field);
  }
  return body;
}

}  // namespace

Log::Log(LogLevel level, LogFormat format, std::ostream& out)
    : format_(format),
      logger_(std::make_unique<spdlog::logger>(
          "quantd", std::make_shared<spdlog::sinks::ostream_sink_mt>(out, /*force_flush=*/true))) {
  logger_->set_level(SpdlogLevel(level));
  logger_->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      format == LogFormat::kJson ? kJsonPattern : kTextPattern, spdlog::pattern_time_type::utc));
}

Log::~Log() = default;

bool Log::Writes(LogLevel level) const { return logger_->should_log(SpdlogLevel(level)); }

void Log::Write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!Writes(level)) {
    return;
  }
  const std::string body =
      format_ == LogFormat::kJson ? JsonBody(event, fields) : TextBody(event, fields);
  logger_->log(SpdlogLevel(level), spdlog::string_view_t(body));
}

}  // namespace quantd::server
