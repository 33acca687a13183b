#include "server/connections/open_connections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/file_descriptor.h"
#include "server/connections/listening_socket.h"
#include "tests/server/connections/client_socket.h"
#include "tests/server/socket_path.h"

namespace quantd::server {
namespace {

// Two ends of a connection.
struct Pair {
  Pair() {
    std::array<int, 2> numbers{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, numbers.data()), 0);
    server = core::FileDescriptor(numbers[0]);
    client = core::FileDescriptor(numbers[1]);
  }

  core::FileDescriptor server{-1};
  core::FileDescriptor client{-1};
};

TEST(OpenConnections, HaveALimitInAll) {
  OpenConnections open({.connections = 2, .connections_per_peer = 2});
  const Pair first;
  const Pair second;
  open.Add(first.server.number(), "a");
  EXPECT_EQ(open.RefusalOf("b"), std::nullopt);
  open.Add(second.server.number(), "b");
  EXPECT_EQ(open.RefusalOf("c"), ConnectionRefusal::kTotalLimit);
}

TEST(OpenConnections, HaveALimitForEachPeer) {
  OpenConnections open({.connections = 3, .connections_per_peer = 1});
  const Pair first;
  open.Add(first.server.number(), "a");
  EXPECT_EQ(open.RefusalOf("a"), ConnectionRefusal::kPeerLimit);
  EXPECT_EQ(open.RefusalOf("b"), std::nullopt);
}

TEST(OpenConnections, GetTheirNumbersWhenTheirHandshakesHaveEnded) {
  const ListeningSockets listening =
      *Listen(std::vector<std::string>{"127.0.0.1:0"}, "--listen", std::nullopt);
  ClientSocket first(listening.addresses.front());
  ClientSocket second(listening.addresses.front());
  OpenConnections open({.connections = 3, .connections_per_peer = 3});
  std::vector<core::FileDescriptor> accepted;
  for (ClientSocket* client : {&first, &second}) {
    ASSERT_TRUE(client->Connect());
    accepted.emplace_back(accept(listening.sockets.front().descriptor.number(), nullptr, nullptr));
    open.Add(accepted.back().number(), "a");
    open.NumberLast(Transport::kHandshaking);
  }
  open.NumberHandshaken(
      {{SocketAddress::OfSocket(second.number()).ToString(), 7}, {"192.0.2.1:1", 8}});
  EXPECT_TRUE(open.AnyIsHandshaking());
  std::vector<Transport::ConnectionNumber> numbers;
  const auto note = [&](Transport::ConnectionNumber number, CallFlood& /*flood*/) {
    numbers.push_back(number);
    return false;
  };
  open.BreakOffIf(note, [](const std::string& /*peer*/) {});
  EXPECT_THAT(numbers, testing::ElementsAre(Transport::kHandshaking, 7));
  open.NumberHandshaken({{SocketAddress::OfSocket(first.number()).ToString(), 9}});
  EXPECT_FALSE(open.AnyIsHandshaking());
}

TEST(OpenConnections, ForgetThoseWhoseHandshakesDoNotEnd) {
  OpenConnections open({.connections = 1, .connections_per_peer = 1});
  std::optional<Pair> pair(std::in_place);
  open.Add(pair->server.number(), "a");
  open.NumberLast(Transport::kHandshaking);
  EXPECT_TRUE(open.AnyIsHandshaking());
  pair.reset();
  open.RemoveClosed();
  EXPECT_FALSE(open.AnyIsHandshaking());
}

TEST(OpenConnections, MakeRoomWhenTheyAreClosed) {
  OpenConnections open({.connections = 1, .connections_per_peer = 1});
  std::optional<Pair> pair(std::in_place);
  open.Add(pair->server.number(), "a");
  open.RemoveClosed();
  EXPECT_EQ(open.size(), 1U) << "it is still open";
  pair.reset();
  open.RemoveClosed();
  EXPECT_EQ(open.size(), 0U);
  EXPECT_EQ(open.RefusalOf("a"), std::nullopt);
}

TEST(OpenConnections, AreNotTakenForOthersThatHaveTheirDescriptor) {
  OpenConnections open({.connections = 2, .connections_per_peer = 2});
  const Pair closed;
  const Pair other;
  open.Add(closed.server.number(), "a");
  // Closes the one, and gives its number to the other.
  ASSERT_GE(dup2(other.server.number(), closed.server.number()), 0);
  open.RemoveClosed();
  EXPECT_EQ(open.size(), 0U);
}

TEST(OpenConnections, KeepTheOthersOfAPeer) {
  OpenConnections open({.connections = 9, .connections_per_peer = 2});
  std::optional<Pair> first(std::in_place);
  const Pair second;
  open.Add(first->server.number(), "a");
  open.Add(second.server.number(), "a");
  first.reset();
  open.RemoveClosed();
  EXPECT_EQ(open.RefusalOf("a"), std::nullopt);
  const Pair third;
  open.Add(third.server.number(), "a");
  EXPECT_EQ(open.RefusalOf("a"), ConnectionRefusal::kPeerLimit);
}

// A connection over TCP or a unix socket, as the server and the client have it.
struct Connection {
  explicit Connection(const std::string& address) {
    const auto listening = Listen(std::vector<std::string>{address}, "--listen", std::nullopt);
    EXPECT_TRUE(listening.ok()) << listening.status();
    client.emplace(listening->addresses.front());
    EXPECT_TRUE(client->Connect());
    server = core::FileDescriptor(
        accept(listening->sockets.front().descriptor.number(), nullptr, nullptr));
  }

  std::optional<ClientSocket> client;
  core::FileDescriptor server{-1};
};

TEST(OpenConnections, AreBrokenOffOnceIfTheirNumbersFulfilACondition) {
  OpenConnections open({.connections = 9, .connections_per_peer = 9});
  Connection kept("127.0.0.1:0");
  Connection broken_off("127.0.0.1:0");
  ASSERT_TRUE(open.Add(kept.server.number(), "a"));
  open.NumberLast(7);
  ASSERT_TRUE(open.Add(broken_off.server.number(), "b"));
  open.NumberLast(8);
  const auto is_second = [](Transport::ConnectionNumber number, CallFlood&) { return number == 8; };
  std::vector<std::string> peers;
  const auto record = [&](const std::string& peer) {
    EXPECT_TRUE(broken_off.client->IsOpen()) << "recorded too late";
    peers.push_back(peer);
  };
  open.BreakOffIf(is_second, record);
  EXPECT_THAT(peers, testing::ElementsAre("b"));
  EXPECT_TRUE(broken_off.client->IsClosedByServer());
  EXPECT_TRUE(kept.client->IsOpen());
  open.BreakOffIf(is_second, record);
  EXPECT_THAT(peers, testing::SizeIs(1)) << "broken off again";
}

constexpr std::uint64_t kLeastCost = OpenConnections::kLeastCost;

// Connections that are counted, with their index as their number and peer.
class CostlyConnections {
 public:
  explicit CostlyConnections(const std::vector<std::string>& addresses) {
    for (const std::string& address : addresses) {
      Connection& added = connections_.emplace_back(address);
      EXPECT_TRUE(open_.Add(added.server.number(), std::to_string(connections_.size())));
      open_.NumberLast(static_cast<Transport::ConnectionNumber>(connections_.size()));
      calls_.push_back(0);
    }
  }

  // The client of a connection sends `bytes`, and its server reads them.
  void Send(std::size_t connection, std::size_t bytes) {
    const std::string sent(bytes, 'x');
    std::string received(bytes, '\0');
    ASSERT_EQ(send(connections_[connection - 1].client->number(), sent.data(), bytes, 0),
              static_cast<ssize_t>(bytes));
    ASSERT_EQ(
        recv(connections_[connection - 1].server.number(), received.data(), bytes, MSG_WAITALL),
        static_cast<ssize_t>(bytes));
  }

  void SetCalls(std::size_t connection, std::uint64_t calls) { calls_[connection - 1] = calls; }

  // Returns the peers of those that are broken off, in this order.
  std::vector<std::string> BreakOffCostliest(std::uint64_t bytes) {
    std::vector<std::string> peers;
    open_.BreakOffCostliest(
        bytes,
        [this](Transport::ConnectionNumber number) {
          return calls_[static_cast<std::size_t>(number - 1)];
        },
        [&](const std::string& peer) { peers.push_back(peer); });
    return peers;
  }

  OpenConnections& open() { return open_; }

 private:
  OpenConnections open_{{.connections = 9, .connections_per_peer = 9}};
  std::vector<Connection> connections_;
  std::vector<std::uint64_t> calls_;
};

TEST(OpenConnections, AreBrokenOffInTheOrderOfWhatTheyReceivedAndOfTheirCalls) {
  CostlyConnections test({"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"});
  test.Send(1, kLeastCost + 1);
  test.Send(2, kLeastCost + 2);
  test.SetCalls(3, 6);
  static_assert(6 * OpenConnections::kCallCost > kLeastCost + 2);
  test.Send(4, kLeastCost - 1);
  EXPECT_THAT(test.BreakOffCostliest(1), testing::ElementsAre("3"));
  EXPECT_THAT(test.BreakOffCostliest(kLeastCost + 3), testing::ElementsAre("2", "1"));
  EXPECT_THAT(test.BreakOffCostliest(1), testing::IsEmpty()) << "it costs less than that";
}

TEST(OpenConnections, AreNotBrokenOffForWhatTheyReceivedLongAgo) {
  CostlyConnections test({"127.0.0.1:0"});
  test.Send(1, kLeastCost);
  test.open().RestartReceivedBytes();
  EXPECT_THAT(test.BreakOffCostliest(1), testing::IsEmpty());
  test.Send(1, kLeastCost);
  EXPECT_THAT(test.BreakOffCostliest(1), testing::ElementsAre("1"));
}

TEST(OpenConnections, OverUnixSocketsAreBrokenOffAfterThoseThatHaveReceivedMuch) {
  const SocketPath socket_path;
  const SocketPath other_path;
  const SocketPath idle_path;
  CostlyConnections test({socket_path.address(), "127.0.0.1:0", "127.0.0.1:0", other_path.address(),
                          idle_path.address()});
  test.SetCalls(1, 2);
  test.Send(2, 2 * kLeastCost);
  test.SetCalls(3, 1);
  test.SetCalls(4, 1);
  EXPECT_THAT(test.BreakOffCostliest(9 * kLeastCost), testing::ElementsAre("2", "1"));
  EXPECT_THAT(test.BreakOffCostliest(9 * kLeastCost), testing::ElementsAre("4"));
  EXPECT_THAT(test.BreakOffCostliest(9 * kLeastCost), testing::IsEmpty());
}

TEST(OpenConnections, LoseWhatNobodyHasReadWhenTheyAreBrokenOff) {
  const SocketPath socket_path;
  for (const std::string& address : {std::string("127.0.0.1:0"), socket_path.address()}) {
    OpenConnections open({.connections = 9, .connections_per_peer = 9});
    Connection connection(address);
    ASSERT_EQ(send(connection.client->number(), "unread", 6, 0), 6);
    char byte = 0;
    ASSERT_EQ(recv(connection.server.number(), &byte, 1, MSG_PEEK), 1) << "it has arrived";
    ASSERT_TRUE(open.Add(connection.server.number(), "a"));
    open.NumberLast(1);
    open.BreakOffIf([](Transport::ConnectionNumber, CallFlood&) { return true; },
                    [](const std::string&) {});
    EXPECT_LE(recv(connection.server.number(), &byte, 1, 0), 0) << address;
  }
}

// Returns the peer of a connection to `address` as the server sees it.
std::string PeerOfConnectionTo(const std::string& address) {
  const auto listening = Listen(std::vector<std::string>{address}, "--listen", std::nullopt);
  if (!listening.ok()) {
    return std::string(listening.status().message());
  }
  const int socket = listening->sockets.front().descriptor.number();
  const SocketAddress own = SocketAddress::OfSocket(socket);
  std::string target = listening->addresses.front();
  if (own.IsAnyIpv6()) {
    target = "127.0.0.1:" + std::to_string(own.port());
  }
  ClientSocket client(target);
  EXPECT_TRUE(client.Connect());
  const core::FileDescriptor connection(accept(socket, nullptr, nullptr));
  return PeerOf(connection.number());
}

TEST(PeerOf, IsTheAddressOfANetworkConnection) {
  EXPECT_EQ(PeerOfConnectionTo("127.0.0.1:0"), "127.0.0.1");
  EXPECT_EQ(PeerOfConnectionTo("[::]:0"), "127.0.0.1") << "as if it had come by IPv4 alone";
}

TEST(PeerOf, IsTheNetworkOfAnIpv6Address) {
  if (!Listen(std::vector<std::string>{"[::1]:0"}, "--listen", std::nullopt).ok()) {
    GTEST_SKIP() << "this machine has no IPv6";
  }
  EXPECT_EQ(PeerOfConnectionTo("[::1]:0"), "::/64");
}

TEST(PeerOf, IsTheUserOfAUnixSocket) {
  const SocketPath socket_path;
  EXPECT_EQ(PeerOfConnectionTo(socket_path.address()), "uid " + std::to_string(getuid()));
}

}  // namespace
}  // namespace quantd::server
