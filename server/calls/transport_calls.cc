#include "server/calls/transport_calls.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/mutex.h"
#include "wire/methods.h"

namespace quantd::server {
namespace {

bool IsOurs(std::string_view path) {
  return path.starts_with('/') && path.substr(1).starts_with(wire::kServiceName);
}

}  // namespace

// Lives as long as the call.
class TransportCalls::Interceptor final : public grpc::experimental::Interceptor {
 public:
  explicit Interceptor(std::atomic<std::size_t>& calls) : calls_(calls) { ++calls_; }
  ~Interceptor() override { --calls_; }
  Interceptor(const Interceptor&) = delete;
  Interceptor& operator=(const Interceptor&) = delete;

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    methods->Proceed();
  }

 private:
  std::atomic<std::size_t>& calls_;
};

class TransportCalls::InterceptorFactory final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit InterceptorFactory(std::atomic<std::size_t>& calls) : calls_(calls) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    return IsOurs(info->method()) ? nullptr : std::make_unique<Interceptor>(calls_).release();
  }

 private:
  std::atomic<std::size_t>& calls_;
};

std::unique_ptr<grpc::Server> TransportCalls::Start(grpc::ServerBuilder& builder,
                                                    InterceptorFactories others) {
  InterceptorFactories factories;
  factories.push_back(std::make_unique<InterceptorFactory>(others_));
  std::ranges::move(others, std::back_inserter(factories));
  builder.experimental().SetInterceptorCreators(std::move(factories));
  // Numbers ascend. No other server of ours starts in between.
  static core::Mutex mutex;
  const core::MutexLock lock(&mutex);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  statistics_ = TransportStatistics::OfLastServer();
  return server;
}

std::size_t TransportCalls::CountOpen(Settled& settled) const {
  std::uint64_t all = 0;
  for (const std::int64_t connection : statistics_.ConnectionsAfter(0)) {
    if (settled.contains(connection)) {
      continue;
    }
    const std::uint64_t open = TransportStatistics::OfConnection(connection).streams_in_memory;
    if (open == 0) {
      settled.insert(connection);
    }
    all += open;
  }
  return all - std::min<std::uint64_t>(all, others_.load());
}

}  // namespace quantd::server
