"""Tests that clients which retry lose no call when one of three servers stops or crashes.

They use the service config of docker/kubernetes, as its README recommends.
"""

import itertools
import json
import os
import pathlib
import signal
import threading
import unittest

import grpc

import api
import honest_clients
import quantd_process

SERVICE_CONFIG = pathlib.Path(
    os.environ["QUANTD_SOURCE_DIR"], "docker/kubernetes/service-config.json").read_text(encoding="utf-8")
CLIENTS = 8
ANSWERS = 20


class ServiceConfigTest(unittest.TestCase):

    def test_exactly_the_unary_methods_are_retried(self):
        service = api.quantization_service_pb2.DESCRIPTOR.services_by_name["QuantizationService"]
        self.assertCountEqual(
            [name for config in json.loads(SERVICE_CONFIG)["methodConfig"] for name in config["name"]],
            [{"service": service.full_name, "method": method.name} for method in service.methods
             if not method.client_streaming])


class FailoverTest(unittest.TestCase):

    def setUp(self):
        self.quantds = [quantd_process.Quantd(listen=("127.0.0.1:0",)) for _ in range(3)]
        for quantd in self.quantds:
            self.addCleanup(quantd.kill)
        exchanges = honest_clients.make_exchanges(self.quantds[0].connect())
        self.stop = threading.Event()
        addresses = ",".join(quantd.address for quantd in self.quantds)
        self.clients = [_Client(f"ipv4:{addresses}", exchanges[seed::CLIENTS], self.stop)
                        for seed in range(CLIENTS)]
        for client in self.clients:
            client.start()
        self.addCleanup(self.stop.set)
        quantd_process.wait_until(lambda: all(_answers(quantd) > ANSWERS for quantd in self.quantds),
                                  "answers from all servers")

    def test_no_call_fails_when_a_server_stops(self):
        self.quantds[0].signal(signal.SIGTERM)
        self.assertEqual(self.quantds[0].wait(), 0, self.quantds[0].log)
        self.check_clients()

    def test_no_call_fails_when_a_server_is_killed(self):
        self.quantds[0].signal(signal.SIGKILL)
        self.assertEqual(self.quantds[0].wait(), -signal.SIGKILL)
        self.check_clients()

    def test_no_call_fails_when_all_servers_are_replaced_one_by_one(self):
        for i, quantd in enumerate(self.quantds):
            quantd.stop()
            self.wait_for_answers()
            self.quantds[i] = quantd_process.Quantd(listen=(quantd.address,))
            self.addCleanup(self.quantds[i].kill)
            quantd_process.wait_until(lambda i=i: _answers(self.quantds[i]) > ANSWERS,
                                      "answers from the successor")
        self.check_clients()

    def check_clients(self):
        self.wait_for_answers()
        self.stop.set()
        for client in self.clients:
            client.join()
            self.assertEqual(client.problems, [])
        print(f"{sum(client.answers for client in self.clients)} calls, "
              f"{sum(client.restarts for client in self.clients)} streams were started again")

    def wait_for_answers(self):
        """Waits until every client has made further calls, or has failed."""
        before = [client.answers for client in self.clients]
        quantd_process.wait_until(
            lambda: all(client.answers > count + ANSWERS or client.problems
                        for client, count in zip(self.clients, before, strict=True)),
            "answers for every client")


class _Client(threading.Thread):
    """Makes one call after another, until one fails or `stop` is set.

    gRPC retries unary calls. Of streams, the client itself makes a new one: where gRPC 1.51 retries
    streams, some lose a message.
    """

    def __init__(self, target, exchanges, stop):
        super().__init__()
        self._channel = grpc.insecure_channel(target, (
            ("grpc.max_receive_message_length", -1),
            ("grpc.enable_http_proxy", 0),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.service_config", SERVICE_CONFIG),
            ("grpc.per_rpc_retry_buffer_size", 64 << 20),
        ))
        self._exchanges = exchanges
        self._stopping = stop
        self.answers = 0
        self.restarts = 0
        self.problems = []

    def run(self):
        exchanges = itertools.cycle(self._exchanges)
        with self._channel:
            while not self._stopping.is_set() and not self.problems:
                self._call(next(exchanges))

    def _call(self, exchange):
        try:
            answers = exchange.call(self._channel, timeout=quantd_process.DEADLINE_SECONDS)
        except grpc.RpcError as error:
            if exchange.is_stream and error.code() == grpc.StatusCode.UNAVAILABLE:
                self.restarts += 1
            else:
                self.problems.append(f"{exchange.method}: {error}")
            return
        self.answers += 1
        if answers != exchange.answers:
            wrong = [i for i, pair in enumerate(zip(answers, exchange.answers, strict=False))
                     if pair[0] != pair[1]]
            self.problems.append(f"{exchange.method}: {len(answers)} of {len(exchange.answers)} "
                                 f"answers, of which {wrong} are wrong")


def _answers(quantd):
    return quantd.metrics().total("grpc_server_handled_total", grpc_code="OK")


if __name__ == "__main__":
    unittest.main()
