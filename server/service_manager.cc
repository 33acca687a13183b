#include "server/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace quantd::server {
namespace {

absl::Status Unavailable(const std::string& socket, int error) {
  return absl::UnavailableError(
      absl::StrCat("NOTIFY_SOCKET is '", socket,
                   "', which cannot be notified: ", std::generic_category().message(error)));
}

}  // namespace

absl::Status NotifyServiceManager(const std::string& socket, std::string_view state) {
  if (socket.empty()) {
    return absl::OkStatus();
  }
  sockaddr_un address{};
  if ((socket.front() != '/' && socket.front() != '@') ||
      socket.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("NOTIFY_SOCKET is '", socket, "'; expected a name of at most ",
                     sizeof(address.sun_path) - 1, " characters that starts with / or @"));
  }
  address.sun_family = AF_UNIX;
  std::ranges::copy(socket, std::begin(address.sun_path));
  if (socket.front() == '@') {
    address.sun_path[0] = '\0';
  }
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket.size());
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) {
    return Unavailable(socket, errno);
  }
  const void* const generic_address = &address;
  const ssize_t sent = sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL,
                              static_cast<const sockaddr*>(generic_address), size);
  const int error = errno;
  close(descriptor);
  return sent < 0 ? Unavailable(socket, error) : absl::OkStatus();
}

}  // namespace quantd::server
