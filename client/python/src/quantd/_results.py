"""The results of calls, and the types of arguments other than numbers and arrays."""

import dataclasses
import enum

import numpy as np
from numpy.typing import NDArray


class Numerics(enum.Enum):
    """The TensorFlow op whose arithmetic to reproduce, bit for bit.

    The kinds differ in the last bit, which matters for values halfway between two codes.
    """

    #: TensorFlow's FakeQuantWithMinMaxVars without an axis (it divides by the scale) and
    #: FakeQuantWithMinMaxVarsPerChannel with one (it multiplies by the inverse scale).
    TENSORFLOW = 1
    #: TensorFlow's FakeQuantWithMinMaxArgs, which multiplies by the inverse scale. With an axis, it is
    #: the same as TENSORFLOW.
    TENSORFLOW_ARGS = 2


@dataclasses.dataclass(frozen=True, eq=False)
class NudgedRange:
    """The range that was actually used, nudged so that a code represents exactly zero.

    All four arrays have the shape of the call's `min`: 0-d for a number, one value per channel for a
    sequence. The value of code q is (q - zero_point) * scale. If min == max == 0, then min, max and scale
    are 0, and zero_point is the lowest code.
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

    #: float32, in the shape of the input and in C order. Owned by the caller.
    output: NDArray[np.float32]
    nudged_range: NudgedRange


@dataclasses.dataclass(frozen=True, eq=False)
class FakeQuantizeGradientResult:
    """The result of `Client.fake_quantize_gradient`."""

    #: float32, in the shape of the inputs and in C order. Owned by the caller.
    input_gradients: NDArray[np.float32]
    #: float32, in the shape of `min`; within one float32 ulp of the exact sum.
    min_gradient: NDArray[np.float32]
    #: float32, in the shape of `max`; within one float32 ulp of the exact sum.
    max_gradient: NDArray[np.float32]
    nudged_range: NudgedRange


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
