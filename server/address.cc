#include "server/address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace quantd::server {
namespace {

// "localhost" always means the loopback address (RFC 6761, section 6.3), but the
// resolver may not know it without /etc/hosts, as in a bare container.
constexpr std::string_view kLocalhost = "localhost";
constexpr std::string_view kLoopback = "127.0.0.1";

constexpr std::string_view kUnixPrefix = "unix:";

absl::Status NoAddress(std::string_view address, absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat("'",
                                                 absl::string_view(address.data(), address.size()),
                                                 "' is not a valid address; ", expected));
}

absl::Status NoHostPort(std::string_view address) {
  return NoAddress(address,
                   "expected HOST:PORT with a port from 0 to 65535, such as localhost:50051 or "
                   "[::1]:50051");
}

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed_end, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || parsed_end != end) {
    return std::nullopt;
  }
  return port;
}

struct AddressInfoDeleter {
  void operator()(addrinfo* info) const { freeaddrinfo(info); }
};
using AddressInfoList = std::unique_ptr<addrinfo, AddressInfoDeleter>;

const addrinfo* PreferIpv4(const addrinfo* first) {
  for (const addrinfo* info = first; info != nullptr; info = info->ai_next) {
    if (info->ai_family == AF_INET) {
      return info;
    }
  }
  return first;
}

// Owns a file descriptor.
class FileDescriptor {
 public:
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  ~FileDescriptor() {
    if (descriptor_ >= 0) {
      close(descriptor_);
    }
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace

absl::StatusOr<HostPort> ParseHostPort(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) {
    return NoHostPort(address);
  }
  std::string_view host = address.substr(0, colon);
  const std::optional<std::uint16_t> port = ParsePort(address.substr(colon + 1));
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  }
  const bool misplaced = host.find_first_of(bracketed ? "[]" : "[]:") != std::string_view::npos;
  if (host.empty() || misplaced || !port.has_value()) {
    return NoHostPort(address);
  }
  return HostPort{.host = std::string(host), .port = *port};
}

std::string FormatHostPort(const HostPort& address) {
  return address.host.find(':') == std::string::npos
             ? absl::StrCat(address.host, ":", address.port)
             : absl::StrCat("[", address.host, "]:", address.port);
}

std::optional<std::string_view> UnixSocketPath(std::string_view address) {
  if (!address.starts_with(kUnixPrefix)) {
    return std::nullopt;
  }
  return address.substr(kUnixPrefix.size());
}

absl::Status CheckListenAddress(std::string_view address) {
  const std::optional<std::string_view> path = UnixSocketPath(address);
  if (!path.has_value()) {
    const absl::Status status = ParseHostPort(address).status();
    return status.ok() ? status
                       : NoAddress(address,
                                   "expected HOST:PORT, such as localhost:50051 or [::1]:50051, or "
                                   "unix:PATH, such as unix:/run/quantd.sock");
  }
  constexpr std::size_t kMaxPathSize = sizeof(sockaddr_un::sun_path) - 1;
  if (path->empty() || path->size() > kMaxPathSize) {
    return NoAddress(address, absl::StrCat("expected unix:PATH with a path of 1 to ", kMaxPathSize,
                                           " bytes, such as unix:/run/quantd.sock"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ResolveHost(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0) {
    if (host == kLocalhost) {
      return std::string(kLoopback);
    }
    return absl::NotFoundError(
        absl::StrCat("the host '", host, "' is unknown: ", gai_strerror(error)));
  }
  const AddressInfoList list(found);
  const addrinfo* const info = PreferIpv4(list.get());
  std::array<char, NI_MAXHOST> number{};
  if (const int error = getnameinfo(info->ai_addr, info->ai_addrlen, number.data(), number.size(),
                                    nullptr, 0, NI_NUMERICHOST);
      error != 0) {
    return absl::NotFoundError(
        absl::StrCat("the host '", host, "' has no numeric address: ", gai_strerror(error)));
  }
  return std::string(number.data());
}

std::string BindAddress(const std::string& address) {
  absl::StatusOr<HostPort> host_port = ParseHostPort(address);
  if (UnixSocketPath(address).has_value() || !host_port.ok() || host_port->host != kLocalhost) {
    return address;
  }
  addrinfo* found = nullptr;
  const bool known = getaddrinfo(host_port->host.c_str(), nullptr, nullptr, &found) == 0;
  const AddressInfoList list(found);
  if (known) {
    return address;
  }
  host_port->host = kLoopback;
  return FormatHostPort(*host_port);
}

bool IsUnixSocketServed(std::string_view path) {
  sockaddr_un address{};
  if (path.size() >= sizeof(address.sun_path)) {
    return false;
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const FileDescriptor socket_descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const void* const generic_address = &address;
  return socket_descriptor.get() >= 0 &&
         connect(socket_descriptor.get(), static_cast<const sockaddr*>(generic_address),
                 sizeof(address)) == 0;
}

}  // namespace quantd::server
