// The servers that a client chooses from.

#ifndef QUANTD_CLIENT_LIBRARY_SERVERS_H_
#define QUANTD_CLIENT_LIBRARY_SERVERS_H_

#include <grpcpp/channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <span>

#include "client/library/channel_choice.h"
#include "client/library/connection_security.h"
#include "client/library/server_address.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "quantd/v1/quantization_service.grpc.pb.h"

namespace quantd::client {

// A channel to a server, and its stubs. Thread-safe.
struct Server {
  Server(ServerAddress server_address, std::shared_ptr<grpc::Channel> server_channel);

  const ServerAddress address;
  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<v1::QuantizationService::Stub> quantization;
  const std::unique_ptr<grpc::health::v1::Health::Stub> health;
  // For messages that are encoded and decoded by the client itself.
  const std::unique_ptr<grpc::GenericStub> bytes;
};

// At least one server. Thread-safe.
class Servers {
 public:
  Servers(std::span<const ServerAddress> addresses, const ConnectionSecurity& security);

  std::size_t size() const { return servers_.size(); }
  const Server& operator[](std::size_t index) const { return servers_[index]; }

  // Returns the index of the server for the first try of a call: each in turn, as ChannelChoice
  // permits.
  std::size_t Choose() { return choice_->From(next_.fetch_add(1)); }

  // A call to a server was answered.
  void NoteAnswer(std::size_t index) { choice_->NoteAnswer(index); }

  // Returns that of the server for the next try, after one of `failed` has failed.
  std::size_t ChooseAfter(std::size_t failed) {
    choice_->NoteFailure(failed);
    return choice_->From(failed + 1);
  }

 private:
  // A server stays where it is.
  std::deque<Server> servers_;
  std::optional<ChannelChoice> choice_;
  std::atomic<std::size_t> next_ = 0;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_SERVERS_H_
