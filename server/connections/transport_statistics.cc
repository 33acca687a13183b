#include "server/connections/transport_statistics.h"

#include <arpa/inet.h>
#include <grpc/grpc.h>
#include <grpc/support/alloc.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "core/base/host_port.h"

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

// Zeros are left out.
std::uint64_t Number(const Json& object, const char* name) {
  const auto value = object.find(name);
  return value != object.end() && value->is_string() ? std::stoull(value->get<std::string>()) : 0;
}

Json DataOf(const Json& answer, const char* kind) {
  return answer.value(kind, Json::object()).value("data", Json::object());
}

// The answers of channelz have pages: page(start) returns the one that begins with the
// number `start`. Collects the numbers `id` of the elements `list` of all pages.
template <typename Page>
std::vector<std::int64_t> CollectIds(const Page& page, std::int64_t start, const char* list,
                                     const char* reference, const char* id) {
  std::vector<std::int64_t> ids;
  while (true) {
    const Json answer = ParseAnswer(page(ids.empty() ? start : ids.back() + 1));
    const auto elements = answer.find(list);
    if (elements != answer.end()) {
      for (const Json& element : *elements) {
        ids.push_back(static_cast<std::int64_t>(
            Number(reference == nullptr ? element : element.at(reference), id)));
      }
    }
    if (elements == answer.end() || elements->empty() || answer.value("end", false)) {
      return ids;
    }
  }
}

}  // namespace

TransportStatistics TransportStatistics::OfLastServer() {
  const std::vector<std::int64_t> ids =
      CollectIds([](std::int64_t start) { return grpc_channelz_get_servers(start); }, 0, "server",
                 "ref", "serverId");
  return TransportStatistics(ids.empty() ? 0 : *std::ranges::max_element(ids));
}

std::vector<std::int64_t> TransportStatistics::ConnectionsAfter(std::int64_t after) const {
  return CollectIds(
      [this](std::int64_t start) {
        return grpc_channelz_get_server_sockets(server_id_, start, /*max_results=*/0);
      },
      after + 1, "socketRef", nullptr, "socketId");
}

TransportStatistics::Connection TransportStatistics::OfConnection(std::int64_t number) {
  const Json data = DataOf(ParseAnswer(grpc_channelz_get_socket(number)), "socket");
  const std::uint64_t started = Number(data, "streamsStarted");
  const std::uint64_t failed = Number(data, "streamsFailed");
  const std::uint64_t ended = Number(data, "streamsSucceeded") + failed;
  // They are not read at the same moment.
  return {.streams_in_memory = started - std::min(started, ended),
          .streams_failed = failed,
          .messages_received = Number(data, "messagesReceived")};
}

std::optional<std::string> TransportStatistics::ClientOf(std::int64_t number) {
  const Json address = ParseAnswer(grpc_channelz_get_socket(number))
                           .value("socket", Json::object())
                           .value("remote", Json::object())
                           .value("tcpip_address", Json::object());
  std::string bytes;
  if (!absl::Base64Unescape(address.value("ip_address", std::string()), &bytes)) {
    return std::nullopt;
  }
  const auto port = address.find("port");
  if (port == address.end() || !port->is_number_unsigned()) {
    return std::nullopt;
  }
  std::array<char, INET6_ADDRSTRLEN> host{};
  const int family = bytes.size() == sizeof(in_addr) ? AF_INET : AF_INET6;
  if (bytes.size() != sizeof(in_addr) && bytes.size() != sizeof(in6_addr)) {
    return std::nullopt;
  }
  if (inet_ntop(family, bytes.data(), host.data(), host.size()) == nullptr) {
    return std::nullopt;
  }
  return core::FormatHostPort({.host = host.data(), .port = port->get<std::uint16_t>()});
}

std::uint64_t TransportStatistics::failed_calls() const {
  return Number(DataOf(ParseAnswer(grpc_channelz_get_server(server_id_)), "server"), "callsFailed");
}

}  // namespace quantd::server
