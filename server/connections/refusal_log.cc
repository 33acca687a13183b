#include "server/connections/refusal_log.h"

#include <string_view>

namespace quantd::server {
namespace {

// Indexed by ConnectionRefusal.
constexpr std::array<std::string_view, kConnectionRefusalNames.size()> kMessages = {
    "all permitted connections are open; raise --max-connections, or add servers",
    "this peer has all connections that one may have; let it use fewer, or raise "
    "--max-connections-per-peer",
    "no file descriptor is left; raise the limit (LimitNOFILE, ulimit -n), or lower "
    "--max-connections",
    "the kernel has no memory for another connection; free some, or lower --max-connections"};

}  // namespace

void RefusalLog::Report(ConnectionRefusal refusal, const std::string& peer,
                        std::chrono::steady_clock::time_point now) {
  Reported& reported = reported_.at(static_cast<std::size_t>(refusal));
  ++reported.refused_since;
  if (reported.last.has_value() && now - *reported.last < kRefusalLogInterval) {
    return;
  }
  log_->Write(LogLevel::kWarning, "connection refused",
              {{"reason", std::string(NameOf(refusal))},
               {"peer", peer},
               {"refused", reported.refused_since},
               {"message", std::string(kMessages.at(static_cast<std::size_t>(refusal)))}});
  reported = {.last = now, .refused_since = 0};
}

}  // namespace quantd::server
