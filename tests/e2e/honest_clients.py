"""Clients that make calls of all methods and sizes, and compare every answer.

They retry what a client may retry: RESOURCE_EXHAUSTED and UNAVAILABLE, and INTERNAL that comes from
gRPC (docs/reliability.md), after a growing pause or the one that the server asks for.
"""

import collections
import dataclasses
import random
import threading
import time

import grpc
import numpy as np

import api
import golden_cases

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    # Where gRPC 1.51 itself retries a stream, a message may be lost.
    ("grpc.enable_retries", 0),
)
RETRYABLE = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
# Waiting would not help.
FINAL_REASONS = ("MESSAGE_TOO_LARGE",)
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2
# Of tensors, in elements.
SMALL, MEDIUM, LARGE = 300, 100_000, 512 * 1024
SMALL_BYTES = 16 * 1024


def _may_be_retried(error):
    """Returns whether a call that ended with the CallError may be made again. Calls change nothing."""
    if error.code == grpc.StatusCode.INTERNAL:
        return not error.reason
    return error.code in RETRYABLE and error.reason not in FINAL_REASONS


@dataclasses.dataclass(frozen=True)
class Exchange:
    """The messages of one call and the answers to them, as bytes. A unary call has one of each."""

    method: str
    messages: tuple
    answers: tuple = ()

    @property
    def is_stream(self):
        return self.method.startswith("Stream")

    @property
    def is_small(self):
        return not self.is_stream and len(self.messages[0]) <= SMALL_BYTES

    def call(self, channel, timeout):
        """Makes the call and returns the answers."""
        path = f"/{api.SERVICE}/{self.method}"
        if self.is_stream:
            return tuple(channel.stream_stream(path)(iter(self.messages), timeout=timeout))
        return (channel.unary_unary(path)(self.messages[0], timeout=timeout),)

    def answered(self, channel):
        """Returns this exchange with the answers that it gets on an idle server."""
        return dataclasses.replace(self, answers=self.call(channel, timeout=60))


def small_exchange():
    """Returns a call that is answered in a fraction of a millisecond."""
    return Exchange("FakeQuantize", (_requests(SMALL, 1, seed=0)["FakeQuantize"],))


def make_exchanges(channel):
    """Returns calls of all methods, sizes and kinds of ranges, with the right answers.

    Golden cases have TensorFlow's answers. The others have those of a server that has nothing else
    to do, to which `channel` leads.
    """
    exchanges = [Exchange("GetServerInfo", (b"",)).answered(channel)]
    for case in golden_cases.all_cases():
        exchange = Exchange(case.method, (case.request().SerializeToString(),)).answered(channel)
        answer = (api.FakeQuantizeGradientResponse if case.is_gradient
                  else api.FakeQuantizeResponse).FromString(exchange.answers[0])
        if problems := case.problems(answer):
            raise AssertionError(f"{case.name}: {problems}")
        exchanges.append(exchange)
    for elements, channels, length in ((SMALL, 1, 30), (SMALL, 30, 30), (MEDIUM, 1, 8),
                                       (MEDIUM, 100, 8), (LARGE, 1, 2), (LARGE, 1024, 2)):
        streams = [_requests(elements, channels, seed) for seed in range(length)]
        for method in streams[0]:
            messages = tuple(requests[method] for requests in streams)
            exchanges.append(Exchange(method, messages[:1]).answered(channel))
            exchanges.append(Exchange(f"Stream{method}", messages).answered(channel))
    return exchanges


def _requests(elements, channels, seed):
    """Returns a request of each method as bytes, for a tensor of random elements."""
    generator = np.random.default_rng(seed)
    shape = (elements // channels, channels)
    values = api.tensor_of_bytes(generator.normal(size=shape).astype(np.float32))
    gradients = api.tensor_of_bytes(generator.normal(size=shape).astype(np.float32))
    codes = api.Tensor(data_type=api.DATA_TYPE_UINT8, shape=shape,
                       data=generator.integers(256, size=shape, dtype=np.uint8).tobytes())
    bounds = generator.uniform(0.5, 2, size=channels)
    span = api.Range(min=-bounds, max=bounds, axis=None if channels == 1 else 1)
    requests = (api.FakeQuantizeRequest(input=values, range=span),
                api.FakeQuantizeGradientRequest(gradients=gradients, inputs=values, range=span),
                api.QuantizeRequest(input=values, range=span),
                api.DequantizeRequest(input=codes, range=span))
    return {type(request).__name__.removesuffix("Request"): request.SerializeToString()
            for request in requests}


@dataclasses.dataclass
class Report:
    """What happened to calls."""

    # By method.
    calls: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    # By the error that was retried.
    retries: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    most_retries: int = 0
    longest_seconds: float = 0
    # For each small call when it ended, by the system's monotonic clock, how long it took in all, and
    # how long its last attempt did.
    latencies: list = dataclasses.field(default_factory=list)
    wrong_answers: list = dataclasses.field(default_factory=list)
    unexpected_errors: list = dataclasses.field(default_factory=list)

    def add(self, other):
        self.calls += other.calls
        self.retries += other.retries
        self.most_retries = max(self.most_retries, other.most_retries)
        self.longest_seconds = max(self.longest_seconds, other.longest_seconds)
        self.latencies += other.latencies
        self.wrong_answers += other.wrong_answers
        self.unexpected_errors += other.unexpected_errors

    def latency(self, quantile, first, last, with_retries=False):
        """Returns a quantile of the latencies of small calls that ended between two times, in s."""
        found = [whole if with_retries else attempt for end, whole, attempt in self.latencies
                 if first <= end <= last]
        return float(np.quantile(found, quantile))


class Client:
    """A client with a connection of its own. Not for use by two threads at once."""

    def __init__(self, address, seed, patience_seconds=30):
        """An error that may be retried is unexpected once it has lasted for `patience_seconds`."""
        self._channel = grpc.insecure_channel(address, CHANNEL_OPTIONS)
        self._random = random.Random(seed)
        self._patience_seconds = patience_seconds
        self.report = Report()

    def make_random_calls(self, exchanges, pause_seconds, stop):
        """Makes calls until `stop` is set, with pauses of random length. Each method is as frequent as
        the others, and each magnitude of its messages."""
        choices = collections.defaultdict(lambda: collections.defaultdict(list))
        for exchange in exchanges:
            magnitude = len(exchange.messages[0]).bit_length() // 4
            choices[exchange.method][magnitude].append(exchange)
        while not stop.is_set() and not self.report.unexpected_errors:
            by_magnitude = choices[self._random.choice(list(choices))]
            self.make_call(self._random.choice(by_magnitude[self._random.choice(list(by_magnitude))]))
            stop.wait(self._random.expovariate(1 / pause_seconds))

    def make_call(self, exchange):
        """Makes one call, again and again if necessary, and compares its answers."""
        report = self.report
        report.calls[exchange.method] += 1
        start = time.monotonic()
        retries = 0
        while True:
            attempt = time.monotonic()
            try:
                answers = exchange.call(self._channel, timeout=self._patience_seconds)
                break
            except grpc.RpcError as failure:
                error = api.call_error(failure)
                kind = f"{error.code.name} {error.reason or 'by gRPC'}"
                if (not _may_be_retried(error)
                        or time.monotonic() - start > self._patience_seconds):
                    report.unexpected_errors.append(
                        f"{exchange.method} after {retries} retries and "
                        f"{time.monotonic() - start:.1f} s: {kind}: {error.message}")
                    return
                report.retries[kind] += 1
                longest = min(FIRST_PAUSE_SECONDS * 2**min(retries, 10), LONGEST_PAUSE_SECONDS)
                time.sleep(max(error.retry_delay, self._random.uniform(longest / 2, longest)))
                retries += 1
        end = time.monotonic()
        report.most_retries = max(report.most_retries, retries)
        report.longest_seconds = max(report.longest_seconds, end - start)
        if exchange.is_small:
            report.latencies.append((end, end - start, end - attempt))
        if answers != exchange.answers:
            report.wrong_answers.append(
                f"{exchange.method} of {len(exchange.messages[0])} bytes: {len(answers)} of "
                f"{len(exchange.answers)} answers")

    def close(self):
        self._channel.close()


def run(clients, work):
    """Runs work(client) for each client at the same time, closes them, and returns their Report."""
    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    whole = Report()
    for thread, client in zip(threads, clients, strict=True):
        thread.join()
        client.close()
        whole.add(client.report)
    return whole


def run_random(address, exchanges, count, pause_seconds, stop):
    """Runs `count` clients that make random calls until `stop` is set, and returns their Report."""
    clients = [Client(address, seed) for seed in range(count)]
    return run(clients, lambda client: client.make_random_calls(exchanges, pause_seconds, stop))
