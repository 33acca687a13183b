#ifndef QUANTD_WIRE_SOCKET_BUFFERS_H_
#define QUANTD_WIRE_SOCKET_BUFFERS_H_

#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/version_info.h>

namespace quantd::wire {

// Whether the functions below have an effect. They use a part of gRPC that it exports
// without declaring, so they do nothing with a version that they were not made for.
inline constexpr bool kEnlargesSocketBuffers =
    GRPC_CPP_VERSION_MAJOR == 1 && GRPC_CPP_VERSION_MINOR == 51;

// Lets unix sockets accept up to 2 MiB before the other side reads. With Linux's
// default of 208 KiB, both sides wake each other about ten times per MiB
// (docs/experiments.md has the figures). Linux limits the size to
// net.core.wmem_max. TCP sizes its own buffers and is left alone.
void EnlargeSocketBuffers(grpc::ChannelArguments& arguments);
void EnlargeSocketBuffers(grpc::ServerBuilder& builder);

// The same for a connected socket that is not gRPC's, with every version of gRPC. Does
// nothing to sockets of another kind.
void EnlargeSocketBuffer(int socket);

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_SOCKET_BUFFERS_H_
