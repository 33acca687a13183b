"""Connects clients of the Python package under test to a server."""

import contextlib

import quantd

import quantd_process

# Servers of tests are on this machine, so proxies in the environment must not be used.
WITHOUT_PROXY = (("grpc.enable_http_proxy", 0),)


@contextlib.contextmanager
def connected_to(address, **options):
    """Yields a quantd.Client that is already connected over a separate connection.

    See quantd_process.Quantd.connect() for why the connection is not opened by the first call.
    """
    options = {"timeout": quantd_process.DEADLINE_SECONDS, "channel_options": WITHOUT_PROXY} | options
    with quantd.Client(address, **options) as client:
        client.wait_until_connected(quantd_process.DEADLINE_SECONDS)
        yield client
