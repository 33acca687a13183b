"""The client."""

import time
import types
from collections.abc import Iterable
from typing import Any, Literal

import grpc
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from quantd import _arguments, _element_types, _errors, _messages, _schema
from quantd._arguments import SpecArguments
from quantd._element_types import ElementType
from quantd._message_stream import run_stream
from quantd._parameters import ParameterArguments
from quantd._results import (
    DequantizeResult, FakeQuantizeGradientResult, FakeQuantizeResult, MethodSupport, Numerics,
    QuantizeResult, Rounding, ServerInfo)
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
    copied as a whole. (With `data_range`, and with blocks that are larger than a part, they are sent in one
    message.)

    Whose arithmetic: `numerics` says whose bits to give. Without it, the server chooses
    Numerics.TENSORFLOW for a range and Numerics.ONNX for a scale; every result says what was used.

    Parameters: what the codes stand for is given either by `min` and `max`, or by `scale` and
    `zero_point`: code q represents (q - zero_point) * scale.

    - Without `axis`, they are numbers. With `axis`, they are sequences or arrays with one number per index
      along this dimension; a negative axis counts from the last dimension.
    - With `block_size` (only for a scale), that many neighboring elements along the axis share parameters;
      the last block may have fewer. Then they have the shape of the tensor, with one entry per block along
      the axis.
    - Bounds and scales are rounded to float32. min <= max, and all are finite; min == max is only allowed
      if both are 0, in the numerics of TensorFlow's eager kernels, and with TENSORFLOW_QUANTIZE_… . A scale
      is positive. `zero_point` consists of integers; None means zeros.
    - Codes have `num_bits` bits, from 2 to 16; without the lowest one if `narrow_range` is true. With a
      scale, `quant_min` and `quant_max` can be given instead: the lowest and the highest code. By default,
      codes have 8 bits, or as many as their type has.
    - `precision`, only with Numerics.ONNX, is ONNX's attribute: "float16" divides float16 inputs by the
      scale in float16.
    - `signed_input`, only with Numerics.TENSORFLOW_QUANTIZE_AND_DEQUANTIZE, is the op's attribute: codes lie
      on both sides of zero if it is true. (It is by default in TensorFlow, and not here.)
    - `rounding` says what becomes of a value halfway between two codes, in the numerics that have the
      choice: Rounding.HALF_TO_EVEN (the default) or HALF_UP in TENSORFLOW_QUANTIZE_AND_DEQUANTIZE,
      HALF_AWAY_FROM_ZERO (the default) or HALF_TO_EVEN in TENSORFLOW_QUANTIZE_V2_SCALED.

    Types: floats are arrays of float32, float16, bfloat16 (of the package ml_dtypes) or float64
    (fake_quantize and its gradient with Numerics.PYTORCH or TENSORFLOW_QUANTIZE_AND_DEQUANTIZE only), and
    results have the same type. Arrays that numpy casts to float32 without loss, Python numbers and lists of them are sent as float32. Arrays may
    have any shape, strides and byte order, including 0-d and empty ones. They must not change during the
    call.

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

    def fake_quantize(self, inputs: ArrayLike, min: ArrayLike | None = None, max: ArrayLike | None = None,
                      num_bits: int | None = None, narrow_range: bool = False, axis: int | None = None, *,
                      scale: ArrayLike | None = None, zero_point: ArrayLike | None = None,
                      block_size: int | None = None, quant_min: int | None = None,
                      quant_max: int | None = None, precision: str | DTypeLike | None = None,
                      signed_input: bool = False, rounding: Rounding | None = None,
                      numerics: Numerics | None = None) -> FakeQuantizeResult:
        """Rounds every element to the nearest value that a code can represent. The elements remain floats.

        This replaces, and gives the same bits as: tf.quantization.fake_quant_with_min_max_vars (without an
        axis), fake_quant_with_min_max_vars_per_channel (axis=-1), fake_quant_with_min_max_args (with
        Numerics.TENSORFLOW_ARGS); with a scale, torch.fake_quantize_per_tensor_affine and
        fake_quantize_per_channel_affine (with Numerics.PYTORCH), and QuantizeLinear with DequantizeLinear.

        With a range, an infinity results in the nearest end of the nudged range. NaN results in NaN in
        TensorFlow's eager kernels and Keras, and otherwise in a number; docs/numerics.md has all rules.

        Args:
            inputs: floats.
            min: the lower end of the range, or one per channel.
            max: the upper end of the range; as many numbers as in `min`.
            num_bits, narrow_range, axis, scale, zero_point, block_size, quant_min, quant_max, precision,
                signed_input, rounding, numerics: see Client.

        Errors: see Client.
        """
        tensor = _arguments.as_tensor("inputs", inputs)
        call = self._run(
            _messages.FAKE_QUANTIZE, [tensor],
            ParameterArguments(min, max, scale, zero_point, axis, block_size),
            SpecArguments(num_bits, narrow_range, quant_min, quant_max, precision, signed_input,
                          rounding, numerics))
        return FakeQuantizeResult(call.output, call.nudged_range, call.numerics)

    def fake_quantize_gradient(self, gradients: ArrayLike, inputs: ArrayLike, min: ArrayLike | None = None,
                               max: ArrayLike | None = None, num_bits: int | None = None,
                               narrow_range: bool = False, axis: int | None = None, *,
                               scale: ArrayLike | None = None, zero_point: ArrayLike | None = None,
                               block_size: int | None = None, quant_min: int | None = None,
                               quant_max: int | None = None, precision: str | DTypeLike | None = None,
                               signed_input: bool = False, rounding: Rounding | None = None,
                               numerics: Numerics | None = None) -> FakeQuantizeGradientResult:
        """Returns the gradients of `fake_quantize` with respect to inputs, min and max.

        This replaces tf.quantization.fake_quant_with_min_max_vars_gradient (without an axis),
        fake_quant_with_min_max_vars_per_channel_gradient (axis=-1) and
        fake_quant_with_min_max_args_gradient (with Numerics.TENSORFLOW_ARGS), and PyTorch's backward.

        input_gradients equals `gradients` where the input is within the nudged range, including its ends,
        and zero elsewhere (gradients * 0 in TensorFlow's eager kernels and PyTorch), including where the
        input is NaN. min_gradient is the sum of `gradients` where the input is below the range, and
        max_gradient where it is above; both are None with a scale. If min == max == 0, input_gradients
        equals `gradients`, and the gradients of min and max are 0.

        Args:
            gradients: the gradient of the loss with respect to the output of `fake_quantize`, in the shape
                and of the type of `inputs`.
            inputs and all others: the arguments of `fake_quantize`.

        Errors: see Client.
        """
        tensors = [_arguments.as_tensor("gradients", gradients), _arguments.as_tensor("inputs", inputs)]
        _arguments.check_same_shape(*(array for array, _ in tensors))
        call = self._run(
            _messages.FAKE_QUANTIZE_GRADIENT, tensors,
            ParameterArguments(min, max, scale, zero_point, axis, block_size),
            SpecArguments(num_bits, narrow_range, quant_min, quant_max, precision, signed_input,
                          rounding, numerics))
        return FakeQuantizeGradientResult(call.output, call.min_gradient, call.max_gradient,
                                          call.nudged_range, call.numerics)

    def quantize(self, inputs: ArrayLike, min: ArrayLike | None = None, max: ArrayLike | None = None, *,
                 scale: ArrayLike | None = None, zero_point: ArrayLike | None = None,
                 data_range: Literal["min_max", "symmetric"] | None = None, axis: int | None = None,
                 block_size: int | None = None, num_bits: int | None = None, narrow_range: bool = False,
                 quant_min: int | None = None, quant_max: int | None = None,
                 precision: str | DTypeLike | None = None, signed_input: bool = False,
                 rounding: Rounding | None = None, numerics: Numerics | None = None,
                 output_type: str | DTypeLike = "uint8") -> QuantizeResult:
        """Rounds every element to an integer code.

        This replaces, and gives the same codes as: QuantizeLinear and DynamicQuantizeLinear of ONNX,
        torch.quantize_per_tensor and quantize_per_channel, LiteRT's QUANTIZE, TensorFlow's UniformQuantize;
        with a range, it gives the codes behind `fake_quantize`.

        Which code NaN has, and whether it is refused (INVALID_VALUE), depends on the numerics; infinities
        have the lowest and the highest code in most of them. docs/numerics.md has all rules.

        Args:
            inputs: floats.
            data_range: instead of a range or a scale: "min_max" for the minimum and the maximum of
                `inputs`, or of each channel or block, with 0 included; "symmetric" for the range between
                -max|x| and max|x|. With Numerics.ONNX, "min_max" is DynamicQuantizeLinear, and "symmetric"
                is refused. NaN is refused. Give `numerics`: its default here is TENSORFLOW.
            output_type: the type of the codes: "int8", "uint8", "int16", "uint16", "int32", "int4", "uint4",
                "int2" or "uint2", or a dtype. Codes of less than 8 bits are returned in arrays of int8 and
                uint8 if their type is given as a name, and in arrays of ml_dtypes' types if it is given as
                one of these. With a range and a signed type, codes are those of the unsigned type minus
                2**(num_bits - 1).
            min, max, scale, zero_point, axis, block_size, num_bits, narrow_range, quant_min, quant_max,
                precision, signed_input, rounding, numerics: see Client.

        Errors: see Client.
        """
        tensor = _arguments.as_tensor("inputs", inputs)
        output = _element_types.chosen("output_type", output_type, _element_types.CODES)
        call = self._run(
            _messages.QUANTIZE, [tensor],
            ParameterArguments(min, max, scale, zero_point, axis, block_size, data_range),
            SpecArguments(num_bits, narrow_range, quant_min, quant_max, precision, signed_input,
                          rounding, numerics), output)
        return QuantizeResult(call.output, output[0].name, call.scale, call.zero_point, axis, block_size,
                              call.nudged_range, call.numerics)

    def dequantize(self, codes: ArrayLike, min: ArrayLike | None = None, max: ArrayLike | None = None, *,
                   scale: ArrayLike | None = None, zero_point: ArrayLike | None = None,
                   axis: int | None = None, block_size: int | None = None, num_bits: int | None = None,
                   narrow_range: bool = False, quant_min: int | None = None, quant_max: int | None = None,
                   precision: str | DTypeLike | None = None, signed_input: bool = False,
                   rounding: Rounding | None = None, numerics: Numerics | None = None,
                   input_type: str | DTypeLike | None = None, output_type: str | DTypeLike = "float32"
                   ) -> DequantizeResult:
        """Returns the values that codes represent: the inverse of `quantize`.

        If all arguments are those of `quantize`, the values have the bits that `fake_quantize` gives, in
        all numerics that have the three. Codes that `quantize` does not produce have a value, too.

        Args:
            codes: an array of int8, uint8, int16, uint16 or int32, or of int4, uint4, int2 or uint2 of the
                package ml_dtypes.
            input_type: the type of the codes, if it is not that of the array: "int4", "uint4", "int2" or
                "uint2" for codes in arrays of int8 and uint8.
            output_type: the type of the values: "float32", "float16" or "bfloat16", or a dtype.
            min, max, scale, zero_point, axis, block_size, num_bits, narrow_range, quant_min, quant_max,
                precision, signed_input, rounding, numerics: the arguments of `quantize`.

        Errors: InvalidArgumentError (INVALID_VALUE) if a code does not fit into `input_type`; see Client.
        """
        tensor = _arguments.as_codes("codes", codes, input_type)
        call = self._run(
            _messages.DEQUANTIZE, [tensor],
            ParameterArguments(min, max, scale, zero_point, axis, block_size),
            SpecArguments(num_bits, narrow_range, quant_min, quant_max, precision, signed_input,
                          rounding, numerics),
            _element_types.chosen("output_type", output_type, _element_types.FLOATS))
        return DequantizeResult(call.output, call.numerics)

    def server_info(self) -> ServerInfo:
        """Returns the server's version, instruction set and limits. Errors: see Client."""
        request = _schema.GetServerInfoRequest()
        response = _messages.parse(
            _schema.GetServerInfoResponse,
            self._call(f"/{_SERVICE}/GetServerInfo", request.SerializeToString()))
        return ServerInfo(
            version=response.version, simd_target=response.simd_target,
            supported_simd_targets=tuple(response.supported_simd_targets),
            data_types=_names(_schema.DataType, response.data_types),
            max_message_bytes=response.max_message_bytes,
            max_in_flight_bytes=response.max_in_flight_bytes, worker_threads=response.worker_threads,
            shared_memory_socket=response.shared_memory_socket,
            methods=tuple(
                MethodSupport(entry.method, _names(_schema.Numerics, [entry.numerics])[0],
                              _names(_schema.ParameterKind, entry.parameters),
                              _names(_schema.DataType, entry.input_types),
                              _names(_schema.DataType, entry.output_types))
                for entry in response.methods))

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

    def _run(self, operation: _messages.Operation, tensors: list[tuple[NDArray[Any], ElementType]],
             parameters: ParameterArguments, spec: SpecArguments,
             output: tuple[ElementType, np.dtype[Any]] | None = None) -> TensorCall:
        """Makes a call. Without `output`, the answer has the type of the first tensor."""
        array, element_type = tensors[0]
        fields = {"spec": _arguments.as_spec(spec)}
        if output is not None:
            fields["output_type"] = output[0].number
        call = TensorCall(operation, tensors, parameters.parameters_of(array.shape), fields,
                          output or (element_type, _element_types.dtype_of(array, element_type)))
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
        # A tensor whose parameters do not fit cannot be cut, and the server should have rejected it.
        if not call.is_complete:
            raise _errors.unexpected_answer("the server accepted parameters that do not fit the tensor")

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


def _names(enum: Any, numbers: Iterable[int]) -> tuple[str, ...]:
    """Returns the schema's names of the values of an enum. Those that it lacks have their number."""
    names = enum.values_by_number
    return tuple(names[number].name if number in names else str(number) for number in numbers)


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
