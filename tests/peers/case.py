"""What producers and quantd compute side by side, and how it travels between processes.

Needs nothing but numpy, in any version: producers run with interpreters of their own.
"""

import dataclasses
import json
import struct

import numpy as np


@dataclasses.dataclass
class Case:
    """One call. Arrays of bfloat16 are arrays of uint16 here, and codes of less than a byte are int8 or uint8."""

    #: "fake_quantize", "fake_quantize_gradient", "quantize", "dequantize" or "dynamic_quantize".
    operation: str
    #: Whose arithmetic, as the schema has it, without a prefix.
    numerics: str
    inputs: np.ndarray
    #: As numpy or ml_dtypes spells them.
    input_type: str = "float32"
    output_type: str = "float32"
    gradients: np.ndarray | None = None
    #: float32: numbers, or one per channel.
    min: np.ndarray | None = None
    max: np.ndarray | None = None
    #: Instead of a range.
    scale: np.ndarray | None = None
    zero_point: np.ndarray | None = None
    axis: int | None = None
    block_size: int | None = None
    num_bits: int | None = None
    narrow_range: bool = False
    quant_min: int | None = None
    quant_max: int | None = None
    #: The type of the codes in between, in fake quantization by scale.
    code_type: str | None = None
    #: The type in which x / scale is computed: ONNX only.
    precision: str | None = None
    #: What some numerics leave to their callers, as the schema has it.
    signed_input: bool = False
    rounding: str | None = None
    #: The version of ONNX's operators: ONNX only.
    opset: int | None = None


def write(stream, fields):
    """Writes a dictionary of arrays and of what JSON has."""
    arrays = {name: np.array(value, order="C") for name, value in fields.items()
              if isinstance(value, (np.ndarray, np.generic))}
    head = json.dumps({
        "values": {name: value for name, value in fields.items() if name not in arrays},
        "arrays": [(name, array.dtype.str, array.shape) for name, array in arrays.items()],
    }).encode()
    stream.write(struct.pack("<Q", len(head)))
    stream.write(head)
    for array in arrays.values():
        stream.write(array.tobytes())
    stream.flush()


def read(stream):
    """Reads what `write` wrote, or returns None at the end of the stream."""
    size = stream.read(8)
    if not size:
        return None
    head = json.loads(stream.read(*struct.unpack("<Q", size)))
    fields = head["values"]
    for name, dtype, shape in head["arrays"]:
        dtype = np.dtype(dtype)
        data = stream.read(dtype.itemsize * int(np.prod(shape)))
        fields[name] = np.frombuffer(data, dtype).reshape(shape)
    return fields


def to_fields(case):
    return {field.name: getattr(case, field.name) for field in dataclasses.fields(case)}


def to_float32(array, element_type):
    """Returns the values of floats, which are exact for those of 16 and 32 bits."""
    if element_type == "bfloat16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        return array.astype(np.float32)


def from_float32(array, element_type):
    """Returns the values rounded once, half to even."""
    if element_type != "bfloat16":
        with np.errstate(over="ignore", invalid="ignore"):
            return array.astype(element_type)
    array = np.array(array, np.float32, order="C")
    bits = array.view(np.uint32)
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    return np.where(np.isnan(array), 0x7FC0, rounded).astype(np.uint16)
