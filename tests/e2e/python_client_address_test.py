"""Tests which addresses the Python package takes, and how it connects to them: directly or through a proxy."""

import contextlib
import os
import socket
import socketserver
import struct
import threading
import unittest
import unittest.mock

import numpy as np
import quantd

import python_clients
import quantd_process

PROXY_VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy")


@contextlib.contextmanager
def proxies(**variables):
    """Sets the variables that name proxies, and removes all others of the kind."""
    with unittest.mock.patch.dict(os.environ, variables):
        for name in PROXY_VARIABLES:
            if name not in variables:
                os.environ.pop(name, None)
        yield


class Proxy:
    """An HTTP proxy that connects to `target`, whatever it is asked for, or refuses if that is None."""

    def __init__(self, target):
        outer = self
        self.requests = []

        class Handler(socketserver.StreamRequestHandler):
            """One connection."""

            def handle(self):
                outer.requests.append(self.rfile.readline().decode())
                while self.rfile.readline().strip():
                    pass
                if target is None:
                    self.wfile.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                    return
                host, _, port = target.rpartition(":")
                with socket.create_connection((host.strip("[]"), int(port))) as server:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    back = threading.Thread(target=_copy, args=(server, self.connection))
                    back.start()
                    _copy(self.connection, server)
                    back.join()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def _copy(source, target):
    """Copies what one socket receives to another, until it ends."""
    while part := source.recv(2**16):
        target.sendall(part)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class NameServer:
    """A name server in the DNS that gives every name these IPv4 addresses."""

    def __init__(self, *addresses):
        class Handler(socketserver.BaseRequestHandler):
            """One question: a head of 12 bytes, a name that ends with 0, a type and a class."""

            def handle(self):
                query, answering = self.request
                end = query.index(b"\0", 12) + 5
                is_for_ipv4 = query[end - 4:end - 2] == b"\0\1"
                found = [socket.inet_aton(address) for address in addresses] if is_for_ipv4 else []
                answer = query[:2] + struct.pack(">HHHHH", 0x8180, 1, len(found), 0, 0) + query[12:end]
                for address in found:
                    # The name of the question, the type, the class, a second to live, and the address.
                    answer += struct.pack(">HHHIH", 0xC00C, 1, 1, 1, len(address)) + address
                answering.sendto(answer, self.client_address)

        self._server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class AddressTest(unittest.TestCase):

    def test_malformed_addresses_are_value_errors_that_say_how_to_fix_them(self):
        for address, message in (
            ("", "address is empty"), ("localhost", r"there is no port.*pass 'localhost:50051'"),
            ("1.2.3.4", "there is no port"), ("[::1]", r"no port.*pass '\[::1\]:50051'"),
            ("localhost:", "the port is ''"), (":70000", "there is no host"), (":50051", "there is no host"),
            ("host:0", "the port is '0'.*from 1 to 65535"), ("host:65536", "from 1 to 65535"),
            ("host:+1", "the port is"), ("host:1e3", "the port is"), ("host:１", "the port is"),
            ("http://localhost:50051", "it has a scheme.*leave out"), ("dns:///a:1", "it has a scheme"),
            ("https://a", "tls=True"), ("local host:50051", "contains spaces"), (" a:1", "contains spaces"),
            ("a:1\n", "contains spaces"), ("a\0:1", "cannot be printed"), ("a_/b:1", "is not the name of a host"),
            ("a..b:1", "is not the name"), ("-a:1", "is not the name"), ("user@a:1", "is not the name"),
            ("a" * 64 + ":1", "is not the name"), ("1.2.3:1", "is not an IPv4 address"),
            ("1.2.3.256:1", "is not an IPv4 address"), ("::1", r"several colons.*pass '\[::1\]:50051'"),
            ("a:1:2", "several colons"), ("[::1:50051", "not an IPv6 address"),
            ("[localhost]:1", "not an IPv6 address"), ("[::1]50051", "'50051' follows the bracket"),
            ("unix:", "no path after unix:"), ("unix:/", "no path after unix:"),
            ("unix:///" + "a" * 107, "the path has 108 bytes.*at most 107"),
            ("unix:" + "ä" * 54, "the path has 108 bytes"),
            ("a:1,,b:2", "address is empty"), ("a:1, b:2", "contains spaces"), ("a:1,b", "there is no port"),
            ([], "empty sequence"), (["a:1", ""], "address is empty"), (["a:1,b:2"], "is not|several colons"),
        ):
            with self.subTest(address), self.assertRaisesRegex(ValueError, message) as raised:
                quantd.Client(address)
            self.assertIn("expected", str(raised.exception))
        for address in (50051, None, b"localhost:50051", [1], {"localhost:50051"}):
            with self.subTest(address), self.assertRaisesRegex(TypeError, "localhost:50051"):
                quantd.Client(address)

    def test_every_form_of_address_is_accepted(self):
        for address in ("localhost:50051", "LOCALHOST:1", "a-b.c_d.example.:65535", "1.2.3.4:1", "[::1]:1",
                        "[fe80::1%eth0]:1", "dns:50051", "unix:/run/quantd.sock", "unix:relative",
                        "unix:///" + "a" * 106, "a:1,[::1]:2,unix:/c", ["a:1", "b:2"], ("unix:/a,b",)):
            with self.subTest(address), quantd.Client(address):
                pass


class ConnectionTest(quantd_process.QuantdTestCase):

    def check(self, address, **options):
        x = np.float32([-2, 0.1, 2])
        with python_clients.connected_to(address, **options) as client:
            np.testing.assert_array_equal(client.fake_quantize(x, -1, 1).output, self.expected(x))

    def expected(self, x):
        with python_clients.connected_to(self.quantd.address) as client:
            return client.fake_quantize(x, -1, 1).output

    def test_connections_on_this_machine_use_no_proxy(self):
        with Proxy(None) as proxy, proxies(http_proxy=f"http://{proxy.address}"):
            for listen in ("127.0.0.1:0", "[::1]:0", "unix:{directory}/quantd.sock"):
                with self.subTest(listen), quantd_process.Quantd(listen=(listen,)) as server:
                    self.check(server.address)
            self.check("localhost:" + self.quantd.address.rpartition(":")[2])
            self.assertEqual(proxy.requests, [])

    def test_other_connections_go_through_the_proxy(self):
        with Proxy(self.quantd.address) as proxy, proxies(http_proxy=f"http://{proxy.address}"):
            self.check("quantd.invalid:50051")
            self.assertIn("CONNECT quantd.invalid:50051 HTTP/1", proxy.requests[0])

    def test_a_host_may_be_called_like_a_scheme_of_grpc(self):
        with Proxy(self.quantd.address) as proxy, proxies(http_proxy=f"http://{proxy.address}"):
            self.check("dns:50051")
            self.assertIn("CONNECT dns:50051 HTTP/1", proxy.requests[0])

    def test_the_caller_can_choose_the_proxy(self):
        with Proxy(self.quantd.address) as proxy, proxies():
            self.check("quantd.invalid:50051",
                       channel_options=[("grpc.http_proxy", f"http://{proxy.address}")])
            self.assertIn("CONNECT quantd.invalid:50051 HTTP/1", proxy.requests[0])

    def test_an_error_names_the_proxy_without_its_password(self):
        with Proxy(None) as proxy:
            url = f"http://user:secret@{proxy.address}"
            for variables in ({"http_proxy": url}, {"https_proxy": url, "http_proxy": "http://a:1"},
                              {"grpc_proxy": url, "no_proxy": "example.com,"}):
                with self.subTest(variables), proxies(**variables):
                    with quantd.Client("quantd.invalid:50051", retry=False) as client:
                        with self.assertRaises(quantd.UnavailableError) as raised:
                            client.healthy()
                    self.assertIn(f"quantd.invalid:50051 through the proxy http://{proxy.address} (",
                                  raised.exception.message)
                    self.assertNotIn("secret", raised.exception.message)

    def test_no_proxy_excludes_servers(self):
        with Proxy(None) as proxy:
            for no_proxy in ("quantd.invalid", ".invalid", "other, invalid ", "*"):
                with (self.subTest(no_proxy),
                      proxies(http_proxy=f"http://{proxy.address}", no_proxy=no_proxy),
                      quantd.Client("quantd.invalid:50051", retry=False) as client,
                      self.assertRaises(quantd.UnavailableError) as raised):
                    client.healthy()
                self.assertNotIn("proxy", raised.exception.message)
            self.assertEqual(proxy.requests, [])

    def test_networks_in_no_proxy_exclude_their_addresses(self):
        with proxies(http_proxy="http://127.0.0.1:9", no_proxy="192.0.2.0/24"):
            for address, is_excluded in (("192.0.2.7:50051", True), ("198.51.100.7:50051", False)):
                with quantd.Client(address, retry=False, timeout=0.2) as client:
                    with self.subTest(address), self.assertRaises(quantd.QuantdError) as raised:
                        client.healthy()
                self.assertEqual("proxy" not in raised.exception.message, is_excluded)

    def test_calls_take_turns_with_all_addresses_of_a_name(self):
        with (proxies(), NameServer("127.0.0.1", "127.0.0.2") as names,
              quantd_process.Quantd(listen=("127.0.0.1:0",)) as one):
            port = one.address.rpartition(":")[2]
            with quantd_process.Quantd(listen=(f"127.0.0.2:{port}",)) as other:
                # The only way to tell gRPC which name server to ask.
                target = unittest.mock.PropertyMock(return_value=f"dns://{names.address}/quantd.test:{port}")
                with (unittest.mock.patch("quantd._addresses.Address.target", target),
                      python_clients.connected_to(f"quantd.test:{port}") as client):
                    def both_have_answered():
                        client.server_info()
                        return all(server.metrics().total("grpc_server_handled_total") for server in (one, other))

                    quantd_process.wait_until(both_have_answered, "answers of both servers")

    def test_the_caller_can_switch_proxies_off(self):
        with Proxy(None) as proxy, proxies(http_proxy=f"http://{proxy.address}"):
            with quantd.Client("quantd.invalid:50051", retry=False,
                               channel_options=[("grpc.enable_http_proxy", 0)]) as client:
                with self.assertRaises(quantd.UnavailableError) as raised:
                    client.healthy()
            self.assertNotIn("proxy", raised.exception.message)
            self.assertEqual(proxy.requests, [])


if __name__ == "__main__":
    unittest.main()
