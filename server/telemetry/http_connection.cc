#include "server/telemetry/http_connection.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/stream_base.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/access/certificate_names.h"

namespace quantd::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using beast::error_code;

// The parser refuses larger headers before the buffer is full.
constexpr std::size_t kMaxBufferBytes = 2 * HttpConnection::kMaxHeaderBytes;

// Closing a connection while the client still sends would reset it, and the client might lose the
// answer. A client that sends more than this does not want one.
constexpr std::size_t kMaxIgnoredBytes = std::size_t{64} << 10;

// Whether the client sent something that is no request, rather than nothing.
bool IsBadRequest(error_code error) {
  return error.category() == http::make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

bool IsTooLarge(error_code error) {
  return error == http::error::header_limit || error == http::error::buffer_overflow;
}

std::string DateNow() {
  return absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", absl::Now(), absl::UTCTimeZone());
}

}  // namespace

HttpConnection::HttpConnection(asio::ip::tcp::socket socket, TlsContext tls, const HttpPage* page,
                               OnEnd on_end)
    : tls_(std::move(tls)),
      stream_(tls_ == nullptr
                  ? decltype(stream_)(std::in_place_type<PlainStream>, std::move(socket))
                  : decltype(stream_)(std::in_place_type<TlsStream>, std::move(socket), *tls_)),
      page_(*page),
      on_end_(std::move(on_end)),
      buffer_(kMaxBufferBytes) {
  request_.header_limit(kMaxHeaderBytes);
}

beast::tcp_stream& HttpConnection::transport() {
  return std::visit(
      [](auto& stream) -> beast::tcp_stream& { return beast::get_lowest_layer(stream); }, stream_);
}

void HttpConnection::Start() {
  // Holds for all that follows.
  transport().expires_after(kMaxAge);
  if (auto* const stream = std::get_if<TlsStream>(&stream_); stream != nullptr) {
    stream->async_handshake(asio::ssl::stream_base::server,
                            [self = shared_from_this()](error_code error) {
                              if (error) {
                                self->End();
                              } else {
                                self->ReadRequest();
                              }
                            });
  } else {
    ReadRequest();
  }
}

void HttpConnection::ReadRequest() {
  std::visit(
      [this](auto& stream) {
        http::async_read_header(
            stream, buffer_, request_,
            [self = shared_from_this()](error_code error, std::size_t /*size*/) {
              self->Answer(error);
            });
      },
      stream_);
}

void HttpConnection::Close() {
  on_end_ = nullptr;
  transport().close();
}

void HttpConnection::Answer(error_code error) {
  if (error && !IsBadRequest(error)) {
    End();
    return;
  }
  answering_ = true;
  MakeResponse(error);
  std::visit(
      [this](auto& stream) {
        http::async_write(
            stream, response_,
            [self = shared_from_this()](error_code write_error, std::size_t /*size*/) {
              self->answering_ = false;
              if (write_error) {
                self->End();
              } else {
                self->EndSending();
              }
            });
      },
      stream_);
}

void HttpConnection::EndSending() {
  if (auto* const stream = std::get_if<TlsStream>(&stream_); stream != nullptr) {
    // TLS has its own end, for which the client does the same.
    stream->async_shutdown([self = shared_from_this()](error_code /*error*/) { self->End(); });
    return;
  }
  error_code ignored;
  transport().socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  WaitForClient();
}

Credentials HttpConnection::CredentialsOfClient() {
  Credentials credentials;
  if (auto* const stream = std::get_if<TlsStream>(&stream_); stream != nullptr) {
    credentials.certificate_names = PeerCertificateNames(stream->native_handle());
  }
  const auto header = request_.get().find(http::field::authorization);
  if (header != request_.get().end()) {
    credentials.authorization.emplace(header->value().data(), header->value().size());
  }
  return credentials;
}

std::string HttpConnection::RenderPage() {
  if (page_.admit != nullptr) {
    error_code error;
    const asio::ip::tcp::endpoint client = transport().socket().remote_endpoint(error);
    const absl::Status status =
        page_.admit(CredentialsOfClient(), error ? "unknown" : client.address().to_string());
    if (!status.ok()) {
      const bool is_unknown = absl::IsUnauthenticated(status);
      response_.result(is_unknown ? http::status::unauthorized : http::status::forbidden);
      if (is_unknown) {
        response_.set(http::field::www_authenticate, "Bearer");
      }
      return absl::StrCat(status.message(), "\n");
    }
  }
  response_.set(http::field::content_type, page_.content_type);
  return page_.render();
}

void HttpConnection::MakeResponse(error_code error) {
  const auto& request = request_.get();
  const beast::string_view path = request.target().substr(0, request.target().find('?'));
  std::string body;
  response_.set(http::field::content_type, "text/plain; charset=utf-8");
  if (error) {
    response_.result(IsTooLarge(error) ? http::status::request_header_fields_too_large
                                       : http::status::bad_request);
    body = absl::StrCat("expected an HTTP request with at most ", kMaxHeaderBytes,
                        " bytes of header: ", error.message(), "\n");
  } else if (path != page_.path) {
    response_.result(http::status::not_found);
    body = absl::StrCat("expected ", page_.path, "\n");
  } else if (request.method() != http::verb::get && request.method() != http::verb::head) {
    response_.result(http::status::method_not_allowed);
    response_.set(http::field::allow, "GET, HEAD");
    body = "expected GET or HEAD\n";
  } else {
    body = RenderPage();
  }
  response_.set(http::field::date, DateNow());
  response_.keep_alive(false);
  response_.content_length(body.size());
  if (request.method() != http::verb::head) {
    response_.body() = std::move(body);
  }
}

void HttpConnection::WaitForClient() {
  transport().async_read_some(asio::buffer(ignored_),
                              [self = shared_from_this()](error_code error, std::size_t size) {
                                self->ignored_bytes_ += size;
                                if (error || self->ignored_bytes_ > kMaxIgnoredBytes) {
                                  self->End();
                                } else {
                                  self->WaitForClient();
                                }
                              });
}

void HttpConnection::End() {
  if (OnEnd on_end = std::exchange(on_end_, nullptr); on_end != nullptr) {
    transport().close();
    on_end(this);
  }
}

}  // namespace quantd::server
