"""Clients of the Python package under test, connected to a server."""

import contextlib

import quantd

import quantd_process


@contextlib.contextmanager
def connected_to(address, **options):
    """A quantd.Client with a connection of its own that stands.

    See quantd_process.Quantd.connect() for why a call does not open it.
    """
    channel_options = (("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1))
    options = {"timeout": quantd_process.DEADLINE_SECONDS, "channel_options": channel_options} | options
    with quantd.Client(address, **options) as client:
        client.wait_until_connected(quantd_process.DEADLINE_SECONDS)
        yield client
