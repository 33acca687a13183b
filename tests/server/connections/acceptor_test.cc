#include "server/connections/acceptor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/mutex.h"
#include "tests/server/connections/client_socket.h"
#include "tests/server/log_text.h"
#include "tests/server/socket_path.h"
#include "tests/wait_until.h"

namespace quantd::server {
namespace {

using testing::HasSubstr;

constexpr ConnectionLimits kGenerous{.connections = 1000, .connections_per_peer = 1000};

// An acceptor that keeps what it accepts.
class AcceptorUnderTest {
 public:
  explicit AcceptorUnderTest(const ConnectionLimits& limits,
                             const std::string& address = "127.0.0.1:0") {
    auto listening = Listen(std::vector<std::string>{address}, "--listen", std::nullopt);
    EXPECT_TRUE(listening.ok()) << listening.status();
    address_ = listening->addresses.front();
    auto acceptor = Acceptor::Start(
        std::move(listening->sockets), limits,
        [this](core::FileDescriptor connection) {
          const core::MutexLock lock(&mutex_);
          connections_.push_back(std::move(connection));
        },
        &metrics_, &log_);
    EXPECT_TRUE(acceptor.ok()) << acceptor.status();
    acceptor_ = *std::move(acceptor);
  }

  std::size_t connections() {
    const core::MutexLock lock(&mutex_);
    return connections_.size();
  }

  bool WaitForConnections(std::size_t number) {
    return WaitUntil([&] { return connections() == number; });
  }

  // Returns an option of the first connection.
  int Option(int level, int option) {
    const core::MutexLock lock(&mutex_);
    int value = 0;
    socklen_t size = sizeof(value);
    EXPECT_EQ(getsockopt(connections_.front().number(), level, option, &value, &size), 0);
    return value;
  }

  void CloseConnections() {
    const core::MutexLock lock(&mutex_);
    connections_.clear();
  }

  std::string MetricsText() const { return metrics_.Text(); }
  std::string log_text() const { return log_text_.str(); }
  const std::string& address() const { return address_; }
  Acceptor& acceptor() { return *acceptor_; }

 private:
  LogText log_text_;
  Log log_{LogLevel::kInfo, LogFormat::kText, log_text_};
  Metrics metrics_{"TEST", {}};
  core::Mutex mutex_;
  std::vector<core::FileDescriptor> connections_ ABSL_GUARDED_BY(mutex_);
  std::string address_;
  std::unique_ptr<Acceptor> acceptor_;
};

// Opens descriptors until the process may open no more.
class ExhaustedDescriptors {
 public:
  ExhaustedDescriptors() {
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    const int next_number = core::FileDescriptor(dup(STDOUT_FILENO)).number();
    rlimit low = before_;
    low.rlim_cur = static_cast<rlim_t>(next_number) + 8;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
    do {
      open_.emplace_back(dup(STDOUT_FILENO));
    } while (open_.back().number() >= 0);
  }
  ~ExhaustedDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  ExhaustedDescriptors(const ExhaustedDescriptors&) = delete;
  ExhaustedDescriptors& operator=(const ExhaustedDescriptors&) = delete;

 private:
  rlimit before_{};
  std::vector<core::FileDescriptor> open_;
};

TEST(Acceptor, HandsConnectionsOver) {
  AcceptorUnderTest test(kGenerous);
  ClientSocket first(test.address());
  ClientSocket second(test.address());
  EXPECT_TRUE(first.Connect() && second.Connect());
  EXPECT_TRUE(test.WaitForConnections(2));
  test.acceptor().Stop();
  EXPECT_THAT(test.MetricsText(), HasSubstr("\nquantd_accepted_connections_total 2\n"));
  EXPECT_THAT(test.MetricsText(), HasSubstr("\nquantd_connections 2\n"));
}

TEST(Acceptor, SendsSmallPacketsAtOnceAndDropsUnresponsivePeers) {
  AcceptorUnderTest test(kGenerous);
  ClientSocket client(test.address());
  ASSERT_TRUE(client.Connect());
  ASSERT_TRUE(test.WaitForConnections(1));
  EXPECT_EQ(test.Option(IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(test.Option(IPPROTO_TCP, TCP_USER_TIMEOUT), 20'000);
}

TEST(Acceptor, EnlargesTheBuffersOfUnixSockets) {
  const SocketPath socket_path;
  AcceptorUnderTest test(kGenerous, socket_path.address());
  ClientSocket client(test.address());
  ASSERT_TRUE(client.Connect());
  ASSERT_TRUE(test.WaitForConnections(1));
  int client_bytes = 0;
  socklen_t size = sizeof(client_bytes);
  ASSERT_EQ(getsockopt(client.number(), SOL_SOCKET, SO_SNDBUF, &client_bytes, &size), 0);
  EXPECT_GT(test.Option(SOL_SOCKET, SO_SNDBUF), client_bytes);
}

TEST(Acceptor, ClosesConnectionsBeyondTheLimitUntilOthersAreClosed) {
  AcceptorUnderTest test({.connections = 2, .connections_per_peer = 2});
  ClientSocket first(test.address());
  ClientSocket second(test.address());
  ASSERT_TRUE(first.Connect() && second.Connect());
  ASSERT_TRUE(test.WaitForConnections(2));
  ClientSocket third(test.address());
  EXPECT_TRUE(third.Connect() && third.IsClosedByServer());
  test.CloseConnections();
  ClientSocket fourth(test.address());
  EXPECT_TRUE(fourth.Connect());
  EXPECT_TRUE(test.WaitForConnections(1));
  test.acceptor().Stop();
  EXPECT_THAT(test.MetricsText(), HasSubstr("\nquantd_connections 1\n"));
  EXPECT_THAT(test.MetricsText(),
              HasSubstr("quantd_refused_connections_total{reason=\"max_connections\"} 1\n"));
  EXPECT_THAT(test.log_text(), HasSubstr("reason=max_connections"));
}

TEST(Acceptor, ClosesConnectionsOfAPeerThatHasTooMany) {
  AcceptorUnderTest test({.connections = 2, .connections_per_peer = 1});
  ClientSocket first(test.address());
  ASSERT_TRUE(first.Connect() && test.WaitForConnections(1));
  ClientSocket second(test.address());
  EXPECT_TRUE(second.Connect() && second.IsClosedByServer());
  test.acceptor().Stop();
  EXPECT_THAT(test.log_text(), HasSubstr("reason=max_connections_per_peer peer=127.0.0.1"));
}

TEST(Acceptor, ShowsThatConnectionsWereClosedWithoutBeingAskedForAnother) {
  AcceptorUnderTest test(kGenerous);
  ClientSocket client(test.address());
  ASSERT_TRUE(client.Connect() && test.WaitForConnections(1));
  test.CloseConnections();
  EXPECT_TRUE(WaitUntil(
      [&] { return test.MetricsText().find("\nquantd_connections 0\n") != std::string::npos; }));
}

TEST(Acceptor, GoesOnWhenDescriptorsHaveRunOut) {
  AcceptorUnderTest test(kGenerous);
  ClientSocket refused(test.address());
  ClientSocket refused_too(test.address());
  {
    const ExhaustedDescriptors exhausted;
    EXPECT_TRUE(refused.Connect() && refused.IsClosedByServer());
    EXPECT_TRUE(refused_too.Connect() && refused_too.IsClosedByServer());
  }
  ClientSocket served(test.address());
  EXPECT_TRUE(served.Connect());
  EXPECT_TRUE(test.WaitForConnections(1));
  test.acceptor().Stop();
  EXPECT_THAT(test.MetricsText(),
              HasSubstr("quantd_refused_connections_total{reason=\"no_descriptors\"} 2\n"));
  EXPECT_THAT(test.log_text(), HasSubstr("reason=no_descriptors"));
}

TEST(Acceptor, RemovesWhatItListensOnWhenItIsStopped) {
  const SocketPath socket_path;
  AcceptorUnderTest test(kGenerous, socket_path.address());
  ClientSocket client(test.address());
  ASSERT_TRUE(client.Connect() && test.WaitForConnections(1));
  test.acceptor().Stop();
  EXPECT_FALSE(CanConnect(test.address()));
  EXPECT_FALSE(std::filesystem::exists(socket_path.path()));
  EXPECT_EQ(test.connections(), 1U) << "what was handed over stays open";
}

}  // namespace
}  // namespace quantd::server
