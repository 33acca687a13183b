#include "server/reflection.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>

namespace quantd::server {

void ReflectionOption::UpdateArguments(grpc::ChannelArguments* /*arguments*/) {}

void ReflectionOption::UpdatePlugins(
    std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) {
  auto reflection = std::make_unique<grpc::reflection::ProtoServerReflectionPlugin>();
  std::erase_if(*plugins, [&](const std::unique_ptr<grpc::ServerBuilderPlugin>& plugin) {
    return plugin->name() == reflection->name();
  });
  if (enabled_) {
    plugins->push_back(std::move(reflection));
  }
}

}  // namespace quantd::server
