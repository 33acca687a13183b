#include "server/telemetry/http_server.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/verify_mode.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cassert>
#include <chrono>
#include <cstdint>
#include <list>
#include <thread>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/connections/socket_address.h"
#include "server/telemetry/http_connection.h"

namespace quantd::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// When to accept again after an error. Nothing reports that there is a descriptor again.
constexpr std::chrono::milliseconds kAcceptRetryInterval{100};

// `identity` was checked (MakeTlsIdentity()).
HttpConnection::TlsContext MakeTlsContext(const TlsIdentity& identity) {
  using asio::ssl::context;
  auto tls = std::make_shared<context>(context::tls_server);
  error_code error;
  tls->set_options(context::default_workarounds | context::no_sslv2 | context::no_sslv3 |
                       context::no_tlsv1 | context::no_tlsv1_1,
                   error);
  assert(!error);
  tls->use_certificate_chain(asio::buffer(identity.certificate_chain), error);
  assert(!error);
  tls->use_private_key(asio::buffer(identity.private_key), context::pem, error);
  assert(!error);
  if (!identity.client_roots.empty()) {
    tls->add_certificate_authority(asio::buffer(identity.client_roots), error);
    assert(!error);
    tls->set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert, error);
    assert(!error);
  }
  return tls;
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const ServerTls* tls, HttpPage page) : tls_(tls), page_(std::move(page)) {}

  ~Impl() {
    context_.stop();
    if (thread_.joinable()) {
      thread_.join();
    }
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  absl::Status Start(std::vector<ListeningSocket> sockets) {
    for (ListeningSocket& socket : sockets) {
      const bool is_ipv4 = SocketAddress::OfSocket(socket.descriptor.number()).family() == AF_INET;
      tcp::acceptor acceptor(context_);
      error_code error;
      acceptor.assign(is_ipv4 ? tcp::v4() : tcp::v6(), socket.descriptor.number(), error);
      if (error) {
        return absl::ResourceExhaustedError(
            absl::StrCat("cannot serve the metrics page: ", error.message(),
                         "; expected free file descriptors: raise the limit (ulimit -n, "
                         "LimitNOFILE)"));
      }
      static_cast<void>(socket.descriptor.Release());
      listeners_.emplace_back(std::move(acceptor));
    }
    for (Listener& listener : listeners_) {
      Accept(listener);
    }
    thread_ = std::thread([this] { context_.run(); });
    return absl::OkStatus();
  }

  core::HostPort address() const {
    const tcp::endpoint endpoint = listeners_.front().acceptor.local_endpoint();
    return {.host = endpoint.address().to_string(), .port = endpoint.port()};
  }

 private:
  struct Listener {
    explicit Listener(tcp::acceptor taken)
        : acceptor(std::move(taken)), retry(acceptor.get_executor()) {}

    tcp::acceptor acceptor;
    asio::steady_timer retry;
  };

  void Accept(Listener& listener) {
    listener.acceptor.async_accept([this, &listener](error_code error, tcp::socket socket) {
      if (!error) {
        Serve(std::move(socket));
      } else if (!MakeRoom()) {
        listener.retry.expires_after(kAcceptRetryInterval);
        listener.retry.async_wait([this, &listener](error_code /*error*/) { Accept(listener); });
        return;
      }
      Accept(listener);
    });
  }

  void Serve(tcp::socket socket) {
    if (connections_.size() >= kMaxConnections) {
      MakeRoom();
    }
    connections_.push_back(std::make_shared<HttpConnection>(
        std::move(socket), CurrentTlsContext(), &page_, [this](HttpConnection* ended) {
          std::erase_if(connections_, [ended](const auto& each) { return each.get() == ended; });
        }));
    connections_.back()->Start();
  }

  // Returns null for plain text.
  HttpConnection::TlsContext CurrentTlsContext() {
    if (tls_ != nullptr) {
      if (const ServerTls::Version newest = tls_->identity(); newest.number != tls_version_) {
        tls_context_ = MakeTlsContext(*newest.identity);
        tls_version_ = newest.number;
      }
    }
    return tls_context_;
  }

  // Closes the oldest connection that still waits for its client's request or its end. If there is
  // none, closes the oldest one. Returns false if there is none.
  bool MakeRoom() {
    if (connections_.empty()) {
      return false;
    }
    const auto waiting = std::ranges::find_if(
        connections_, [](const auto& connection) { return !connection->IsAnswering(); });
    const auto chosen = waiting == connections_.end() ? connections_.begin() : waiting;
    (*chosen)->Close();
    connections_.erase(chosen);
    return true;
  }

  const ServerTls* const tls_;
  const HttpPage page_;
  // Made of the identity with the number tls_version_.
  HttpConnection::TlsContext tls_context_;
  std::uint64_t tls_version_ = 0;
  // Destroyed last of these: the others are its objects.
  asio::io_context context_{1};
  std::list<Listener> listeners_;
  // By age, the oldest first.
  std::list<std::shared_ptr<HttpConnection>> connections_;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(std::vector<ListeningSocket> sockets,
                                                              const ServerTls* tls, HttpPage page) {
  auto impl = std::make_unique<Impl>(tls, std::move(page));
  RETURN_IF_ERROR(impl->Start(std::move(sockets)));
  return absl::WrapUnique(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

core::HostPort HttpServer::address() const { return impl_->address(); }

}  // namespace quantd::server
