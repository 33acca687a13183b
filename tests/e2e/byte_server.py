"""A gRPC server in Python that works with bytes, to test behavior that a real quantd never shows, and TLS."""

import concurrent.futures

import grpc

import quantd_process


class ByteServer:
    """Answers every method with the bytes that `serve(method, requests, context)` yields.

    A unary call is a stream with one message in each direction. Use it as a context manager.
    """

    def __init__(self, serve, credentials=None):
        self._server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(max_workers=8), handlers=(_Handler(serve),),
            options=(("grpc.max_receive_message_length", -1),))
        if credentials is None:
            port = self._server.add_insecure_port("localhost:0")
        else:
            port = self._server.add_secure_port("localhost:0", credentials)
        self.address = f"localhost:{port}"

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *_):
        self._server.stop(grace=None).wait(quantd_process.DEADLINE_SECONDS)


def forward_to(channel):
    """Returns a function for ByteServer that forwards to the server behind `channel`, like a proxy."""
    def serve(method, requests, context):
        call = channel.stream_stream(method)(requests)
        # The callback also runs at the deadline.
        context.add_callback(call.cancel)
        try:
            yield from call
        except grpc.RpcError as error:
            context.set_trailing_metadata(error.trailing_metadata())
            context.abort(error.code(), error.details())

    return serve


class _Handler(grpc.GenericRpcHandler):

    def __init__(self, serve):
        self._serve = serve

    def service(self, handler_call_details):
        def serve(requests, context):
            return self._serve(handler_call_details.method, requests, context)

        return grpc.stream_stream_rpc_method_handler(serve)
