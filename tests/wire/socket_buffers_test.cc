#include "wire/socket_buffers.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "quantd/v1/quantization_service.grpc.pb.h"

namespace quantd::wire {
namespace {

using testing::Each;
using testing::Gt;
using testing::SizeIs;

int Option(int socket, int option) {
  int value = 0;
  socklen_t size = sizeof(value);
  EXPECT_EQ(getsockopt(socket, SOL_SOCKET, option, &value, &size), 0);
  return value;
}

int DefaultBufferBytes() {
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  const int bytes = Option(socket, SO_SNDBUF);
  close(socket);
  return bytes;
}

// Returns the path that either end of the unix socket is bound to; empty for other
// descriptors.
std::string PathOf(int descriptor) {
  for (const auto name_of : {getsockname, getpeername}) {
    sockaddr_storage storage{};
    socklen_t size = sizeof(storage);
    const void* const address = &storage;
    if (name_of(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) == 0 &&
        storage.ss_family == AF_UNIX && size > sizeof(sa_family_t)) {
      return static_cast<const sockaddr_un*>(address)->sun_path;
    }
  }
  return "";
}

// Returns the buffer sizes of this process's connections over the unix socket at `path`.
std::vector<int> BufferBytesOfConnections(const std::string& path) {
  std::vector<int> bytes;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int descriptor = std::stoi(entry.path().filename());
    if (PathOf(descriptor) == path && Option(descriptor, SO_ACCEPTCONN) == 0) {
      bytes.push_back(Option(descriptor, SO_SNDBUF));
    }
  }
  return bytes;
}

TEST(SocketBuffers, AreLargerOnBothSidesOfAUnixSocket) {
  if (!kEnlargesSocketBuffers) {
    GTEST_SKIP() << "this version of gRPC keeps its defaults";
  }
  std::string folder = std::filesystem::temp_directory_path() / "socket_buffers_XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/socket";
  v1::QuantizationService::Service service;
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  EnlargeSocketBuffers(builder);
  builder.AddListeningPort("unix:" + path, grpc::InsecureServerCredentials());
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  grpc::ChannelArguments arguments;
  EnlargeSocketBuffers(arguments);
  const auto channel =
      grpc::CreateCustomChannel("unix:" + path, grpc::InsecureChannelCredentials(), arguments);
  ASSERT_TRUE(
      channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(30)));

  const std::vector<int> bytes = BufferBytesOfConnections(path);
  EXPECT_THAT(bytes, SizeIs(2));
  EXPECT_THAT(bytes, Each(Gt(DefaultBufferBytes())));

  server->Shutdown();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace quantd::wire
