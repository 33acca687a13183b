// Switches server reflection on or off for a single server.

#ifndef QUANTD_SERVER_REFLECTION_H_
#define QUANTD_SERVER_REFLECTION_H_

#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>

#include <memory>
#include <vector>

namespace quantd::server {

// Enables or disables reflection for one server. In gRPC, linking the plugin enables
// reflection for all servers of the process.
class ReflectionOption final : public grpc::ServerBuilderOption {
 public:
  explicit ReflectionOption(bool enabled) : enabled_(enabled) {}

  void UpdateArguments(grpc::ChannelArguments* arguments) override;
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override;

 private:
  const bool enabled_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_REFLECTION_H_
