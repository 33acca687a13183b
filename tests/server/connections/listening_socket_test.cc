#include "server/connections/listening_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/host_port.h"
#include "server/connections/socket_address.h"
#include "tests/server/connections/client_socket.h"
#include "tests/server/connections/without_ipv6.h"
#include "tests/server/socket_path.h"

namespace quantd::server {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

absl::StatusOr<ListeningSockets> ListenOn(const std::vector<std::string>& addresses) {
  return Listen(addresses, "--listen", std::nullopt);
}

std::string ErrorOf(const std::vector<std::string>& addresses) {
  const auto listening = ListenOn(addresses);
  EXPECT_EQ(listening.status().code(), absl::StatusCode::kUnavailable);
  return std::string(listening.status().message());
}

std::string PortOf(const std::string& address) {
  return std::to_string(core::ParseHostPort(address)->port);
}

// The port of the only address in `listening`.
std::string PortOf(const absl::StatusOr<ListeningSockets>& listening) {
  return PortOf(listening->addresses.front());
}

bool HasIpv6() { return ListenOn({"[::1]:0"}).ok(); }

TEST(Listen, GivesLocalhostTheSamePortOnIpv4AndIpv6) {
  const auto listening = ListenOn({"localhost:0"});
  ASSERT_TRUE(listening.ok()) << listening.status();
  ASSERT_THAT(listening->addresses, SizeIs(1));
  EXPECT_THAT(listening->addresses.front(), testing::MatchesRegex("localhost:[1-9][0-9]*"));
  EXPECT_TRUE(CanConnect("127.0.0.1:" + PortOf(listening)));
  if (HasIpv6()) {
    EXPECT_TRUE(CanConnect("[::1]:" + PortOf(listening)));
    EXPECT_THAT(listening->sockets, SizeIs(2));
  }
}

TEST(Listen, NamesTheHalfOfLocalhostThatIsTaken) {
  for (const std::string half : {"127.0.0.1", "[::1]"}) {
    if (half == "[::1]" && !HasIpv6()) {
      continue;
    }
    const auto other = ListenOn({half + ":0"});
    ASSERT_TRUE(other.ok()) << other.status();
    const std::string error = ErrorOf({"localhost:" + PortOf(other)});
    EXPECT_THAT(error, HasSubstr("cannot listen on localhost:" + PortOf(other) + ": " + half + ":" +
                                 PortOf(other) + ": Address already in use"));
    EXPECT_THAT(error, HasSubstr("--listen"));
  }
}

TEST(Listen, ClosesEverythingIfOneAddressFails) {
  const auto taken = ListenOn({"127.0.0.1:0"});
  ASSERT_TRUE(taken.ok()) << taken.status();
  const SocketPath socket_path;
  EXPECT_THAT(ErrorOf({socket_path.address(), taken->addresses.front()}),
              Not(HasSubstr(socket_path.address())));
  EXPECT_FALSE(CanConnect(socket_path.address()));
  EXPECT_TRUE(std::filesystem::is_empty(socket_path.folder()));
}

TEST(Listen, ServesBothFamiliesOnAnyIpv6AddressAlone) {
  const auto listening = ListenOn({"[::]:0"});
  ASSERT_TRUE(listening.ok()) << listening.status();
  EXPECT_TRUE(CanConnect("127.0.0.1:" + PortOf(listening)));
  if (HasIpv6()) {
    EXPECT_TRUE(CanConnect("[::1]:" + PortOf(listening)));
  }
}

TEST(Listen, ServesAnyAddressesOfBothFamiliesOnOnePort) {
  if (!HasIpv6()) {
    GTEST_SKIP() << "this machine has no IPv6";
  }
  std::string port;
  {
    const auto free = ListenOn({"[::]:0"});
    ASSERT_TRUE(free.ok()) << free.status();
    port = PortOf(free);
  }
  for (const std::vector<std::string>& order :
       {std::vector<std::string>{"0.0.0.0:" + port, "[::]:" + port},
        std::vector<std::string>{"[::]:" + port, "0.0.0.0:" + port}}) {
    const auto listening = ListenOn(order);
    ASSERT_TRUE(listening.ok()) << listening.status();
    EXPECT_THAT(listening->addresses, testing::ElementsAreArray(order));
    EXPECT_TRUE(CanConnect("127.0.0.1:" + port));
    EXPECT_TRUE(CanConnect("[::1]:" + port));
  }
}

TEST(Listen, ServesAnyIpv4AddressOnIpv4Alone) {
  const auto listening = ListenOn({"0.0.0.0:0"});
  ASSERT_TRUE(listening.ok()) << listening.status();
  EXPECT_TRUE(CanConnect("127.0.0.1:" + PortOf(listening)));
  if (HasIpv6()) {
    EXPECT_FALSE(CanConnect("[::1]:" + PortOf(listening)));
  }
}

TEST(Listen, LeavesIpv6OutIfTheMachineHasNone) {
  for (const std::string host : {"localhost", "[::]"}) {
    WithoutIpv6([&] {
      const auto listening = ListenOn({host + ":0"});
      ASSERT_TRUE(listening.ok()) << listening.status();
      EXPECT_THAT(listening->sockets, SizeIs(1));
      EXPECT_TRUE(CanConnect("127.0.0.1:" + PortOf(listening)));
    });
  }
}

TEST(Listen, SaysThatTheMachineHasNoIpv6IfNothingElseWasAskedFor) {
  WithoutIpv6([] {
    EXPECT_THAT(ErrorOf({"[::1]:50051"}),
                HasSubstr("cannot listen on [::1]:50051: Address family not supported"));
    // Another address takes the place that [::] would have in IPv4.
    EXPECT_THAT(ErrorOf({"127.0.0.1:50052", "[::]:50052"}),
                HasSubstr("[::]:50052: Address family"));
  });
}

TEST(Listen, DoesNotShareAPortWithAnotherServer) {
  const auto first = ListenOn({"127.0.0.1:0"});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(ErrorOf({first->addresses.front()}),
              HasSubstr("cannot listen on " + first->addresses.front() +
                        ": Address already in use; expected a free port"));
}

TEST(Listen, CanUseAPortAgainAtOnce) {
  std::string address;
  {
    const auto first = ListenOn({"127.0.0.1:0"});
    ASSERT_TRUE(first.ok()) << first.status();
    address = first->addresses.front();
    // The side that closes first keeps the port busy for a minute.
    ClientSocket client(address);
    ASSERT_TRUE(client.Connect());
    const core::FileDescriptor connection(
        accept(first->sockets.front().descriptor.number(), nullptr, nullptr));
    ASSERT_GE(connection.number(), 0);
  }
  const auto second = ListenOn({address});
  EXPECT_TRUE(second.ok()) << second.status();
}

TEST(Listen, ExplainsWhyAnAddressCannotBeListenedOn) {
  // 192.0.2.0/24 is for documentation, so that no machine has these addresses.
  EXPECT_THAT(ErrorOf({"192.0.2.1:50051"}),
              HasSubstr("cannot listen on 192.0.2.1:50051: Cannot assign requested address; "
                        "expected an address of this machine"));
  EXPECT_THAT(ErrorOf({"no.such.host.invalid:1"}),
              testing::AllOf(HasSubstr("cannot listen on no.such.host.invalid:1"),
                             HasSubstr("is unknown"), HasSubstr("numeric address")));
}

TEST(Listen, LetsUnixSocketsHaveTheGivenPermissions) {
  const SocketPath socket_path;
  const auto listening = Listen(std::vector<std::string>{socket_path.address()}, "--listen", 0620);
  ASSERT_TRUE(listening.ok()) << listening.status();
  EXPECT_EQ(std::filesystem::status(socket_path.path()).permissions(),
            static_cast<std::filesystem::perms>(0620));
  EXPECT_TRUE(CanConnect(socket_path.address()));
}

TEST(Listen, LeavesNothingOfADestroyedSocket) {
  const SocketPath socket_path;
  {
    const auto listening = ListenOn({socket_path.address()});
    ASSERT_TRUE(listening.ok()) << listening.status();
    EXPECT_EQ(listening->addresses.front(), socket_path.address());
  }
  EXPECT_TRUE(std::filesystem::is_empty(socket_path.folder()));
}

}  // namespace
}  // namespace quantd::server
