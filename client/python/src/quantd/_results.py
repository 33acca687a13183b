"""The results of calls, and the types of arguments other than numbers and arrays."""

import dataclasses
import enum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Numerics(enum.Enum):
    """Whose arithmetic to reproduce, bit for bit.

    docs/numerics.md says which one a framework, a version and a mode of execution need, and has all
    formulas. They differ in the last bits, in the codes of values halfway between two of them, and in what
    NaN gives.

    Those up to 10 and from 16 on take a range, the others a scale and a zero point; LITERT takes either.
    """

    #: TensorFlow's FakeQuantWithMinMaxVars without an axis (it divides by the scale) and
    #: FakeQuantWithMinMaxVarsPerChannel with one (it multiplies by the inverse scale), in eager and graph
    #: mode on a CPU.
    TENSORFLOW = 1
    #: TensorFlow's FakeQuantWithMinMaxArgs, which multiplies by the inverse scale. With an axis, it is
    #: the same as TENSORFLOW.
    TENSORFLOW_ARGS = 2
    #: The ops of TENSORFLOW under jit_compile, on a CPU with fused multiply-add, with a range that is an
    #: argument of the compiled function. Does not keep 0.0 exactly.
    TENSORFLOW_XLA = 3
    #: The same on a CPU without fused multiply-add.
    TENSORFLOW_XLA_UNFUSED = 4
    #: FakeQuantWithMinMaxArgs under jit_compile, with fused multiply-add.
    TENSORFLOW_XLA_ARGS = 5
    #: The same on a CPU without fused multiply-add.
    TENSORFLOW_XLA_ARGS_UNFUSED = 6
    #: keras.quantizers.fake_quant_with_min_max_vars on JAX, op by op.
    KERAS_JAX = 7
    #: The same under jax.jit, with the range as an argument, on a CPU with fused multiply-add.
    KERAS_JAX_JIT = 8
    #: The same on a CPU without fused multiply-add.
    KERAS_JAX_JIT_UNFUSED = 9
    #: TensorFlow's QuantizeAndDequantizeV2, V3 and V4 with a given range, and V4's gradient: fake_quantize
    #: and fake_quantize_gradient. Has `signed_input` and `rounding`.
    TENSORFLOW_QUANTIZE_AND_DEQUANTIZE = 10
    #: ONNX's QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear, as ONNX Runtime computes them on
    #: a CPU.
    ONNX = 11
    #: PyTorch's fake_quantize_per_tensor_affine and fake_quantize_per_channel_affine, and its
    #: quantize_per_tensor, quantize_per_channel and dequantize.
    PYTORCH = 12
    #: LiteRT's QUANTIZE and DEQUANTIZE with its reference kernels; with a range, its FAKE_QUANT.
    LITERT = 13
    #: LiteRT's QUANTIZE and DEQUANTIZE as its interpreter runs them by default: by XNNPACK.
    LITERT_XNNPACK = 14
    #: TensorFlow's UniformQuantize and UniformDequantize.
    TENSORFLOW_UNIFORM = 15
    #: TensorFlow's QuantizeV2 and Dequantize in this mode: quantize and dequantize with a range. `quantize`
    #: returns output_min and output_max in nudged_range: they are the range for `dequantize`.
    TENSORFLOW_QUANTIZE_V2_MIN_COMBINED = 16
    #: The same in this mode, without an axis.
    TENSORFLOW_QUANTIZE_V2_MIN_FIRST = 17
    #: The same in this mode. Has `rounding`.
    TENSORFLOW_QUANTIZE_V2_SCALED = 18


class Rounding(enum.Enum):
    """What becomes of a value halfway between two codes, where a numerics has the choice."""

    #: To the even one.
    HALF_TO_EVEN = 1
    #: To the higher one.
    HALF_UP = 2
    #: To the one that is farther from zero.
    HALF_AWAY_FROM_ZERO = 3


@dataclasses.dataclass(frozen=True, eq=False)
class NudgedRange:
    """The range that was actually used, nudged so that a code stands for zero.

    All four arrays have the shape of the call's `min`: 0-d for a number, one value per channel for a
    sequence. The value of code q is (q - zero_point) * scale. If min == max == 0, then min, max and scale
    are 0, and zero_point is the lowest code. With TENSORFLOW_QUANTIZE_V2_…, min and max are the op's
    output_min and output_max, and zero may lie between two codes.
    """

    #: float32: the lower ends, at most 0. Values below are clamped to them.
    min: NDArray[np.float32]
    #: float32: the upper ends, at least 0. Values above are clamped to them.
    max: NDArray[np.float32]
    #: float32: the distance between neighboring quantized values, at least 0.
    scale: NDArray[np.float32]
    #: int32: the code that represents 0.0, from 0 to 2**num_bits - 1.
    zero_point: NDArray[np.int32]


@dataclasses.dataclass(frozen=True, eq=False)
class FakeQuantizeResult:
    """The result of `Client.fake_quantize`."""

    #: In the shape of the input and in C order, of its type. Owned by the caller.
    output: NDArray[Any]
    #: The range that was used; None with a scale.
    nudged_range: NudgedRange | None
    #: Whose arithmetic was used.
    numerics: Numerics


@dataclasses.dataclass(frozen=True, eq=False)
class FakeQuantizeGradientResult:
    """The result of `Client.fake_quantize_gradient`."""

    #: In the shape of the inputs and in C order, of their type. Owned by the caller.
    input_gradients: NDArray[Any]
    #: float32, in the shape of `min`: the sum of the gradients below the range, taken in double precision
    #: and rounded once. None if the numerics has none: with a scale, and in TENSORFLOW_XLA_ARGS.
    min_gradient: NDArray[np.float32] | None
    #: The same for `max`, of the gradients above the range.
    max_gradient: NDArray[np.float32] | None
    #: The range that was used; None with a scale.
    nudged_range: NudgedRange | None
    #: Whose arithmetic was used.
    numerics: Numerics


@dataclasses.dataclass(frozen=True, eq=False)
class QuantizeResult:
    """The result of `Client.quantize`.

    Code q represents (q - zero_point) * scale.
    """

    #: The codes, in the shape of the input and in C order. Owned by the caller.
    output: NDArray[Any]
    #: The type of the codes, such as "uint8" or "int4".
    output_type: str
    #: float32: 0-d for the whole tensor; one value per channel with an axis; with blocks, in the shape of
    #: the tensor, but with one entry per block along the axis.
    scale: NDArray[np.float32]
    #: int32, in the same shape: the code that represents 0.0.
    zero_point: NDArray[np.int32]
    #: As in the call.
    axis: int | None
    #: As in the call.
    block_size: int | None
    #: The range that was used, with the zero points of unsigned codes; None if the numerics takes none.
    nudged_range: NudgedRange | None
    #: Whose arithmetic was used.
    numerics: Numerics


@dataclasses.dataclass(frozen=True, eq=False)
class DequantizeResult:
    """The result of `Client.dequantize`."""

    #: In the shape of the codes and in C order. Owned by the caller.
    output: NDArray[Any]
    #: Whose arithmetic was used.
    numerics: Numerics


@dataclasses.dataclass(frozen=True)
class MethodSupport:
    """What a method takes with one numerics. All names are those of the schema."""

    #: Such as "Quantize".
    method: str
    #: Such as "NUMERICS_ONNX".
    numerics: str
    #: How parameters may be given, such as "PARAMETER_KIND_AFFINE_BLOCKS".
    parameters: tuple[str, ...]
    #: The types of the tensors of a request, such as "DATA_TYPE_FLOAT32".
    input_types: tuple[str, ...]
    #: The types of the tensor of an answer.
    output_types: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ServerInfo:
    """The version, instruction set and limits of a server."""

    #: The server's version, such as "1.2.3".
    version: str
    #: The SIMD instruction set in use, with Highway's name: "AVX3", "NEON", ... It affects the speed, but
    #: never the results.
    simd_target: str
    #: The instruction sets that the server's machine supports; the best comes first.
    supported_simd_targets: tuple[str, ...]
    #: The element types that at least one method accepts, with the schema's names.
    data_types: tuple[str, ...]
    #: The size of the largest request message that the server accepts.
    max_message_bytes: int
    #: The most bytes of requests that the server processes at once.
    max_in_flight_bytes: int
    #: The number of threads that compute.
    worker_threads: int
    #: The path of the unix socket for sharing memory; empty if shared memory is not supported.
    shared_memory_socket: str
    #: What each method takes, with one entry per method and numerics.
    methods: tuple[MethodSupport, ...]
