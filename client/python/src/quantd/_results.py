"""What calls return, and what they take besides numbers and arrays."""

import dataclasses
import enum

import numpy as np
from numpy.typing import NDArray


class Numerics(enum.Enum):
    """Whose arithmetic to reproduce, bit for bit.

    The kinds differ in the last bit, which decides where a value lies halfway between two codes.
    """

    #: TensorFlow's FakeQuantWithMinMaxVars without an axis (it divides by the scale) and
    #: FakeQuantWithMinMaxVarsPerChannel with one (it multiplies by the inverse scale).
    TENSORFLOW = 1
    #: TensorFlow's FakeQuantWithMinMaxArgs: multiplies by the inverse scale. The same as TENSORFLOW
    #: where there is an axis.
    TENSORFLOW_ARGS = 2


@dataclasses.dataclass(frozen=True, eq=False)
class NudgedRange:
    """The range that was really used, nudged so that zero is exactly a code.

    All four arrays have the shape of the `min` that the call was given: 0-d for a number, one value
    a channel for a sequence. The value of code q is (q - zero_point) * scale. Where min == max == 0,
    min, max and scale are 0, and zero_point is the lowest code.
    """

    #: float32: the lower ends, at most 0; values below become this one.
    min: NDArray[np.float32]
    #: float32: the upper ends, at least 0; values above become this one.
    max: NDArray[np.float32]
    #: float32: the distance of neighbouring quantized values, at least 0.
    scale: NDArray[np.float32]
    #: int32: the code that stands for 0.0, 0..2**num_bits - 1.
    zero_point: NDArray[np.int32]


@dataclasses.dataclass(frozen=True, eq=False)
class FakeQuantizeResult:
    """What `Client.fake_quantize` returns."""

    #: float32, of the shape of the input; the caller's own, in C order.
    output: NDArray[np.float32]
    nudged_range: NudgedRange


@dataclasses.dataclass(frozen=True, eq=False)
class FakeQuantizeGradientResult:
    """What `Client.fake_quantize_gradient` returns."""

    #: float32, of the shape of the inputs; the caller's own, in C order.
    input_gradients: NDArray[np.float32]
    #: float32, of the shape of `min`; within one float32 ulp of the exact sum.
    min_gradient: NDArray[np.float32]
    #: float32, of the shape of `max`; within one float32 ulp of the exact sum.
    max_gradient: NDArray[np.float32]
    nudged_range: NudgedRange


@dataclasses.dataclass(frozen=True)
class ServerInfo:
    """What a server is, and what it takes."""

    #: The server's version, as in "1.2.3".
    version: str
    #: The SIMD instruction set in use, as Highway names it: "AVX3", "NEON", ... It changes the speed,
    #: never the results.
    simd_target: str
    #: The instruction sets this machine could use, best first.
    supported_simd_targets: tuple[str, ...]
    #: The element types that at least one method takes, as the schema names them.
    data_types: tuple[str, ...]
    #: The size of the largest request message that it takes.
    max_message_bytes: int
    #: How many bytes of requests it works on at once.
    max_in_flight_bytes: int
    #: The number of threads that compute.
    worker_threads: int
    #: The path of the unix socket over which memory can be shared; empty: it takes none.
    shared_memory_socket: str
