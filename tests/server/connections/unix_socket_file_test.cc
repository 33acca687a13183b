#include "server/connections/unix_socket_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/connections/client_socket.h"
#include "tests/server/socket_path.h"

namespace quantd::server {
namespace {

using testing::HasSubstr;

// A socket that listens at a path, or the reason why it does not.
class Listener {
 public:
  explicit Listener(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        file_(UnixSocketFile::Listen(path, std::nullopt, socket_)) {}

  bool ok() const { return file_.ok(); }
  std::string error() const { return std::string(file_.status().message()); }

 private:
  core::FileDescriptor socket_;
  absl::StatusOr<UnixSocketFile> file_;
};

TEST(UnixSocketFile, IsRemovedWithItsSocket) {
  const SocketPath socket_path;
  {
    const Listener listener(socket_path.path());
    ASSERT_TRUE(listener.ok()) << listener.error();
    EXPECT_TRUE(CanConnect(socket_path.address()));
  }
  EXPECT_FALSE(std::filesystem::exists(socket_path.path()));
}

TEST(UnixSocketFile, OfADeadProcessIsReplaced) {
  const SocketPath socket_path;
  AbandonSocket(socket_path.path());
  const Listener listener(socket_path.path());
  ASSERT_TRUE(listener.ok()) << listener.error();
  EXPECT_TRUE(CanConnect(socket_path.address()));
}

TEST(UnixSocketFile, OfALiveProcessStays) {
  const SocketPath socket_path;
  const core::FileDescriptor other = ListenAt(socket_path.path());
  EXPECT_THAT(Listener(socket_path.path()).error(), HasSubstr("another process serves there"));
  EXPECT_TRUE(CanConnect(socket_path.address()));
}

TEST(UnixSocketFile, OfAProcessThatIsTooBusyToAcceptStays) {
  const SocketPath socket_path;
  const core::FileDescriptor other = ListenAt(socket_path.path());
  // They fill the queue of clients.
  std::vector<std::unique_ptr<ClientSocket>> clients;
  do {
    clients.push_back(std::make_unique<ClientSocket>(socket_path.address()));
    ASSERT_EQ(fcntl(clients.back()->number(), F_SETFL, O_NONBLOCK), 0);
  } while (clients.back()->Connect());
  EXPECT_THAT(Listener(socket_path.path()).error(), HasSubstr("another process serves there"));
}

TEST(UnixSocketFile, DoesNotReplaceOtherFiles) {
  const SocketPath socket_path;
  std::ofstream(socket_path.path()) << "precious";
  EXPECT_THAT(Listener(socket_path.path()).error(), HasSubstr("a file that is not a socket"));
  EXPECT_EQ(std::filesystem::file_size(socket_path.path()), 8U);
}

TEST(UnixSocketFile, OfASuccessorStays) {
  const SocketPath socket_path;
  std::optional<Listener> first(std::in_place, socket_path.path());
  ASSERT_TRUE(first->ok()) << first->error();
  // Something else has taken the path, as an older quantd would.
  std::filesystem::remove(socket_path.path());
  const core::FileDescriptor successor = ListenAt(socket_path.path());
  first.reset();
  EXPECT_TRUE(CanConnect(socket_path.address()));
}

TEST(UnixSocketFile, SaysWhatIsWrongWithTheFolder) {
  const std::string error = Listener("/nonexistent/quantd.sock").error();
  EXPECT_THAT(error, HasSubstr("the folder /nonexistent cannot be opened: No such file"));
  EXPECT_THAT(error, HasSubstr("create it"));
}

TEST(UnixSocketFile, DoesNotWaitForEverForALockedFolder) {
  const SocketPath socket_path;
  const core::FileDescriptor folder(
      open(socket_path.folder().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(flock(folder.number(), LOCK_EX), 0);
  EXPECT_THAT(Listener(socket_path.path()).error(),
              HasSubstr("another process keeps the folder " + socket_path.folder() + " locked"));
}

TEST(UnixSocketFile, BelongsToExactlyOneOfSeveralThatStartAtOnce) {
  constexpr int kRounds = 50;
  constexpr std::size_t kServers = 4;
  for (int round = 0; round < kRounds; ++round) {
    const SocketPath socket_path;
    // They all find it, and would all remove it.
    AbandonSocket(socket_path.path());
    std::vector<std::optional<Listener>> listeners(kServers);
    std::atomic<std::size_t> ready = 0;
    std::vector<std::thread> threads;
    for (std::optional<Listener>& listener : listeners) {
      threads.emplace_back([&] {
        ++ready;
        while (ready < kServers) {
        }
        listener.emplace(socket_path.path());
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    EXPECT_EQ(std::ranges::count_if(listeners, [](const auto& listener) { return listener->ok(); }),
              1);
    EXPECT_TRUE(CanConnect(socket_path.address()));
  }
}

}  // namespace
}  // namespace quantd::server
