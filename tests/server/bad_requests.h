// Every way in which a request can be invalid, with the expected error. The cases are
// used with the handlers directly, and again through a channel.

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
  // Makes a valid request from requests.h invalid.
  std::function<void(Request&)> spoil;
  std::string reason;
  std::string field;
  // Whether it is also invalid behind others in a stream, for the same reason: these
  // may leave it what it lacks, and a stream refuses data ranges altogether.
  bool also_in_streams = true;
};

// Cases for PerChannelRequest().
const std::vector<BadRequest<v1::FakeQuantizeRequest>>& BadFakeQuantizeRequests();

// Cases for PerChannelGradientRequest().
const std::vector<BadRequest<v1::FakeQuantizeGradientRequest>>& BadFakeQuantizeGradientRequests();

// Cases for PerChannelQuantizeRequest().
const std::vector<BadRequest<v1::QuantizeRequest>>& BadQuantizeRequests();

// Cases for PerChannelDequantizeRequest().
const std::vector<BadRequest<v1::DequantizeRequest>>& BadDequantizeRequests();

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_BAD_REQUESTS_H_
