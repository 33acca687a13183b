"""The client."""

import time
import types
from collections.abc import Iterable
from typing import Any

import grpc
from numpy.typing import ArrayLike, NDArray

from quantd import _arguments, _errors, _messages, _schema
from quantd._message_stream import run_stream
from quantd._results import FakeQuantizeGradientResult, FakeQuantizeResult, Numerics, ServerInfo
from quantd._tensor_call import TensorCall

_SERVICE = "quantd.v1.QuantizationService"
#: How often a waiting thread checks whether the client was closed.
_CLOSED_CHECK_SECONDS = 0.2


class Client:
    """A connection to a quantd server.

        with quantd.Client("localhost:50051") as client:
            result = client.fake_quantize(x, -6, 6, num_bits=4)

    Arguments and results are numpy arrays. Large arrays are sent in parts over a stream, with several
    parts in flight, and give the same bits as in a single message. They may have any size and are never
    copied as a whole.

    Threads: one client can be used by any number of threads at once. A process that forks needs a new
    client in the child, and must not fork during a call; spawning is safer.

    The connection is opened by the first call, and reopened whenever it breaks. gRPC uses the proxy in
    the environment variable http_proxy, unless no_proxy names the server.

    Errors of a call: QuantdError, in particular InvalidArgumentError (also a ValueError),
    ResourceExhaustedError, UnavailableError (also a ConnectionError) and DeadlineExceededError (also a
    TimeoutError); TypeError if an argument has the wrong type. Calls have no side effects and may be
    repeated.
    """

    def __init__(self, address: str = "localhost:50051", *, timeout: float = 60.0,
                 credentials: grpc.ChannelCredentials | None = None,
                 root_certificates: bytes | None = None, private_key: bytes | None = None,
                 certificate_chain: bytes | None = None, server_name_override: str | None = None,
                 channel_options: Iterable[tuple[str, Any]] = (), stream_from_bytes: int = 2**20,
                 stream_message_bytes: int = 2**20) -> None:
        """Creates a client. Does not connect yet.

        Args:
            address: "HOST:PORT", or "unix:PATH" on the same host.
            timeout: how long to wait for an answer, in seconds; above 0 and at most a year. It limits the
                whole call if the tensor is sent in one message. If it is sent in parts, it limits the
                time from one answer to the next, and the call as a whole may take longer.
            credentials: credentials for TLS, or any others that gRPC offers. Pass either this or some of
                the next three arguments.
            root_certificates: the certificates to trust, in PEM format. The connection is encrypted if
                this, a key or credentials are given, and otherwise not. quantd itself has no TLS; a proxy
                in front of it has to terminate TLS.
            private_key: the client's own key in PEM format, if the proxy requires one.
            certificate_chain: the certificate of `private_key` and those that signed it, in PEM format.
            server_name_override: the name to expect in the server's certificate, if it differs from the
                name in the address.
            channel_options: gRPC's channel arguments, such as ("grpc.keepalive_time_ms", 10000). They
                follow the client's own arguments, which lift the limits on the size of messages.
            stream_from_bytes: tensors are sent in parts if they have more bytes than this in total,
                including their range; from 0 to 1 GiB.
            stream_message_bytes: the approximate number of bytes of tensors per part; from 1 to 1 GiB. A
                part has at least one element.

        Errors: TypeError and ValueError for any other arguments.
        """
        if not isinstance(address, str):
            raise TypeError(f"address is {address!r}; expected a str such as 'localhost:50051'")
        if not address:
            raise ValueError("address is empty; expected HOST:PORT or unix:PATH, such as localhost:50051")
        self._address = address
        self._timeout = _arguments.as_timeout(timeout)
        self._stream_from_bytes = _arguments.as_message_bytes("stream_from_bytes", stream_from_bytes, 0)
        self._stream_message_bytes = _arguments.as_message_bytes("stream_message_bytes",
                                                                 stream_message_bytes, 1)
        credentials = _credentials(credentials, root_certificates, private_key, certificate_chain)
        # Only the server limits the size of messages.
        options: list[tuple[str, Any]] = [
            ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
            # By default, gRPC shares connections between clients, even with those of a parent process.
            ("grpc.use_local_subchannel_pool", 1)]
        if server_name_override is not None:
            if credentials is None:
                raise ValueError("server_name_override is given without TLS; expected certificates or "
                                 "credentials as well: pass them, or leave it out")
            options.append(("grpc.ssl_target_name_override", server_name_override))
        options.extend(channel_options)
        if credentials is None:
            self._channel = grpc.insecure_channel(address, options)
        else:
            self._channel = grpc.secure_channel(address, credentials, options)
        self._closed = False

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, exception_type: type[BaseException] | None, exception: BaseException | None,
                 traceback: types.TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection. Running calls fail with the code CANCELLED. Closing twice does nothing."""
        self._closed = True
        self._channel.close()

    def fake_quantize(self, inputs: ArrayLike, min: ArrayLike, max: ArrayLike, num_bits: int = 8,
                      narrow_range: bool = False, axis: int | None = None, *,
                      numerics: Numerics = Numerics.TENSORFLOW) -> FakeQuantizeResult:
        """Rounds every element to the nearest value that a code of `num_bits` bits can represent.

        This replaces tf.quantization.fake_quant_with_min_max_vars (without an axis),
        fake_quant_with_min_max_vars_per_channel (axis=-1) and fake_quant_with_min_max_args (with
        Numerics.TENSORFLOW_ARGS), and gives the same bits.

        Args:
            inputs: a float32 array of any shape, strides and byte order, including 0-d and empty arrays.
                Arrays of dtypes that numpy casts to float32 without loss, Python numbers and lists of them
                are accepted as well. Must not change during the call. NaN results in NaN, and an infinity
                in the nearest end of the nudged range.
            min: the lower end of the range: a number or, with `axis`, a sequence or array with one number
                per channel. Rounded to float32. min <= max, and both are finite. min == max is only
                allowed if both are 0; all outputs are 0 then.
            max: the upper end of the range; as many numbers as in `min`.
            num_bits: from 2 to 16.
            narrow_range: whether codes start at 1 instead of 0.
            axis: the dimension of `inputs` with one range per index; a negative axis counts from the last
                dimension. None means one range for the whole tensor.
            numerics: the TensorFlow op whose arithmetic to reproduce.

        Errors: see Client.
        """
        tensor = _arguments.as_tensor("inputs", inputs)
        answer = self._run(_messages.FAKE_QUANTIZE, [tensor], min, max, axis,
                           _arguments.as_spec(num_bits, narrow_range, numerics))
        return FakeQuantizeResult(answer.output, answer.nudged_range)

    def fake_quantize_gradient(self, gradients: ArrayLike, inputs: ArrayLike, min: ArrayLike,
                               max: ArrayLike, num_bits: int = 8, narrow_range: bool = False,
                               axis: int | None = None, *, numerics: Numerics = Numerics.TENSORFLOW
                               ) -> FakeQuantizeGradientResult:
        """Returns the gradients of `fake_quantize` with respect to inputs, min and max.

        This replaces tf.quantization.fake_quant_with_min_max_vars_gradient (without an axis),
        fake_quant_with_min_max_vars_per_channel_gradient (axis=-1) and
        fake_quant_with_min_max_args_gradient (with Numerics.TENSORFLOW_ARGS).

        input_gradients equals `gradients` where the input is within the nudged range, including its ends,
        and gradients * 0 elsewhere, including where the input is NaN. min_gradient is the sum of
        `gradients` where the input is below the range, and max_gradient where it is above. If
        min == max == 0, input_gradients equals `gradients`, and the gradients of min and max are 0.

        Args:
            gradients: the gradient of the loss with respect to the output of `fake_quantize`, in the shape
                of `inputs`. Accepts the same types as `inputs`.
            inputs, min, max, num_bits, narrow_range, axis, numerics: the arguments of `fake_quantize`.

        Errors: see Client.
        """
        tensors = [_arguments.as_tensor("gradients", gradients), _arguments.as_tensor("inputs", inputs)]
        _arguments.check_same_shape(*tensors)
        answer = self._run(_messages.FAKE_QUANTIZE_GRADIENT, tensors, min, max, axis,
                           _arguments.as_spec(num_bits, narrow_range, numerics))
        return FakeQuantizeGradientResult(answer.output, answer.min_gradient, answer.max_gradient,
                                          answer.nudged_range)

    def server_info(self) -> ServerInfo:
        """Returns the server's version, instruction set and limits. Errors: see Client."""
        request = _schema.GetServerInfoRequest()
        response = _messages.parse(
            _schema.GetServerInfoResponse,
            self._call(f"/{_SERVICE}/GetServerInfo", request.SerializeToString()))
        names = _schema.DataType.values_by_number
        return ServerInfo(
            version=response.version, simd_target=response.simd_target,
            supported_simd_targets=tuple(response.supported_simd_targets),
            data_types=tuple(names[number].name if number in names else str(number)
                             for number in response.data_types),
            max_message_bytes=response.max_message_bytes,
            max_in_flight_bytes=response.max_in_flight_bytes, worker_threads=response.worker_threads,
            shared_memory_socket=response.shared_memory_socket)

    def healthy(self, service: str = "") -> bool:
        """Returns whether the server reports that it is serving; False while it drains.

        Args:
            service: the full name of a service, such as "quantd.v1.QuantizationService"; empty for the
                whole server.

        Errors: NotFoundError if the server does not have the service; UnavailableError if no server
        answers; see Client.
        """
        request = _schema.HealthCheckRequest(service=service)
        response = _messages.parse(
            _schema.HealthCheckResponse,
            self._call("/grpc.health.v1.Health/Check", request.SerializeToString()))
        return bool(response.status == _schema.HealthCheckResponse.SERVING)

    def wait_until_connected(self, timeout: float | None = None) -> None:
        """Waits until the client is connected, for example to a server that is still starting.

        Calls do not wait: they fail at once if no server is listening.

        Args:
            timeout: how long to wait, in seconds. None means the timeout of the client.

        Errors: DeadlineExceededError if the client is not connected by then; ValueError if another thread
        closes the client.
        """
        seconds = self._timeout if timeout is None else _arguments.as_timeout(timeout)
        end = time.monotonic() + seconds
        connected = grpc.channel_ready_future(self._channel)
        try:
            while True:
                # Closing the channel does not complete its future.
                self._check_open()
                try:
                    connected.result(min(max(end - time.monotonic(), 0), _CLOSED_CHECK_SECONDS))
                    return
                except grpc.FutureTimeoutError:
                    if time.monotonic() < end:
                        continue
                    raise _errors.DeadlineExceededError(
                        f"no connection to {self._address} within {seconds:g} s: check the address, and "
                        "that quantd runs there") from None
        finally:
            connected.cancel()

    def _run(self, operation: _messages.Operation, tensors: list[NDArray[Any]], minimum: ArrayLike,
             maximum: ArrayLike, axis: int | None, spec: Any) -> TensorCall:
        call = TensorCall(operation, tensors, _arguments.as_bounds("min", minimum),
                          _arguments.as_bounds("max", maximum), _arguments.as_axis(axis), spec)
        if call.can_be_cut() and call.byte_count() > self._stream_from_bytes:
            self._stream(call)
        else:
            call.take_response(self._call(f"/{_SERVICE}/{operation.method}", call.request()))
        return call

    def _stream(self, call: TensorCall) -> None:
        """Makes a call in parts, which are answered in order."""
        self._check_open()
        parts_to_receive = call.parts(self._stream_message_bytes)

        def take_response(response: bytes) -> None:
            part = next(parts_to_receive, None)
            if part is None:
                raise _errors.unexpected_answer("the server sent more answers than it had requests")
            call.take_part(part, response)

        run_stream(self._channel.stream_stream(f"/{_SERVICE}/Stream{call.operation.method}"),
                   call.requests_of(call.parts(self._stream_message_bytes)), take_response,
                   address=self._address, timeout=self._timeout)
        if next(parts_to_receive, None) is not None:
            raise _errors.unexpected_answer("the server ended the stream before it had answered all parts")
        # A tensor whose range does not fit cannot be cut, and the server should have rejected it.
        if not call.is_complete:
            raise _errors.unexpected_answer("the server accepted a range that does not fit the tensor")

    def _call(self, path: str, request: bytes) -> bytes:
        """Makes a call with one message."""
        self._check_open()
        try:
            response: bytes = self._channel.unary_unary(path)(request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise _errors.error_of(error, self._address, self._timeout) from error
        return response

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"this client of {self._address} is closed; make a new one")


def _credentials(credentials: grpc.ChannelCredentials | None, root_certificates: bytes | None,
                 private_key: bytes | None, certificate_chain: bytes | None
                 ) -> grpc.ChannelCredentials | None:
    """Returns the credentials for an encrypted connection, or None for an unencrypted one."""
    pem = {"root_certificates": root_certificates, "private_key": private_key,
           "certificate_chain": certificate_chain}
    for name, value in pem.items():
        if value is not None and not isinstance(value, bytes):
            raise TypeError(f"{name} is a {type(value).__name__}; expected the PEM file's bytes: pass "
                            "pathlib.Path(...).read_bytes()")
    if all(value is None for value in pem.values()):
        return credentials
    if credentials is not None:
        raise ValueError("credentials are given together with certificates or a key; expected one or the "
                         "other: make credentials from both")
    if (private_key is None) != (certificate_chain is None):
        raise ValueError("only one of private_key and certificate_chain is given; expected both or neither")
    return grpc.ssl_channel_credentials(root_certificates, private_key, certificate_chain)
