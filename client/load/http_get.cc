#include "client/load/http_get.h"

#include <httplib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "core/base/host_port.h"

namespace quantd::client {
namespace {

using std::chrono::steady_clock;

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;
constexpr absl::string_view kDefaultPath = "/metrics";

struct Url {
  bool is_https = false;
  core::HostPort server;
  std::string path;
};

bool IsHostCharacter(char c) {
  return absl::ascii_isalnum(c) || absl::string_view(".-_:").find(c) != absl::string_view::npos;
}

std::optional<Url> ParseUrl(absl::string_view text) {
  Url url;
  url.is_https = absl::ConsumePrefix(&text, "https://");
  if (!url.is_https) {
    absl::ConsumePrefix(&text, "http://");
  }
  const std::string host_port(text.substr(0, text.find('/')));
  text.remove_prefix(host_port.size());
  url.path = std::string(text.empty() ? kDefaultPath : text);
  const std::optional<core::HostPort> server =
      core::ParseHostPort(host_port, url.is_https ? kHttpsPort : kHttpPort);
  if (!server.has_value() || server->port == 0 ||
      !std::ranges::all_of(server->host, IsHostCharacter) ||
      !std::ranges::all_of(url.path, absl::ascii_isgraph)) {
    return std::nullopt;
  }
  url.server = *server;
  return url;
}

std::unique_ptr<httplib::ClientImpl> MakeClient(const Url& url) {
  if (url.is_https) {
    return std::make_unique<httplib::SSLClient>(url.server.host, url.server.port);
  }
  return std::make_unique<httplib::ClientImpl>(url.server.host, url.server.port);
}

const char* Describe(httplib::Error error) {
  switch (error) {
    case httplib::Error::Connection:
      return "the host does not exist, or nothing listens on its port";
    case httplib::Error::SSLConnection:
    case httplib::Error::SSLLoadingCerts:
      return "the TLS handshake failed";
    case httplib::Error::SSLServerVerification:
      return "its TLS certificate is not trusted";
    default:
      return "the other side is not an HTTP server, or closed the connection early";
  }
}

absl::Status Unavailable(const std::string& url, absl::string_view reason) {
  return absl::UnavailableError(
      absl::StrCat(url, " cannot be read: ", reason,
                   "; expected an HTTP server: check the URL, and that the server is running"));
}

absl::StatusOr<std::string> Get(const Url& url, const std::string& text,
                                std::chrono::milliseconds timeout) {
  const std::unique_ptr<httplib::ClientImpl> client = MakeClient(url);
  client->set_connection_timeout(timeout);
  client->set_read_timeout(timeout);
  client->set_write_timeout(timeout);
  const steady_clock::time_point deadline = steady_clock::now() + timeout;
  const auto is_in_time = [deadline] { return steady_clock::now() < deadline; };
  std::string page;
  const httplib::Result result = client->Get(url.path, [&](const char* bytes, std::size_t count) {
    page.append(bytes, count);
    return is_in_time();
  });
  if (!result) {
    return Unavailable(
        text, is_in_time() ? Describe(result.error())
                           : absl::StrCat("no complete answer within ", timeout.count(), " ms"));
  }
  constexpr int kOk = 200;
  constexpr int kNotFound = 404;
  if (result->status == kOk) {
    return page;
  }
  return absl::Status(
      result->status == kNotFound ? absl::StatusCode::kNotFound : absl::StatusCode::kUnknown,
      absl::StrCat(text, " answered with HTTP status ", result->status,
                   "; expected 200: check the URL's host, port and path"));
}

}  // namespace

absl::StatusOr<std::string> HttpGet(const std::string& url, std::chrono::milliseconds timeout) {
  try {
    const std::optional<Url> parsed = ParseUrl(url);
    if (!parsed.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", url,
          "\" is not a valid URL; expected http://HOST:PORT/PATH with a port from 1 to "
          "65535, such as http://localhost:9464/metrics"));
    }
    return Get(*parsed, url, timeout);
  } catch (const std::exception& exception) {
    return Unavailable(url, exception.what());
  }
}

}  // namespace quantd::client
