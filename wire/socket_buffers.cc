#include "wire/socket_buffers.h"

#include <grpc/support/sync.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/version_info.h>
#include <sys/socket.h>

#include <memory>
#include <vector>

// gRPC has ChannelArguments::SetSocketMutator() and exports the functions that make a
// mutator, but installs no header that declares them. These declarations are from its
// src/core/lib/iomgr/socket_mutator.h, and are used only with the version that they
// are known to fit.
#if GRPC_CPP_VERSION_MAJOR == 1 && GRPC_CPP_VERSION_MINOR == 51

// NOLINTBEGIN(readability-identifier-naming): gRPC's names.
enum grpc_fd_usage {
  GRPC_FD_CLIENT_CONNECTION_USAGE,
  GRPC_FD_SERVER_LISTENER_USAGE,
  GRPC_FD_SERVER_CONNECTION_USAGE,
};

struct grpc_mutate_socket_info {
  int fd;
  grpc_fd_usage usage;
};

struct grpc_socket_mutator_vtable {
  bool (*mutate_fd)(int fd, grpc_socket_mutator* mutator);
  int (*compare)(grpc_socket_mutator* a, grpc_socket_mutator* b);
  void (*destroy)(grpc_socket_mutator* mutator);
  bool (*mutate_fd_2)(const grpc_mutate_socket_info* info, grpc_socket_mutator* mutator);
};

struct grpc_socket_mutator {
  const grpc_socket_mutator_vtable* vtable;
  gpr_refcount refcount;
};

void grpc_socket_mutator_init(grpc_socket_mutator* mutator,
                              const grpc_socket_mutator_vtable* vtable);
grpc_socket_mutator* grpc_socket_mutator_ref(grpc_socket_mutator* mutator);
// NOLINTEND(readability-identifier-naming)

namespace quantd::wire {

static_assert(kEnlargesSocketBuffers);

namespace {

bool EnlargeBuffer(const grpc_mutate_socket_info* info, grpc_socket_mutator* /*mutator*/) {
  EnlargeSocketBuffer(info->fd);
  return true;
}

// There is one, which lives for ever.
constexpr grpc_socket_mutator_vtable kMethods = {
    .mutate_fd = nullptr,
    .compare = [](grpc_socket_mutator* /*a*/, grpc_socket_mutator* /*b*/) { return 0; },
    .destroy = [](grpc_socket_mutator* /*mutator*/) {},
    .mutate_fd_2 = EnlargeBuffer};

grpc_socket_mutator* Mutator() {
  static grpc_socket_mutator mutator = [] {
    grpc_socket_mutator made;
    grpc_socket_mutator_init(&made, &kMethods);
    return made;
  }();
  return grpc_socket_mutator_ref(&mutator);
}

}  // namespace

void EnlargeSocketBuffers(grpc::ChannelArguments& arguments) {
  arguments.SetSocketMutator(Mutator());
}

#else

namespace quantd::wire {

static_assert(!kEnlargesSocketBuffers);

void EnlargeSocketBuffers(grpc::ChannelArguments& /*arguments*/) {}

#endif

namespace {

// Linux doubles it, to have room for its own bookkeeping.
constexpr int kBufferBytes = 1 << 20;

class SocketBuffersOption final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments* arguments) override {
    EnlargeSocketBuffers(*arguments);
  }
  void UpdatePlugins(
      std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* /*plugins*/) override {}
};

}  // namespace

void EnlargeSocketBuffers(grpc::ServerBuilder& builder) {
  builder.SetOption(std::make_unique<SocketBuffersOption>());
}

void EnlargeSocketBuffer(int socket) {
  int domain = 0;
  socklen_t size = sizeof(domain);
  if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX) {
    // Without it the socket works as well, only slower.
    static_cast<void>(
        setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &kBufferBytes, sizeof(kBufferBytes)));
  }
}

}  // namespace quantd::wire
