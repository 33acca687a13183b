"""Connects clients of the Python package under test to a server."""

import contextlib

import quantd

import quantd_process


@contextlib.contextmanager
def connected_to(address, **options):
    """Yields a quantd.Client that is already connected over a separate connection.

    See quantd_process.Quantd.connect() for why the connection is not opened by the first call.
    """
    options = {"timeout": quantd_process.DEADLINE_SECONDS} | options
    with quantd.Client(address, **options) as client:
        client.wait_until_connected(quantd_process.DEADLINE_SECONDS)
        yield client
