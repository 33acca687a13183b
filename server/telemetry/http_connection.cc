#include "server/telemetry/http_connection.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

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

HttpConnection::HttpConnection(asio::ip::tcp::socket socket, const HttpPage* page, OnEnd on_end)
    : stream_(std::move(socket)),
      page_(*page),
      on_end_(std::move(on_end)),
      buffer_(kMaxBufferBytes) {
  request_.header_limit(kMaxHeaderBytes);
}

void HttpConnection::Start() {
  // Holds for all that follows.
  stream_.expires_after(kMaxAge);
  http::async_read_header(
      stream_, buffer_, request_,
      [self = shared_from_this()](error_code error, std::size_t /*size*/) { self->Answer(error); });
}

void HttpConnection::Close() {
  on_end_ = nullptr;
  stream_.close();
}

void HttpConnection::Answer(error_code error) {
  if (error && !IsBadRequest(error)) {
    End();
    return;
  }
  answering_ = true;
  MakeResponse(error);
  http::async_write(stream_, response_,
                    [self = shared_from_this()](error_code write_error, std::size_t /*size*/) {
                      self->answering_ = false;
                      if (write_error) {
                        self->End();
                        return;
                      }
                      error_code ignored;
                      self->stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send,
                                                      ignored);
                      self->WaitForClient();
                    });
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
    response_.set(http::field::content_type, page_.content_type);
    body = page_.render();
  }
  response_.set(http::field::date, DateNow());
  response_.keep_alive(false);
  response_.content_length(body.size());
  if (request.method() != http::verb::head) {
    response_.body() = std::move(body);
  }
}

void HttpConnection::WaitForClient() {
  stream_.async_read_some(asio::buffer(ignored_),
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
    stream_.close();
    on_end(this);
  }
}

}  // namespace quantd::server
