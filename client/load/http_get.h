// A minimal HTTP client for reading metrics pages.

#ifndef QUANTD_CLIENT_LOAD_HTTP_GET_H_
#define QUANTD_CLIENT_LOAD_HTTP_GET_H_

#include <chrono>
#include <string>

#include "absl/status/statusor.h"

namespace quantd::client {

// Returns the page at `url`. Does not use a proxy and does not follow redirects. The
// scheme defaults to http://, and the path to /metrics. `timeout`, which must be
// above 0, limits connecting, each wait for the server, and reading the whole page.
//
// Errors: kInvalidArgument if `url` is not a valid URL; kUnavailable if no complete
// answer arrives; kNotFound for the HTTP status 404, and kUnknown for any other
// status except 200. All messages name the URL.
absl::StatusOr<std::string> HttpGet(const std::string& url, std::chrono::milliseconds timeout);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_HTTP_GET_H_
