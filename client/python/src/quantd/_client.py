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
#: How often a wait looks whether the client was closed.
_CLOSED_CHECK_SECONDS = 0.2


class Client:
    """A connection to a quantd server.

        with quantd.Client("localhost:50051") as client:
            result = client.fake_quantize(x, -6, 6, num_bits=4)

    Arrays go in and come out as numpy's. A large one travels in parts over a stream, many parts at once,
    and has the same bits as in one message; it may have any size, and is not copied as a whole.

    Threads: any number may use one client at once. A process that forks needs a new one in the child,
    and must not fork during a call; to spawn is safer.
    The connection is opened with the first call, and again whenever it broke. gRPC goes through the proxy
    that http_proxy in the environment names, unless no_proxy names the server.

    Errors of a call: QuantdError, in particular InvalidArgumentError (also a ValueError),
    ResourceExhaustedError, UnavailableError (also a ConnectionError) and DeadlineExceededError (also a
    TimeoutError); TypeError where an argument is of another type. All calls are pure and may be
    repeated.
    """

    def __init__(self, address: str = "localhost:50051", *, timeout: float = 60.0,
                 credentials: grpc.ChannelCredentials | None = None,
                 root_certificates: bytes | None = None, private_key: bytes | None = None,
                 certificate_chain: bytes | None = None, server_name_override: str | None = None,
                 channel_options: Iterable[tuple[str, Any]] = (), stream_from_bytes: int = 2**20,
                 stream_message_bytes: int = 2**20) -> None:
        """Makes a client. Nothing is sent yet.

        Args:
            address: "HOST:PORT", or "unix:PATH" on the same host.
            timeout: for how many seconds the server may keep a call waiting; above 0, at most a year. A
                tensor that is sent in one message is answered within this time; one that is sent
                in parts may take longer in all, but never so long from one answer to the next.
            credentials: for TLS, or whatever else gRPC offers. Instead of the three that follow.
            root_certificates: PEM, the certificates to trust. With this or a key the connection is
                encrypted; without, or credentials, it is not. A quantd has no TLS by itself: a
                proxy before it terminates it.
            private_key: PEM, the client's own key, where the proxy asks for one.
            certificate_chain: PEM, the certificate of `private_key`, and those that signed it.
            server_name_override: the name to expect in the server's certificate, where it is another
                than the address has.
            channel_options: gRPC's channel arguments, such as ("grpc.keepalive_time_ms", 10000). They
                come after this client's, which lift the limits on the size of messages.
            stream_from_bytes: tensors that have more bytes in all than this, together with their range,
                are sent in parts. 0..1 GiB.
            stream_message_bytes: about how many bytes of tensors a part has: at least one element. 1..1 GiB.

        Errors: TypeError and ValueError for arguments outside of these.
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
        # Tensors are as large as the server lets them be: the limit is its business.
        options: list[tuple[str, Any]] = [
            ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
            # gRPC would share connections between clients, also with those of a parent process.
            ("grpc.use_local_subchannel_pool", 1)]
        if server_name_override is not None:
            if credentials is None:
                raise ValueError("server_name_override is for TLS: pass certificates or credentials, too")
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
        """Closes the connection. Calls under way fail with the code CANCELLED; closing again does nothing."""
        self._closed = True
        self._channel.close()

    def fake_quantize(self, inputs: ArrayLike, min: ArrayLike, max: ArrayLike, num_bits: int = 8,
                      narrow_range: bool = False, axis: int | None = None, *,
                      numerics: Numerics = Numerics.TENSORFLOW) -> FakeQuantizeResult:
        """Rounds every element to the nearest of the values that codes of `num_bits` bits can stand for.

        Stands for tf.quantization.fake_quant_with_min_max_vars (without an axis),
        fake_quant_with_min_max_vars_per_channel (axis=-1) and fake_quant_with_min_max_args (with
        Numerics.TENSORFLOW_ARGS), and has their bits.

        Args:
            inputs: float32, of any shape, strides and byte order, also 0-d and empty; dtypes that numpy
                casts to it without loss, and Python's numbers and lists of them. Must not change
                while the call runs. NaN gives NaN; an infinity gives the end of the nudged range.
            min: the lower end of the range: a number, or with `axis` a sequence or array of one for
                each channel. Rounded to float32. min <= max, both finite; min == max only where both
                are 0: all outputs are 0 then.
            max: the upper end; as many as `min`.
            num_bits: 2..16.
            narrow_range: codes begin with 1 instead of 0.
            axis: the dimension of `inputs` whose indices have a range of their own; negative counts
                from the last. None: one range for the whole tensor.
            numerics: whose arithmetic to reproduce.

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
        """The gradient of `fake_quantize` with respect to inputs, min and max.

        Stands for tf.quantization.fake_quant_with_min_max_vars_gradient (without an axis),
        fake_quant_with_min_max_vars_per_channel_gradient (axis=-1) and
        fake_quant_with_min_max_args_gradient (with Numerics.TENSORFLOW_ARGS).

        input_gradients is `gradients` where the input lies within the nudged range, ends included, and
        gradients * 0 elsewhere, also where the input is NaN; min_gradient is the sum of
        `gradients` where the input lies below, max_gradient where it lies above. With min == max == 0
        the gradients pass whole, and those of min and max are 0.

        Args:
            gradients: with respect to the output of `fake_quantize`; of the shape of `inputs`. Types as
                for `inputs`.
            inputs, min, max, num_bits, narrow_range, axis, numerics: what `fake_quantize` was given.

        Errors: see Client.
        """
        tensors = [_arguments.as_tensor("gradients", gradients), _arguments.as_tensor("inputs", inputs)]
        _arguments.check_same_shape(*tensors)
        answer = self._run(_messages.FAKE_QUANTIZE_GRADIENT, tensors, min, max, axis,
                           _arguments.as_spec(num_bits, narrow_range, numerics))
        return FakeQuantizeGradientResult(answer.output, answer.min_gradient, answer.max_gradient,
                                          answer.nudged_range)

    def server_info(self) -> ServerInfo:
        """What the server is and what it takes. Errors: see Client."""
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
        """Whether the server says that it takes calls; False where it drains.

        Args:
            service: the full name of one, such as "quantd.v1.QuantizationService"; empty for the
                server as a whole.

        Errors: NotFoundError for a service that the server does not have; UnavailableError where nobody
        answers; see Client.
        """
        request = _schema.HealthCheckRequest(service=service)
        response = _messages.parse(
            _schema.HealthCheckResponse,
            self._call("/grpc.health.v1.Health/Check", request.SerializeToString()))
        return bool(response.status == _schema.HealthCheckResponse.SERVING)

    def wait_until_connected(self, timeout: float | None = None) -> None:
        """Waits for a server that starts: calls fail at once where nobody listens yet.

        Args:
            timeout: for how many seconds; those of the client where it is None.

        Errors: DeadlineExceededError where no connection stands by then; ValueError where another thread
        closes the client.
        """
        seconds = self._timeout if timeout is None else _arguments.as_timeout(timeout)
        end = time.monotonic() + seconds
        connected = grpc.channel_ready_future(self._channel)
        try:
            while True:
                # Closing a channel does not tell its future.
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
        """Makes a call in parts; the answers stand for them in the same order."""
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
        # There is no way to cut a tensor whose range does not fit: the server was to refuse it.
        if not call.is_complete:
            raise _errors.unexpected_answer("the server took a range that does not fit the tensor")

    def _call(self, path: str, request: bytes) -> bytes:
        """Makes a call in one message."""
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
    """Those to encrypt with; None: not at all."""
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
                         "other: make the credentials of both")
    if (private_key is None) != (certificate_chain is None):
        raise ValueError("one of private_key and certificate_chain is given; expected both, or neither")
    return grpc.ssl_channel_credentials(root_certificates, private_key, certificate_chain)
