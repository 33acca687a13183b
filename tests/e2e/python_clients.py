"""Clients of the Python package under test, connected to a server."""

import contextlib

import quantd

import quantd_process

# A test's server is on this machine, whatever the environment says of proxies.
WITHOUT_PROXY = (("grpc.enable_http_proxy", 0),)


@contextlib.contextmanager
def connected_to(address, **options):
    """A quantd.Client with a connection of its own that stands.

    See quantd_process.Quantd.connect() for why a call does not open it.
    """
    options = {"timeout": quantd_process.DEADLINE_SECONDS, "channel_options": WITHOUT_PROXY} | options
    with quantd.Client(address, **options) as client:
        client.wait_until_connected(quantd_process.DEADLINE_SECONDS)
        yield client
