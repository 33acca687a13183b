// One client of an HTTP server.

#ifndef QUANTD_SERVER_TELEMETRY_HTTP_CONNECTION_H_
#define QUANTD_SERVER_TELEMETRY_HTTP_CONNECTION_H_

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "server/telemetry/http_page.h"

namespace quantd::server {

// Answers one request with a page, and ends. Takes a bounded time and a bounded amount of memory,
// whatever its client does. Runs on the thread of its socket.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  // How long the client has to send its request and take the answer.
  static constexpr std::chrono::seconds kMaxAge{10};
  static constexpr std::size_t kMaxHeaderBytes = std::size_t{8} << 10;

  using OnEnd = std::function<void(HttpConnection*)>;

  using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

  // Encrypts if `tls` is not null. `page` must outlive this. `on_end` is called once, unless
  // Close() is called before.
  HttpConnection(boost::asio::ip::tcp::socket socket, TlsContext tls, const HttpPage* page,
                 OnEnd on_end);

  // Reads the request and answers it. A std::shared_ptr to this has to exist.
  void Start();

  // Ends at once.
  void Close();

  // Whether the client has sent its request and still has to take the answer.
  bool IsAnswering() const { return answering_; }

 private:
  using PlainStream = boost::beast::tcp_stream;
  using TlsStream = boost::beast::ssl_stream<boost::beast::tcp_stream>;

  boost::beast::tcp_stream& transport();
  void ReadRequest();
  void Answer(boost::beast::error_code error);
  void EndSending();
  Credentials CredentialsOfClient();
  // Returns the answer to a request for the page.
  std::string RenderPage();
  void MakeResponse(boost::beast::error_code error);
  void WaitForClient();
  void End();

  const TlsContext tls_;
  std::variant<PlainStream, TlsStream> stream_;
  const HttpPage& page_;
  OnEnd on_end_;
  bool answering_ = false;
  boost::beast::flat_buffer buffer_;
  boost::beast::http::request_parser<boost::beast::http::empty_body> request_;
  boost::beast::http::response<boost::beast::http::string_body> response_;
  // For what the client sends after its request.
  std::array<char, 4096> ignored_{};
  std::size_t ignored_bytes_ = 0;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_HTTP_CONNECTION_H_
