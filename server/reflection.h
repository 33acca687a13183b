// Server reflection, for one server rather than for the whole process.

#ifndef QUANTD_SERVER_REFLECTION_H_
#define QUANTD_SERVER_REFLECTION_H_

#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>

#include <memory>
#include <vector>

namespace quantd::server {

// Makes a server offer reflection, or not. gRPC itself knows only the whole
// process, where linking the plugin already switches it on.
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
