// A page that is served over HTTP.

#ifndef QUANTD_SERVER_TELEMETRY_HTTP_PAGE_H_
#define QUANTD_SERVER_TELEMETRY_HTTP_PAGE_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "server/access/caller.h"

namespace quantd::server {

struct HttpPage {
  // Such as "/metrics".
  std::string path;
  std::string content_type;
  // Returns what the page says at present. Called by one thread at a time.
  std::function<std::string()> render;
  // Whether a client with these credentials may have the page: OK, kUnauthenticated or
  // kPermissionDenied; null: everybody may. Called by one thread at a time. `peer` is the client's
  // address, for the log.
  std::function<absl::Status(const Credentials& credentials, const std::string& peer)> admit =
      nullptr;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_HTTP_PAGE_H_
