// What the two servers that quantd is compared with have in common.

#ifndef QUANTD_BENCH_BASELINE_H_
#define QUANTD_BENCH_BASELINE_H_

#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/server_builder.h>

#include <functional>
#include <string>

namespace quantd::bench {

// The whole main() of a server `name` that offers `service` and takes the flags
//
//   --listen HOST:PORT|unix:PATH     may be repeated; port 0 takes a free one
//   --channel_argument NAME=VALUE    may be repeated
//
// It prints one line, "NAME serving on ADDRESS, ADDRESS", and serves until
// SIGTERM or SIGINT. gRPC's settings are its defaults, but that messages may be
// of any size, and for what `configure` changes. Returns the exit code: 0, 1
// where it cannot serve, 2 for bad flags.
int ServeBaseline(
    const std::string& name, grpc::Service& service, int argc, char** argv,
    const std::function<void(grpc::ServerBuilder&)>& configure = [](grpc::ServerBuilder&) {});

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_BASELINE_H_
