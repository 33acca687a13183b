#include "server/calls/transport_calls.h"

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>
#include <grpcpp/support/server_interceptor.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/mutex.h"
#include "wire/methods.h"

namespace quantd::server {
namespace {

using Json = nlohmann::json;

struct TextDeleter {
  void operator()(char* text) const { gpr_free(text); }
};

// Parses and frees an answer of channelz, which is null for what no longer exists. The
// texts are protobuf's JSON, in which numbers of 64 bits are strings.
Json ParseAnswer(char* answer) {
  const std::unique_ptr<char, TextDeleter> text(answer);
  return text == nullptr ? Json::object()
                         : Json::parse(text.get(), nullptr, /*allow_exceptions=*/false);
}

std::int64_t Number(const Json& object, const char* name) {
  const auto value = object.find(name);
  return value != object.end() && value->is_string() ? std::stoll(value->get<std::string>()) : 0;
}

// The answers of channelz have pages: page(start) returns the one that begins with the
// number `start`. Collects the numbers `id` of the elements `list` of all pages.
template <typename Page>
std::vector<std::int64_t> CollectIds(const Page& page, const char* list, const char* reference,
                                     const char* id) {
  std::vector<std::int64_t> ids;
  while (true) {
    const Json answer = ParseAnswer(page(ids.empty() ? 0 : ids.back() + 1));
    const auto elements = answer.find(list);
    if (elements != answer.end()) {
      for (const Json& element : *elements) {
        ids.push_back(Number(reference == nullptr ? element : element.at(reference), id));
      }
    }
    if (elements == answer.end() || elements->empty() || answer.value("end", false)) {
      return ids;
    }
  }
}

std::int64_t LastServerId() {
  const std::vector<std::int64_t> ids =
      CollectIds([](std::int64_t start) { return grpc_channelz_get_servers(start); }, "server",
                 "ref", "serverId");
  return ids.empty() ? 0 : *std::ranges::max_element(ids);
}

// Of a connection, which may have ended.
std::int64_t OpenStreamsOf(const Json& connection) {
  const Json data = connection.value("socket", Json::object()).value("data", Json::object());
  return Number(data, "streamsStarted") - Number(data, "streamsSucceeded") -
         Number(data, "streamsFailed");
}

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

std::unique_ptr<grpc::Server> TransportCalls::Start(grpc::ServerBuilder& builder) {
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> factories;
  factories.push_back(std::make_unique<InterceptorFactory>(others_));
  builder.experimental().SetInterceptorCreators(std::move(factories));
  // Numbers ascend. No other server of ours starts in between.
  static core::Mutex mutex;
  const core::MutexLock lock(&mutex);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  server_id_ = LastServerId();
  return server;
}

std::size_t TransportCalls::CountOpen(Settled& settled) const {
  const std::vector<std::int64_t> connections = CollectIds(
      [this](std::int64_t start) {
        return grpc_channelz_get_server_sockets(server_id_, start, /*max_results=*/0);
      },
      "socketRef", nullptr, "socketId");
  std::int64_t all = 0;
  for (const std::int64_t connection : connections) {
    if (settled.contains(connection)) {
      continue;
    }
    const std::int64_t open = OpenStreamsOf(ParseAnswer(grpc_channelz_get_socket(connection)));
    if (open <= 0) {
      settled.insert(connection);
    }
    all += open;
  }
  const auto others = static_cast<std::int64_t>(others_.load());
  return static_cast<std::size_t>(std::max<std::int64_t>(all - others, 0));
}

}  // namespace quantd::server
