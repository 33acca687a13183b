"""Quantization of numpy arrays as TensorFlow, PyTorch, ONNX and others compute it, by a quantd server.

    import numpy as np
    import quantd

    x = np.random.randn(64, 32).astype(np.float32)
    with quantd.Client("localhost:50051") as client:
        y = client.fake_quantize(x, -3, 3, num_bits=4).output
        codes = client.quantize(x, scale=0.02, zero_point=128, numerics=quantd.Numerics.ONNX).output
"""

import pkgutil

from quantd._async_client import AsyncClient
from quantd._client import Client
from quantd._errors import (
    DeadlineExceededError, ForkedProcessError, InvalidArgumentError, NotFoundError, PermissionDeniedError,
    QuantdError, ResourceExhaustedError, UnauthenticatedError, UnavailableError)
from quantd._results import (
    DequantizeResult, FakeQuantizeGradientResult, FakeQuantizeResult, MethodSupport, NudgedRange, Numerics,
    QuantizeResult, Rounding, ServerInfo)
from quantd._retry import RetryOptions

__all__ = [
    "AsyncClient", "Client", "DeadlineExceededError", "DequantizeResult", "FakeQuantizeGradientResult",
    "FakeQuantizeResult", "ForkedProcessError", "InvalidArgumentError", "MethodSupport", "NotFoundError",
    "NudgedRange", "Numerics", "PermissionDeniedError", "QuantdError", "QuantizeResult",
    "ResourceExhaustedError", "RetryOptions", "Rounding", "ServerInfo", "UnauthenticatedError",
    "UnavailableError",
]

# Stubs that protoc generates from the schema are modules of quantd.v1, in any folder of the path.
__path__ = pkgutil.extend_path(__path__, __name__)
