"""What the methods of clients do, apart from sending it: both kinds of clients have these methods."""

import dataclasses
import inspect
import typing
from collections.abc import Callable, Iterable
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from quantd import _arguments, _element_types, _messages, _schema
from quantd._arguments import SpecArguments
from quantd._element_types import ElementType
from quantd._parameters import ParameterArguments
from quantd._results import (
    DequantizeResult, FakeQuantizeGradientResult, FakeQuantizeResult, MethodSupport, Numerics,
    QuantizeResult, Rounding, ServerInfo)
from quantd._tensor_call import TensorCall

_SERVICE = "quantd.v1.QuantizationService"

Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True)
class Prepared(Generic[Result]):
    """A call whose arguments have been checked, before it is sent."""

    #: "/package.Service/Method", for the call with one message.
    path: str
    #: Returns the message.
    request: Callable[[], bytes]
    #: Takes the answer to the message, and returns the result.
    read: Callable[[bytes], Result]
    #: None if the call has no tensors.
    tensors: TensorCall | None = None
    #: Returns the result when `tensors` has all answers. None if the call has no tensors.
    result: Callable[[], Result] | None = None


def path_of_stream(call: TensorCall) -> str:
    """Returns the path of the call in parts."""
    return f"/{_SERVICE}/Stream{call.operation.method}"


def fake_quantize(inputs: ArrayLike, min: ArrayLike | None = None, max: ArrayLike | None = None,
                  num_bits: int | None = None, narrow_range: bool = False, axis: int | None = None, *,
                  scale: ArrayLike | None = None, zero_point: ArrayLike | None = None,
                  block_size: int | None = None, quant_min: int | None = None,
                  quant_max: int | None = None, precision: str | DTypeLike | None = None,
                  signed_input: bool = False, rounding: Rounding | None = None,
                  numerics: Numerics | None = None) -> Prepared[FakeQuantizeResult]:
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
    call = _tensor_call(
        _messages.FAKE_QUANTIZE, [tensor],
        ParameterArguments(min, max, scale, zero_point, axis, block_size),
        SpecArguments(num_bits, narrow_range, quant_min, quant_max, precision, signed_input,
                      rounding, numerics))
    return _prepared(call, lambda: FakeQuantizeResult(call.output, call.nudged_range, call.numerics))


def fake_quantize_gradient(gradients: ArrayLike, inputs: ArrayLike, min: ArrayLike | None = None,
                           max: ArrayLike | None = None, num_bits: int | None = None,
                           narrow_range: bool = False, axis: int | None = None, *,
                           scale: ArrayLike | None = None, zero_point: ArrayLike | None = None,
                           block_size: int | None = None, quant_min: int | None = None,
                           quant_max: int | None = None, precision: str | DTypeLike | None = None,
                           signed_input: bool = False, rounding: Rounding | None = None,
                           numerics: Numerics | None = None) -> Prepared[FakeQuantizeGradientResult]:
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
    call = _tensor_call(
        _messages.FAKE_QUANTIZE_GRADIENT, tensors,
        ParameterArguments(min, max, scale, zero_point, axis, block_size),
        SpecArguments(num_bits, narrow_range, quant_min, quant_max, precision, signed_input,
                      rounding, numerics))
    return _prepared(call, lambda: FakeQuantizeGradientResult(
        call.output, call.min_gradient, call.max_gradient, call.nudged_range, call.numerics))


def quantize(inputs: ArrayLike, min: ArrayLike | None = None, max: ArrayLike | None = None, *,
             scale: ArrayLike | None = None, zero_point: ArrayLike | None = None,
             data_range: Literal["min_max", "symmetric"] | None = None, axis: int | None = None,
             block_size: int | None = None, num_bits: int | None = None, narrow_range: bool = False,
             quant_min: int | None = None, quant_max: int | None = None,
             precision: str | DTypeLike | None = None, signed_input: bool = False,
             rounding: Rounding | None = None, numerics: Numerics | None = None,
             output_type: str | DTypeLike = "uint8") -> Prepared[QuantizeResult]:
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
    call = _tensor_call(
        _messages.QUANTIZE, [tensor],
        ParameterArguments(min, max, scale, zero_point, axis, block_size, data_range),
        SpecArguments(num_bits, narrow_range, quant_min, quant_max, precision, signed_input,
                      rounding, numerics), output)
    return _prepared(call, lambda: QuantizeResult(
        call.output, output[0].name, call.scale, call.zero_point, axis, block_size, call.nudged_range,
        call.numerics))


def dequantize(codes: ArrayLike, min: ArrayLike | None = None, max: ArrayLike | None = None, *,
               scale: ArrayLike | None = None, zero_point: ArrayLike | None = None,
               axis: int | None = None, block_size: int | None = None, num_bits: int | None = None,
               narrow_range: bool = False, quant_min: int | None = None, quant_max: int | None = None,
               precision: str | DTypeLike | None = None, signed_input: bool = False,
               rounding: Rounding | None = None, numerics: Numerics | None = None,
               input_type: str | DTypeLike | None = None, output_type: str | DTypeLike = "float32"
               ) -> Prepared[DequantizeResult]:
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
    call = _tensor_call(
        _messages.DEQUANTIZE, [tensor],
        ParameterArguments(min, max, scale, zero_point, axis, block_size),
        SpecArguments(num_bits, narrow_range, quant_min, quant_max, precision, signed_input,
                      rounding, numerics),
        _element_types.chosen("output_type", output_type, _element_types.FLOATS))
    return _prepared(call, lambda: DequantizeResult(call.output, call.numerics))


def server_info() -> Prepared[ServerInfo]:
    """Returns the server's version, instruction set and limits. Errors: see Client."""
    def read(answer: bytes) -> ServerInfo:
        response = _messages.parse(_schema.GetServerInfoResponse, answer)
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

    return Prepared(f"/{_SERVICE}/GetServerInfo", _schema.GetServerInfoRequest().SerializeToString, read)


def healthy(service: str = "") -> Prepared[bool]:
    """Returns whether the server reports that it is serving; False while it drains.

    Args:
        service: the full name of a service, such as "quantd.v1.QuantizationService"; empty for the
            whole server.

    Errors: NotFoundError if the server does not have the service; UnavailableError if no server
    answers; see Client.
    """
    def read(answer: bytes) -> bool:
        response = _messages.parse(_schema.HealthCheckResponse, answer)
        return bool(response.status == _schema.HealthCheckResponse.SERVING)

    request = _schema.HealthCheckRequest(service=service)
    return Prepared("/grpc.health.v1.Health/Check", request.SerializeToString, read)


def describe_method(method: Any, prepare: Callable[..., Prepared[Any]]) -> None:
    """Gives a method that passes its arguments on to `prepare` the documentation and the signature of it."""
    signature = inspect.signature(prepare)
    (result,) = typing.get_args(signature.return_annotation)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    method.__name__ = prepare.__name__
    method.__doc__ = prepare.__doc__
    method.__signature__ = signature.replace(parameters=[itself, *signature.parameters.values()],
                                             return_annotation=result)


def _tensor_call(operation: _messages.Operation, tensors: list[tuple[NDArray[Any], ElementType]],
                 parameters: ParameterArguments, spec: SpecArguments,
                 output: tuple[ElementType, np.dtype[Any]] | None = None) -> TensorCall:
    """Checks the arguments of a call. Without `output`, the answer has the type of the first tensor."""
    array, element_type = tensors[0]
    fields = {"spec": _arguments.as_spec(spec)}
    if output is not None:
        fields["output_type"] = output[0].number
    return TensorCall(operation, tensors, parameters.parameters_of(array.shape), fields,
                      output or (element_type, _element_types.dtype_of(array, element_type)))


def _prepared(call: TensorCall, result: Callable[[], Result]) -> Prepared[Result]:
    def read(answer: bytes) -> Result:
        call.take_response(answer)
        return result()

    return Prepared(f"/{_SERVICE}/{call.operation.method}", call.request, read, call, result)


def _names(enum: Any, numbers: Iterable[int]) -> tuple[str, ...]:
    """Returns the schema's names of the values of an enum. Those that it lacks have their number."""
    names = enum.values_by_number
    return tuple(names[number].name if number in names else str(number) for number in numbers)
