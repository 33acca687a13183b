// A page that is served over HTTP.

#ifndef QUANTD_SERVER_TELEMETRY_HTTP_PAGE_H_
#define QUANTD_SERVER_TELEMETRY_HTTP_PAGE_H_

#include <functional>
#include <string>

namespace quantd::server {

struct HttpPage {
  // Such as "/metrics".
  std::string path;
  std::string content_type;
  // Returns what the page says at present. Called by one thread at a time.
  std::function<std::string()> render;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_HTTP_PAGE_H_
