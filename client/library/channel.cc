#include "client/library/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>

#include "wire/socket_buffers.h"

namespace quantd::client {
namespace {

using std::chrono::milliseconds;

// How long connecting may take before another address is tried.
constexpr milliseconds kConnectTimeout{5'000};

// How soon a server that has failed is tried again. It may be restarting.
constexpr milliseconds kFirstReconnect{100};
constexpr milliseconds kSlowestReconnect{1'000};

// A machine that has vanished answers nothing. A server is probed during calls, and given up after
// the second time. quantd permits a probe every five seconds.
constexpr milliseconds kKeepaliveTime{10'000};
constexpr milliseconds kKeepaliveTimeout{5'000};

void Set(const char* argument, milliseconds duration, grpc::ChannelArguments& arguments) {
  arguments.SetInt(argument, static_cast<int>(duration.count()));
}

}  // namespace

std::shared_ptr<grpc::Channel> CreateChannel(const ServerAddress& address,
                                             const ConnectionSecurity& security, ChannelKind kind) {
  grpc::ChannelArguments arguments;
  // Only the server limits the size of messages.
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  wire::EnlargeSocketBuffers(arguments);
  // gRPC 1.51 can lose messages of a stream that it tries again by itself.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  Set(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeout, arguments);
  Set(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnect, arguments);
  Set(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kSlowestReconnect, arguments);
  Set(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTime, arguments);
  Set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeout, arguments);
  if (address.is_local) {
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  } else {
    arguments.SetLoadBalancingPolicyName("round_robin");
  }
  if (kind == ChannelKind::kOwnConnection) {
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  }
  if (security.tls && !security.server_name.empty()) {
    arguments.SetSslTargetNameOverride(security.server_name);
  }
  return grpc::CreateCustomChannel(address.text, CredentialsFor(security, address), arguments);
}

}  // namespace quantd::client
