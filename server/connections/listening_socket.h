// Sockets that listen on the addresses of a server.

#ifndef QUANTD_SERVER_CONNECTIONS_LISTENING_SOCKET_H_
#define QUANTD_SERVER_CONNECTIONS_LISTENING_SOCKET_H_

#include <sys/stat.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/file_descriptor.h"
#include "server/connections/unix_socket_file.h"

namespace quantd::server {

// A socket that listens on one address. It does not block.
struct ListeningSocket {
  core::FileDescriptor descriptor;
  // For a unix socket. Destroyed before the descriptor is closed.
  std::optional<UnixSocketFile> file;
};

struct ListeningSockets {
  std::vector<ListeningSocket> sockets;
  // The addresses as they were given, with their actual ports.
  std::vector<std::string> addresses;
  // Those that other machines can reach, as numbers, such as "0.0.0.0:50051".
  std::vector<std::string> public_addresses;
};

// Listens on `addresses`, each HOST:PORT or unix:PATH as CheckListenAddress() accepts it.
// Errors tell to correct `flag`, the name of the flag that has them, such as "--listen".
//
// - A host is listened on at all of its addresses, and localhost at 127.0.0.1 and ::1.
//   What this machine does not have at all, such as IPv6, is left out if another address
//   of the host remains.
// - With port 0, all addresses of the host have the same port, which is free.
// - [::] stands for IPv4 as well, unless another of the addresses has the same port and is
//   one of IPv4. If the machine has no IPv6, it stands for IPv4 alone.
// - Unix sockets have the permissions `unix_socket_mode`, or those that the umask allows.
//
// May block while a name server answers.
//
// Errors: kUnavailable, with the address at fault, the reason and how to fix it. Nothing
// is listened on then.
absl::StatusOr<ListeningSockets> Listen(std::span<const std::string> addresses,
                                        std::string_view flag,
                                        std::optional<mode_t> unix_socket_mode);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CONNECTIONS_LISTENING_SOCKET_H_
