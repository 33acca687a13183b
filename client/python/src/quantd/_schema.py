"""The messages of the public schema, as classes that cannot clash with those of other packages.

protobuf keeps one pool of descriptors per process, and rejects a second file of the same name with
different contents. Several packages contain google/rpc/error_details.proto, in several versions. Therefore
the schema, which the build compiles with protoc, is loaded into this package's own pool.
"""

import importlib.resources
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_POOL = descriptor_pool.DescriptorPool()
_SCHEMA = importlib.resources.files(__package__).joinpath("schema.binpb")

for _file in descriptor_pb2.FileDescriptorSet.FromString(_SCHEMA.read_bytes()).file:
    _POOL.AddSerializedFile(_file.SerializeToString())


def _message_class(name: str) -> Any:
    descriptor = _POOL.FindMessageTypeByName(name)
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    # Before protobuf 4.22.
    return message_factory.MessageFactory(_POOL).GetPrototype(descriptor)


BadRequest = _message_class("google.rpc.BadRequest")
ErrorInfo = _message_class("google.rpc.ErrorInfo")
RetryInfo = _message_class("google.rpc.RetryInfo")
Status = _message_class("google.rpc.Status")

HealthCheckRequest = _message_class("grpc.health.v1.HealthCheckRequest")
HealthCheckResponse = _message_class("grpc.health.v1.HealthCheckResponse")

AffineParameters = _message_class("quantd.v1.AffineParameters")
DataRange = _message_class("quantd.v1.DataRange")
DequantizeRequest = _message_class("quantd.v1.DequantizeRequest")
DequantizeResponse = _message_class("quantd.v1.DequantizeResponse")
FakeQuantizeGradientRequest = _message_class("quantd.v1.FakeQuantizeGradientRequest")
FakeQuantizeGradientResponse = _message_class("quantd.v1.FakeQuantizeGradientResponse")
FakeQuantizeRequest = _message_class("quantd.v1.FakeQuantizeRequest")
FakeQuantizeResponse = _message_class("quantd.v1.FakeQuantizeResponse")
GetServerInfoRequest = _message_class("quantd.v1.GetServerInfoRequest")
GetServerInfoResponse = _message_class("quantd.v1.GetServerInfoResponse")
QuantizationSpec = _message_class("quantd.v1.QuantizationSpec")
QuantizeRequest = _message_class("quantd.v1.QuantizeRequest")
QuantizeResponse = _message_class("quantd.v1.QuantizeResponse")
Range = _message_class("quantd.v1.Range")
Tensor = _message_class("quantd.v1.Tensor")

DataType = _POOL.FindEnumTypeByName("quantd.v1.DataType")
Numerics = _POOL.FindEnumTypeByName("quantd.v1.Numerics")
ParameterKind = _POOL.FindEnumTypeByName("quantd.v1.ParameterKind")
Rounding = _POOL.FindEnumTypeByName("quantd.v1.Rounding")
