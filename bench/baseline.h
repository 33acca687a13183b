// The common parts of the servers that quantd is compared with.

#ifndef QUANTD_BENCH_BASELINE_H_
#define QUANTD_BENCH_BASELINE_H_

#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/server_builder.h>

#include <functional>
#include <string>

namespace quantd::bench {

// Implements main() for a server `name` that offers `service` and takes the flags
//
//   --listen HOST:PORT|unix:PATH     may be repeated; port 0 picks a free port
//   --channel_argument NAME=VALUE    may be repeated
//
// Prints one line, "NAME serving on ADDRESS, ADDRESS", and serves until SIGTERM or
// SIGINT. Uses gRPC's default settings, except that messages may have any size, and
// except for what `configure` changes. Returns the exit code: 0 for success, 1 if the
// server cannot start, 2 for invalid flags.
int ServeBaseline(
    const std::string& name, grpc::Service& service, int argc, char** argv,
    const std::function<void(grpc::ServerBuilder&)>& configure = [](grpc::ServerBuilder&) {});

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_BASELINE_H_
