// Pages over HTTP, as far as a client of a metrics page needs them.

#ifndef QUANTD_CLIENT_LOAD_HTTP_GET_H_
#define QUANTD_CLIENT_LOAD_HTTP_GET_H_

#include <chrono>
#include <string>

#include "absl/status/statusor.h"

namespace quantd::client {

// Gets the page at `url`, directly: no proxy is asked and no redirection
// followed. Without a scheme, it is taken as http://; without a path, as /metrics.
// Connecting and each wait for the server may take `timeout`, which must be
// above 0; a page that is still coming by then is given up.
//
// Errors: kInvalidArgument for what is no URL; kUnavailable where no whole answer
// comes; kNotFound for HTTP's 404, kUnknown for any other status but 200. All
// name the URL.
absl::StatusOr<std::string> HttpGet(const std::string& url, std::chrono::milliseconds timeout);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_HTTP_GET_H_
