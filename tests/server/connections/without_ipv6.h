// A machine without IPv6.

#ifndef QUANTD_TESTS_SERVER_CONNECTIONS_WITHOUT_IPV6_H_
#define QUANTD_TESTS_SERVER_CONNECTIONS_WITHOUT_IPV6_H_

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <iterator>
#include <thread>

namespace quantd::server {

// Runs `function` on a thread for which the kernel has no IPv6: it refuses such sockets
// with EAFNOSUPPORT, as systemd's RestrictAddressFamilies= does, too.
template <typename Function>
void WithoutIpv6(Function function) {
  std::thread([&] {
    constexpr unsigned kFamilyOffset = offsetof(seccomp_data, args);
    sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kFamilyOffset),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{.len = std::size(instructions), .filter = instructions};
    ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
    function();
  }).join();
}

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_CONNECTIONS_WITHOUT_IPV6_H_
