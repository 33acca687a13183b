#ifndef QUANTD_WIRE_SOCKET_BUFFERS_H_
#define QUANTD_WIRE_SOCKET_BUFFERS_H_

#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

namespace quantd::wire {

// Lets unix sockets accept up to 2 MiB before the other side reads. With Linux's
// default of 208 KiB, both sides wake each other about ten times per MiB
// (docs/experiments.md has the figures). Linux limits the size to
// net.core.wmem_max. TCP sizes its own buffers and is left alone.
void EnlargeSocketBuffers(grpc::ChannelArguments& arguments);
void EnlargeSocketBuffers(grpc::ServerBuilder& builder);

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_SOCKET_BUFFERS_H_
