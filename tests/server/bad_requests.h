// Every way in which a request can be wrong, with the error it must get: asked
// of the handlers, and again through a channel.

#ifndef QUANTD_TESTS_SERVER_BAD_REQUESTS_H_
#define QUANTD_TESTS_SERVER_BAD_REQUESTS_H_

#include <functional>
#include <string>
#include <vector>

#include "quantd/v1/quantization_service.pb.h"

namespace quantd::server {

template <typename Request>
struct BadRequest {
  std::string name;
  // Spoils a valid request, of requests.h.
  std::function<void(Request&)> spoil;
  std::string reason;
  std::string field;
};

// For PerChannelRequest().
const std::vector<BadRequest<v1::FakeQuantizeRequest>>& BadFakeQuantizeRequests();

// For PerChannelGradientRequest(): what a gradient has more.
const std::vector<BadRequest<v1::FakeQuantizeGradientRequest>>& BadFakeQuantizeGradientRequests();

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_BAD_REQUESTS_H_
