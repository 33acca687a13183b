#include "server/connections/transport_settings.h"

#include <grpc/impl/codegen/grpc_types.h>

#include <algorithm>
#include <chrono>

namespace quantd::server {
namespace {

using std::chrono::milliseconds;

// How long a client may take from connecting until its first settings have arrived. That
// takes an honest one two round trips. gRPC's default is two minutes.
constexpr milliseconds kHandshakeTimeout{10'000};

// A connection on which nothing has arrived for this time is probed, and closed if there is
// no answer. gRPC's default is two hours, for which a client that has vanished would keep
// its memory.
constexpr milliseconds kKeepaliveTime{60'000};
constexpr milliseconds kKeepaliveTimeout{20'000};

// How often clients may probe a connection without calls. 10 s is the ordinary setting of
// grpc-go and Envoy; gRPC's default of five minutes would disconnect them.
constexpr milliseconds kLeastPingInterval{5'000};

// gRPC's default. Calls of quantd need a fraction of it.
constexpr int kMaxMetadataBytes = 8 * 1024;

void Set(const char* argument, milliseconds duration, grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(argument, static_cast<int>(duration.count()));
}

// A megabyte can decompress to a gigabyte, and tensors hardly compress. Clients that
// compress are refused with UNIMPLEMENTED and the encodings that are accepted, none
// (https://github.com/grpc/grpc/blob/master/doc/compression.md), instead of having their
// messages decompressed first.
void RefuseCompression(grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  for (const grpc_compression_algorithm algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
  }
}

}  // namespace

void ConfigureTransport(const Options& options, grpc::ServerBuilder& builder) {
  Set(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeout, builder);
  Set(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTime, builder);
  Set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeout, builder);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  Set(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kLeastPingInterval, builder);
  if (options.max_connection_age > milliseconds(0)) {
    Set(GRPC_ARG_MAX_CONNECTION_AGE_MS, options.max_connection_age, builder);
  }
  if (options.max_connection_idle > milliseconds(0)) {
    Set(GRPC_ARG_MAX_CONNECTION_IDLE_MS, options.max_connection_idle, builder);
  }
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             static_cast<int>(options.max_streams_per_connection));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  RefuseCompression(builder);
}

}  // namespace quantd::server
