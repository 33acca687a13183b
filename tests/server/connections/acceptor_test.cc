#include "server/connections/acceptor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
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

// Keeps connections, and pretends that they have calls.
class FakeTransport final : public Transport {
 public:
  ConnectionNumber Serve(core::FileDescriptor connection) override {
    const core::MutexLock lock(&mutex_);
    connections_.push_back(std::move(connection));
    return ++last_;
  }

  NumbersByAddress TakeHandshaken() override { return {}; }

  std::int64_t spare_bytes() const override {
    ++looks_at_memory_;
    return spare_bytes_;
  }

  std::uint64_t failed_calls() const override {
    ++looks_for_failures_;
    return failed_calls_;
  }

  Calls CallsOf(ConnectionNumber connection) const override {
    const core::MutexLock lock(&mutex_);
    const auto calls = calls_in_memory_.find(connection);
    return {.in_memory = calls == calls_in_memory_.end() ? 0 : calls->second};
  }

  // The connection that was served as the `number`th has `in_memory` calls.
  void SetCalls(ConnectionNumber number, std::uint64_t in_memory) {
    const core::MutexLock lock(&mutex_);
    calls_in_memory_[number] = in_memory;
  }
  void Fail(std::uint64_t calls) { failed_calls_ += calls; }
  void SetSpareBytes(std::int64_t bytes) { spare_bytes_ = bytes; }

  // How often the spare bytes were read,
  int looks_at_memory() const { return looks_at_memory_; }
  // and the number of failed calls.
  int looks_for_failures() const { return looks_for_failures_; }

  std::vector<core::FileDescriptor>& connections() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return connections_;
  }
  core::Mutex& mutex() ABSL_LOCK_RETURNED(mutex_) { return mutex_; }

 private:
  mutable core::Mutex mutex_;
  std::vector<core::FileDescriptor> connections_ ABSL_GUARDED_BY(mutex_);
  ConnectionNumber last_ ABSL_GUARDED_BY(mutex_) = kClosed;
  std::map<ConnectionNumber, std::uint64_t> calls_in_memory_ ABSL_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> failed_calls_ = 0;
  mutable std::atomic<int> looks_for_failures_ = 0;
  mutable std::atomic<int> looks_at_memory_ = 0;
  std::atomic<std::int64_t> spare_bytes_ = std::int64_t{1} << 40;
};

class AcceptorUnderTest {
 public:
  explicit AcceptorUnderTest(const ConnectionLimits& limits,
                             const std::string& address = "127.0.0.1:0") {
    auto listening = Listen(std::vector<std::string>{address}, "--listen", std::nullopt);
    EXPECT_TRUE(listening.ok()) << listening.status();
    address_ = listening->addresses.front();
    auto transport = std::make_unique<FakeTransport>();
    transport_ = transport.get();
    auto acceptor = Acceptor::Start(std::move(listening->sockets), limits, std::move(transport),
                                    &metrics_, &log_);
    EXPECT_TRUE(acceptor.ok()) << acceptor.status();
    acceptor_ = *std::move(acceptor);
  }

  std::size_t connections() {
    const core::MutexLock lock(&transport_->mutex());
    return transport_->connections().size();
  }

  bool WaitForConnections(std::size_t number) {
    return WaitUntil([&] { return connections() == number; });
  }

  // Returns an option of the first connection.
  int Option(int level, int option) {
    const core::MutexLock lock(&transport_->mutex());
    int value = 0;
    socklen_t size = sizeof(value);
    EXPECT_EQ(getsockopt(transport_->connections().front().number(), level, option, &value, &size),
              0);
    return value;
  }

  void CloseConnections() {
    const core::MutexLock lock(&transport_->mutex());
    transport_->connections().clear();
  }

  std::string MetricsText() const { return metrics_.Text(); }
  std::string log_text() const { return log_text_.str(); }
  const std::string& address() const { return address_; }
  Acceptor& acceptor() { return *acceptor_; }
  FakeTransport& transport() { return *transport_; }

 private:
  LogText log_text_;
  Log log_{LogLevel::kInfo, LogFormat::kText, log_text_};
  Metrics metrics_{"TEST", {}};
  std::string address_;
  std::unique_ptr<Acceptor> acceptor_;
  // Belongs to the acceptor.
  FakeTransport* transport_ = nullptr;
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

TEST(Acceptor, BreaksOffConnectionsWithTooManyCallsInMemory) {
  ConnectionLimits limits = kGenerous;
  limits.calls_in_memory = 5;
  AcceptorUnderTest test(limits);
  ClientSocket honest(test.address());
  ClientSocket flood(test.address());
  ASSERT_TRUE(honest.Connect() && test.WaitForConnections(1));
  ASSERT_TRUE(flood.Connect() && test.WaitForConnections(2));
  test.transport().SetCalls(1, 5);
  test.transport().SetCalls(2, 6);
  test.transport().Fail(1000);
  EXPECT_TRUE(flood.IsClosedByServer());
  EXPECT_TRUE(honest.IsOpen());
  // It is broken off once, although its calls stay in memory for a while.
  test.transport().SetCalls(1, 6);
  test.transport().Fail(1000);
  EXPECT_TRUE(honest.IsClosedByServer());
  test.acceptor().Stop();
  EXPECT_THAT(test.MetricsText(),
              HasSubstr("quantd_broken_off_connections_total{reason=\"aborted_calls\"} 2\n"));
  EXPECT_THAT(test.log_text(), HasSubstr("reason=aborted_calls peer=127.0.0.1"));
}

TEST(Acceptor, BreaksOffTheCostliestConnectionsWhileTooMuchMemoryIsAllocated) {
  AcceptorUnderTest test(kGenerous);
  ClientSocket modest(test.address());
  ClientSocket costly(test.address());
  ASSERT_TRUE(modest.Connect() && test.WaitForConnections(1));
  ASSERT_TRUE(costly.Connect() && test.WaitForConnections(2));
  test.transport().SetCalls(1, 10);
  test.transport().SetCalls(2, 20);
  // The connections themselves may take something.
  constexpr std::int64_t kConnections = std::int64_t{2} * 16 * 1024;
  test.transport().SetSpareBytes(-kConnections);
  const int looks = test.transport().looks_at_memory();
  ASSERT_TRUE(WaitUntil([&] { return test.transport().looks_at_memory() > looks + 1; }));
  EXPECT_TRUE(costly.IsOpen());
  test.transport().SetSpareBytes(-kConnections - 1);
  EXPECT_TRUE(costly.IsClosedByServer());
  // As long as nothing is freed.
  EXPECT_TRUE(modest.IsClosedByServer());
  test.acceptor().Stop();
  EXPECT_THAT(test.MetricsText(),
              HasSubstr("quantd_broken_off_connections_total{reason=\"memory\"} 2\n"));
  EXPECT_THAT(test.log_text(), HasSubstr("reason=memory peer=127.0.0.1"));
}

TEST(Acceptor, LooksAtNoConnectionBeforeCallsFail) {
  ConnectionLimits limits = kGenerous;
  limits.calls_in_memory = 5;
  AcceptorUnderTest test(limits);
  ClientSocket client(test.address());
  ASSERT_TRUE(client.Connect() && test.WaitForConnections(1));
  test.transport().SetCalls(1, 6);
  test.transport().Fail(999);
  const int looks = test.transport().looks_for_failures();
  ASSERT_TRUE(WaitUntil([&] { return test.transport().looks_for_failures() > looks + 1; }));
  EXPECT_TRUE(client.IsOpen());
  test.transport().Fail(1);
  EXPECT_TRUE(client.IsClosedByServer());
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
