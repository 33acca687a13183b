#ifndef QUANTD_WIRE_SOCKET_BUFFERS_H_
#define QUANTD_WIRE_SOCKET_BUFFERS_H_

#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

namespace quantd::wire {

// Has unix sockets take up to 2 MiB before the other side reads: the default of
// Linux, 208 KiB, has both sides wake each other about ten times for each MiB
// (docs/experiments.md has the figures). Linux caps it by net.core.wmem_max. TCP
// sizes its buffers by itself, and is left alone.
void EnlargeSocketBuffers(grpc::ChannelArguments& arguments);
void EnlargeSocketBuffers(grpc::ServerBuilder& builder);

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_SOCKET_BUFFERS_H_
