"""The generated classes of the public schema, and conversions between tensors and numpy arrays."""

import dataclasses
import pkgutil

import grpc
import numpy as np

# The generated grpc.health and grpc.reflection are in the build tree, apart from the installed grpc.
grpc.__path__ = pkgutil.extend_path(grpc.__path__, grpc.__name__)

# pylint: disable=wrong-import-position
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from grpc.health.v1 import health_pb2, health_pb2_grpc  # noqa: E402, F401
from grpc.reflection.v1alpha import reflection_pb2, reflection_pb2_grpc  # noqa: E402, F401
from quantd.v1 import quantization_pb2, quantization_service_pb2  # noqa: E402
from quantd.v1 import quantization_service_pb2_grpc, tensor_pb2  # noqa: E402

SERVICE = "quantd.v1.QuantizationService"

DATA_TYPE_FLOAT32 = tensor_pb2.DATA_TYPE_FLOAT32
DATA_TYPE_INT8 = tensor_pb2.DATA_TYPE_INT8
DATA_TYPE_UINT8 = tensor_pb2.DATA_TYPE_UINT8
DATA_TYPE_INT32 = tensor_pb2.DATA_TYPE_INT32
DATA_TYPE_INT4 = tensor_pb2.DATA_TYPE_INT4
NUMERICS_LITERT = quantization_pb2.NUMERICS_LITERT
NUMERICS_LITERT_XNNPACK = quantization_pb2.NUMERICS_LITERT_XNNPACK
NUMERICS_ONNX = quantization_pb2.NUMERICS_ONNX
NUMERICS_PYTORCH = quantization_pb2.NUMERICS_PYTORCH
NUMERICS_TENSORFLOW = quantization_pb2.NUMERICS_TENSORFLOW
NUMERICS_TENSORFLOW_ARGS = quantization_pb2.NUMERICS_TENSORFLOW_ARGS

AffineParameters = quantization_pb2.AffineParameters
DataRange = quantization_pb2.DataRange
DataType = tensor_pb2.DataType
DequantizeRequest = quantization_service_pb2.DequantizeRequest
FakeQuantizeGradientRequest = quantization_service_pb2.FakeQuantizeGradientRequest
FakeQuantizeGradientResponse = quantization_service_pb2.FakeQuantizeGradientResponse
FakeQuantizeRequest = quantization_service_pb2.FakeQuantizeRequest
FakeQuantizeResponse = quantization_service_pb2.FakeQuantizeResponse
GetServerInfoRequest = quantization_service_pb2.GetServerInfoRequest
NudgedRange = quantization_pb2.NudgedRange
Numerics = quantization_pb2.Numerics
Rounding = quantization_pb2.Rounding
ParameterKind = quantization_service_pb2.ParameterKind
QuantizationServiceStub = quantization_service_pb2_grpc.QuantizationServiceStub
QuantizationSpec = quantization_pb2.QuantizationSpec
QuantizeRequest = quantization_service_pb2.QuantizeRequest
Range = quantization_pb2.Range
Tensor = tensor_pb2.Tensor


def tensor_of_bytes(array):
    """Returns `array` (float32) as a Tensor that contains bytes."""
    return Tensor(data_type=DATA_TYPE_FLOAT32, shape=array.shape, data=array.tobytes())


def tensor_of_values(array):
    """Returns `array` (float32) as a Tensor that contains a list of numbers."""
    values = tensor_pb2.FloatValues(values=array.ravel())
    return Tensor(data_type=DATA_TYPE_FLOAT32, shape=array.shape, float_values=values)


def array_of(tensor):
    """Returns the elements of an answer's Tensor."""
    if tensor.data_type != DATA_TYPE_FLOAT32:
        raise ValueError(f"expected DATA_TYPE_FLOAT32, got {tensor.data_type}")
    return np.frombuffer(tensor.data, dtype="<f4").reshape(tuple(tensor.shape))


@dataclasses.dataclass(frozen=True)
class CallError:
    """The error details that a client receives from a failed call."""

    code: grpc.StatusCode
    message: str
    domain: str = ""
    reason: str = ""
    metadata: dict = dataclasses.field(default_factory=dict)
    fields: tuple = ()
    retry_delay: float = 0


def call_error(error):
    """Returns the CallError of a grpc.RpcError."""
    trailers = dict(error.trailing_metadata() or ())
    result = {"code": error.code(), "message": error.details()}
    status = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo.FromString(detail.value)
            result |= {"domain": info.domain, "reason": info.reason, "metadata": dict(info.metadata)}
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad_request = error_details_pb2.BadRequest.FromString(detail.value)
            result["fields"] = tuple(v.field for v in bad_request.field_violations)
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            delay = error_details_pb2.RetryInfo.FromString(detail.value).retry_delay
            result["retry_delay"] = delay.ToTimedelta().total_seconds()
        else:
            raise ValueError(f"an unexpected detail: {detail.type_url}")
    return CallError(**result)
