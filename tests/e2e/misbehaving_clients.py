"""Clients that do what no client should, again and again."""

import collections
import concurrent.futures
import contextlib
import dataclasses
import random
import socket
import struct
import time

import grpc
import numpy as np

import api
import honest_clients
import http2

MIB = 1024 * 1024
FAKE_QUANTIZE = f"/{api.SERVICE}/FakeQuantize"
# How long what should be let go is held on to.
HOLD_SECONDS = 1
PAUSE_SECONDS = 0.3
TIMEOUT_SECONDS = 30
# gRPC's clients otherwise take megabytes before they are asked to.
UNREAD_OPTIONS = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65535))


@dataclasses.dataclass(frozen=True)
class Target:
    """A server, and how much it has to stand."""

    address: str
    metrics_address: str
    max_message_bytes: int
    oversized_bytes: int
    # Connections, channels or calls of one round are multiples of this.
    scale: int


# The functions below misbehave once, and return how that ended. What the server refuses ends with
# grpc.RpcError, and a connection that the server closes with OSError.


def oversized_message(target):
    with _channel(target) as channel:
        channel.unary_unary(FAKE_QUANTIZE)(bytes(target.oversized_bytes), timeout=TIMEOUT_SECONDS)
    return "OK"


def compressed_message(target):
    """A megabyte or less that would become as much as the server takes."""
    with _channel(target, grpc.Compression.Gzip) as channel:
        channel.unary_unary(FAKE_QUANTIZE)(bytes(target.max_message_bytes - MIB),
                                           timeout=TIMEOUT_SECONDS)
    return "OK"


def malformed_message(target):
    dimensions = api.FakeQuantizeRequest(input=api.Tensor(shape=[1] * MIB)).SerializeToString()
    unknown_groups = b"\x4b\x4c" * (MIB // 2)
    with _channel(target) as channel:
        channel.unary_unary(FAKE_QUANTIZE)(
            random.choice((dimensions, unknown_groups, b"\xff" * MIB)), timeout=TIMEOUT_SECONDS)
    return "OK"


def unread_answers(target):
    request = _fake_quantize_request(2 * MIB)
    with contextlib.ExitStack() as channels:
        calls = []
        for _ in range(2 * target.scale):
            channel = channels.enter_context(_channel(target))
            # Of a stream, gRPC reads no answer before it is asked for one.
            calls += [channel.unary_stream(FAKE_QUANTIZE)(request, timeout=TIMEOUT_SECONDS)
                      for _ in range(3)]
        time.sleep(HOLD_SECONDS)
        for call in calls:
            call.cancel()
    return "cancelled"


def unread_gradients(target):
    """Streams of messages of a few bytes, which inherit ranges of many channels."""
    channels = 100_000
    empty = api.tensor_of_bytes(np.ones((0, channels), np.float32))
    request = api.FakeQuantizeGradientRequest(gradients=empty, inputs=empty)
    rest = request.SerializeToString()
    request.range.CopyFrom(api.Range(min=[-1] * channels, max=[1] * channels, axis=1))
    messages = [request.SerializeToString(), *[rest] * 50]
    with contextlib.ExitStack() as open_channels:
        calls = []
        for _ in range(2 * target.scale):
            channel = open_channels.enter_context(_channel(target))
            stream = channel.stream_stream(f"/{api.SERVICE}/StreamFakeQuantizeGradient")
            calls.append(stream(iter(messages), timeout=TIMEOUT_SECONDS))
        time.sleep(HOLD_SECONDS)
        for call in calls:
            call.cancel()
    return "cancelled"


def half_open_connections(target):
    with contextlib.ExitStack() as connections:
        for sent in (b"", http2.PREFACE[:12], http2.PREFACE) * target.scale:
            connection = connections.enter_context(http2.connect(target.address, TIMEOUT_SECONDS))
            connection.sendall(sent)
        time.sleep(5 * HOLD_SECONDS)
    return "left"


def idle_connections(target):
    with contextlib.ExitStack() as connections:
        for _ in range(5 * target.scale):
            connections.enter_context(http2.Connection(target.address, TIMEOUT_SECONDS))
        time.sleep(5 * HOLD_SECONDS)
    return "left"


def connections_closed_at_once(target):
    for _ in range(50 * target.scale):
        http2.connect(target.address, TIMEOUT_SECONDS).close()
    return "left"


def headers_only(target):
    with http2.Connection(target.address, TIMEOUT_SECONDS) as connection:
        # No more than the server permits.
        connection.send(http2.begun_calls(FAKE_QUANTIZE, range(900)))
        time.sleep(HOLD_SECONDS)
    return "left"


def reset_streams(target):
    with http2.Connection(target.address, TIMEOUT_SECONDS) as connection:
        connection.send(http2.aborted_calls(FAKE_QUANTIZE, range(500 * target.scale)))
    return "left"


def tiny_frames(target):
    """A message in frames of 24 bytes, which never ends."""
    with http2.Connection(target.address, TIMEOUT_SECONDS) as connection:
        connection.send(
            http2.frame(http2.HEADERS, http2.END_HEADERS, 1, http2.request_headers(FAKE_QUANTIZE))
            + http2.frame(http2.DATA, 0, 1, b"\0" + struct.pack(">I", MIB))
            # As many as the first window has room for.
            + http2.frame(http2.DATA, 0, 1, bytes(24)) * (65_000 // 24))
        time.sleep(HOLD_SECONDS)
    return "left"


def flood_of_pings(target):
    with http2.Connection(target.address, TIMEOUT_SECONDS) as connection:
        for _ in range(10):
            if connection.ping()[0] == http2.GOAWAY:
                return "GOAWAY"
    return "OK"


def cancelled_calls(target):
    request = _fake_quantize_request(2 * MIB)
    with _channel(target) as channel:
        for _ in range(2 * target.scale):
            call = channel.unary_unary(FAKE_QUANTIZE).future(request, timeout=TIMEOUT_SECONDS)
            time.sleep(random.uniform(0, 0.02))
            call.cancel()
    return "cancelled"


def tiny_deadlines(target):
    request = _fake_quantize_request(MIB)
    with _channel(target) as channel:
        for _ in range(10 * target.scale):
            with contextlib.suppress(grpc.RpcError):  # This one is expected to be late.
                channel.unary_unary(FAKE_QUANTIZE)(request, timeout=random.uniform(0.0005, 0.01))
        channel.unary_unary(FAKE_QUANTIZE)(request, timeout=0.0001)
    return "OK"


def half_requests_for_metrics(target):
    host, port = target.metrics_address.rsplit(":", 1)
    with contextlib.ExitStack() as connections:
        for _ in range(10 * target.scale):
            connection = connections.enter_context(
                socket.create_connection((host, int(port)), TIMEOUT_SECONDS))
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost:")
        time.sleep(HOLD_SECONDS)
    return "left"


# Each with how its rounds have to end, unless the server's memory or connections are used up.
KINDS = {
    oversized_message: "RESOURCE_EXHAUSTED",
    compressed_message: "UNIMPLEMENTED",
    malformed_message: "INVALID_ARGUMENT",
    unread_answers: "cancelled",
    unread_gradients: "cancelled",
    half_open_connections: "left",
    idle_connections: "left",
    connections_closed_at_once: "left",
    headers_only: "left",
    reset_streams: "left",
    tiny_frames: "left",
    flood_of_pings: "GOAWAY",
    cancelled_calls: "cancelled",
    tiny_deadlines: "DEADLINE_EXCEEDED",
    half_requests_for_metrics: "left",
}


def run(target, stop):
    """Misbehaves in all ways at once until `stop` is set. Returns how often, by kind and end."""
    with concurrent.futures.ThreadPoolExecutor(len(KINDS)) as executor:
        ends = [executor.submit(_repeat, kind, target, stop) for kind in KINDS]
        return sum((end.result() for end in ends), collections.Counter())


def _repeat(kind, target, stop):
    ends = collections.Counter()
    while not stop.is_set():
        try:
            end = kind(target)
        except grpc.RpcError as error:
            end = error.code().name
        except OSError:
            end = "closed by the server"
        ends[kind.__name__, end] += 1
        stop.wait(PAUSE_SECONDS)
    return ends


def _channel(target, compression=None):
    return grpc.insecure_channel(
        target.address, (*honest_clients.CHANNEL_OPTIONS, *UNREAD_OPTIONS), compression)


def _fake_quantize_request(size):
    return api.FakeQuantizeRequest(
        input=api.tensor_of_bytes(np.ones(size // 4, np.float32)),
        range=api.Range(min=[-1], max=[1])).SerializeToString()
