#include "server/connections/grpc_transport.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/file_descriptor.h"
#include "server/access/server_tls.h"
#include "server/access/tls_identity.h"
#include "server/calls/transport_calls.h"
#include "server/connections/listening_socket.h"
#include "server/connections/socket_address.h"
#include "tests/server/access/made_certificate.h"
#include "tests/wait_until.h"

namespace quantd::server {
namespace {

// The two ends of a connection.
struct Ends {
  Ends() {
    std::array<int, 2> numbers{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, numbers.data()),
              0);
    server = core::FileDescriptor(numbers[0]);
    client = core::FileDescriptor(numbers[1]);
  }

  core::FileDescriptor server{-1};
  core::FileDescriptor client{-1};
};

// HTTP/2 (RFC 9113).
const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr char kData = 0;
constexpr char kHeaders = 1;
constexpr char kRstStream = 3;
constexpr char kSettings = 4;
constexpr char kEndHeaders = 4;

// `payload` has less than 256 bytes, and `stream` is below 128.
std::string Frame(char kind, char flags, char stream, const std::string& payload) {
  return std::string(2, '\0') + static_cast<char>(payload.size()) + kind + flags +
         std::string(3, '\0') + stream + payload;
}

// The header block of a gRPC call, without compression (RFC 7541).
std::string RequestHeaders(const std::string& path) {
  std::string block;
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{":method", "POST"},
                                                        {":scheme", "http"},
                                                        {":path", path},
                                                        {":authority", "localhost"},
                                                        {"te", "trailers"},
                                                        {"content-type", "application/grpc"}}) {
    block += '\0';
    block += static_cast<char>(name.size());
    block += name;
    block += static_cast<char>(value.size());
    block += value;
  }
  return block;
}

void Send(const core::FileDescriptor& socket, const std::string& bytes) {
  EXPECT_EQ(send(socket.number(), bytes.data(), bytes.size(), 0),
            static_cast<ssize_t>(bytes.size()));
}

// A server that has no methods but those of the health service.
class ServerWithTransport {
 public:
  // Encrypts connections over the network if `tls` is not null.
  explicit ServerWithTransport(ServerTls* tls = nullptr) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    builder.RegisterCallbackGenericService(&service_);
    GrpcTransport::Acceptors acceptors = {
        .plain = AddAcceptor(builder, grpc::InsecureServerCredentials())};
    if (tls != nullptr) {
      acceptors.tls = AddAcceptor(builder, tls->MakeCredentials());
    }
    server_ = calls_.Start(builder);
    transport_.emplace(std::move(acceptors), calls_.statistics(), [] { return -5; });
  }
  ~ServerWithTransport() { server_->Shutdown(std::chrono::system_clock::now()); }
  ServerWithTransport(const ServerWithTransport&) = delete;
  ServerWithTransport& operator=(const ServerWithTransport&) = delete;

  GrpcTransport& transport() { return *transport_; }
  TransportCalls::Settled Connections() const {
    TransportCalls::Settled settled;
    static_cast<void>(calls_.CountOpen(settled));
    return settled;
  }

 private:
  static GrpcTransport::GrpcAcceptor AddAcceptor(
      grpc::ServerBuilder& builder, const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    return builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
  }

  grpc::CallbackGenericService service_;
  TransportCalls calls_;
  std::unique_ptr<grpc::Server> server_;
  std::optional<GrpcTransport> transport_;
};

TEST(GrpcTransport, NumbersEachConnectionAsSoonAsItIsServed) {
  ServerWithTransport server;
  TransportCalls::Settled numbers;
  std::vector<Ends> ends(20);
  for (Ends& each : ends) {
    const Transport::ConnectionNumber number = server.transport().Serve(std::move(each.server));
    EXPECT_NE(number, Transport::kClosed);
    EXPECT_EQ(server.transport().CallsOf(number).in_memory, 0U);
    numbers.insert(number);
    EXPECT_EQ(server.Connections(), numbers) << "the number is that of another connection";
  }
}

// A listening socket, and a client that connects to it in TLS.
class TlsClient {
 public:
  explicit TlsClient(const MadeCertificate& trusted)
      : listening_(*Listen(std::vector<std::string>{"127.0.0.1:0"}, "--listen", std::nullopt)) {
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride("test");
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    channel_ = grpc::CreateCustomChannel(
        listening_.addresses.front(),
        grpc::SslCredentials(
            {.pem_root_certs = trusted.certificate(), .pem_private_key = "", .pem_cert_chain = ""}),
        arguments);
  }

  // Connects, and returns the server's end.
  core::FileDescriptor Connect() {
    channel_->GetState(/*try_to_connect=*/true);
    int number = -1;
    EXPECT_TRUE(WaitUntil([&] {
      number = accept4(listening_.sockets.front().descriptor.number(), nullptr, nullptr,
                       SOCK_CLOEXEC | SOCK_NONBLOCK);
      return number >= 0;
    }));
    return core::FileDescriptor(number);
  }

  bool IsConnected() { return channel_->GetState(false) == GRPC_CHANNEL_READY; }

 private:
  ListeningSockets listening_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST(GrpcTransport, NumbersAnEncryptedConnectionWhenItsHandshakeHasEnded) {
  const MadeCertificate made(3600);
  ServerTls tls(*MakeTlsIdentity({.path = "cert", .text = made.certificate()},
                                 {.path = "key", .text = made.key()}, {}));
  ServerWithTransport server(&tls);
  TlsClient client(made);
  core::FileDescriptor connection = client.Connect();
  const std::string address = SocketAddress::OfPeer(connection.number())->ToString();
  EXPECT_EQ(server.transport().Serve(std::move(connection)), Transport::kHandshaking);
  // A connection in plain text is not taken for it.
  Ends ends;
  const Transport::ConnectionNumber plain = server.transport().Serve(std::move(ends.server));
  EXPECT_GT(plain, 0);
  Transport::NumbersByAddress numbers;
  EXPECT_TRUE(WaitUntil([&] {
    numbers.merge(server.transport().TakeHandshaken());
    return !numbers.empty();
  }));
  EXPECT_TRUE(WaitUntil([&] { return client.IsConnected(); }));
  ASSERT_EQ(numbers.size(), 1U);
  EXPECT_EQ(numbers.begin()->first, address);
  EXPECT_GT(numbers.begin()->second, 0);
  EXPECT_NE(numbers.begin()->second, plain);
  EXPECT_TRUE(server.transport().TakeHandshaken().empty()) << "each is returned once";
}

TEST(GrpcTransport, AsksHowMuchMoreMayBeAllocated) {
  ServerWithTransport server;
  EXPECT_EQ(server.transport().spare_bytes(), -5);
}

TEST(GrpcTransport, CountsCallsThatAreAborted) {
  ServerWithTransport server;
  Ends ends;
  const Transport::ConnectionNumber number = server.transport().Serve(std::move(ends.server));
  Send(ends.client, kPreface + Frame(kSettings, 0, 0, "") +
                        Frame(kHeaders, kEndHeaders, 1, RequestHeaders("/x/y")) +
                        Frame(kRstStream, 0, 1, std::string("\0\0\0\x08", 4)));
  EXPECT_TRUE(WaitUntil([&] { return server.transport().failed_calls() == 1; }));
  EXPECT_TRUE(WaitUntil([&] { return server.transport().CallsOf(number).failed == 1; }));
  EXPECT_EQ(server.transport().CallsOf(number).messages, 0U);
}

TEST(GrpcTransport, KnowsCallsThatAreOpen) {
  ServerWithTransport server;
  Ends ends;
  const Transport::ConnectionNumber number = server.transport().Serve(std::move(ends.server));
  // A length of 2 bytes and one of them.
  Send(ends.client,
       kPreface + Frame(kSettings, 0, 0, "") +
           Frame(kHeaders, kEndHeaders, 1, RequestHeaders("/grpc.health.v1.Health/Check")) +
           Frame(kData, 0, 1, std::string("\0\0\0\0\x02x", 6)));
  EXPECT_TRUE(WaitUntil([&] { return server.transport().CallsOf(number).in_memory == 1; }));
  ends.client = core::FileDescriptor(-1);
  EXPECT_TRUE(WaitUntil([&] { return server.transport().CallsOf(number).in_memory == 0; }));
}

}  // namespace
}  // namespace quantd::server
