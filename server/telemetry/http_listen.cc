#include "server/telemetry/http_listen.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace quantd::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

using Acceptors = std::vector<tcp::acceptor>;

// A port that is free on one address may be in use on another one. How many to try.
constexpr int kMaxPortAttempts = 16;

absl::StatusOr<std::vector<asio::ip::address>> AddressesOf(const std::string& host,
                                                           asio::io_context& context) {
  if (host == "localhost") {
    // RFC 6761, section 6.3. Without /etc/hosts, as in a bare container, or with a short one, the
    // resolver knows less.
    return std::vector<asio::ip::address>{asio::ip::address_v4::loopback(),
                                          asio::ip::address_v6::loopback()};
  }
  error_code error;
  const auto found = tcp::resolver(context).resolve(host, "", tcp::resolver::passive, error);
  if (error) {
    return absl::NotFoundError(
        absl::StrCat("the host '", host, "' is unknown (", error.message(),
                     "); expected a name or an address of this machine: check --metrics-listen"));
  }
  std::vector<asio::ip::address> addresses;
  for (const auto& entry : found) {
    addresses.push_back(entry.endpoint().address());
  }
  // By family, and IPv4 first.
  std::ranges::sort(addresses);
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

tcp::acceptor ListenOn(const tcp::endpoint& endpoint, asio::io_context& context,
                       error_code& error) {
  tcp::acceptor acceptor(context);
  const auto unless_failed = [&error](auto step) {
    if (!error) {
      step();
    }
  };
  error.clear();
  acceptor.open(endpoint.protocol(), error);
  unless_failed([&] { acceptor.set_option(tcp::acceptor::reuse_address(true), error); });
  unless_failed([&] {
    if (endpoint.address().is_v6()) {
      const bool alone = !endpoint.address().is_unspecified();
      acceptor.set_option(asio::ip::v6_only(alone), error);
    }
  });
  unless_failed([&] { acceptor.bind(endpoint, error); });
  unless_failed([&] { acceptor.listen(tcp::acceptor::max_listen_connections, error); });
  return acceptor;
}

// Whether this machine lacks the address or its family.
bool IsNotHere(error_code error) {
  return error == asio::error::address_family_not_supported ||
         error == boost::system::errc::address_not_available;
}

// Listens on all addresses that this machine has. If it has none of them, or listening on one of
// the others fails, `error` is set.
Acceptors ListenOnAll(const std::vector<asio::ip::address>& addresses, std::uint16_t port,
                      asio::io_context& context, error_code& error) {
  Acceptors acceptors;
  error_code not_here;
  for (const asio::ip::address& address : addresses) {
    tcp::acceptor acceptor = ListenOn(tcp::endpoint(address, port), context, error);
    if (!error) {
      port = acceptor.local_endpoint().port();
      acceptors.push_back(std::move(acceptor));
    } else if (IsNotHere(error)) {
      not_here = error;
    } else {
      return {};
    }
  }
  error = acceptors.empty() ? not_here : error_code();
  return acceptors;
}

}  // namespace

absl::StatusOr<Acceptors> HttpListen(const core::HostPort& host_port, asio::io_context* context) {
  ASSIGN_OR_RETURN(const std::vector<asio::ip::address> addresses,
                   AddressesOf(host_port.host, *context));
  error_code error;
  Acceptors acceptors = ListenOnAll(addresses, host_port.port, *context, error);
  for (int attempt = 1;
       host_port.port == 0 && error == asio::error::address_in_use && attempt < kMaxPortAttempts;
       ++attempt) {
    acceptors = ListenOnAll(addresses, 0, *context, error);
  }
  if (error) {
    return absl::UnavailableError(absl::StrCat(
        "cannot serve metrics on ", core::FormatHostPort(host_port), " (", error.message(),
        "); expected a free address of this machine: choose another one with "
        "--metrics-listen, or stop the process that listens there"));
  }
  return acceptors;
}

}  // namespace quantd::server
