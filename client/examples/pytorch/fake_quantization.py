"""Fake quantization as PyTorch operations with gradients, computed by a quantd server or in this process.

Both operations take `inputs`, `min` and `max` as float32 tensors on the CPU and pass gradients to all three.
They give the same bits as tf.quantization.fake_quant_with_min_max_vars or, with an `axis`, as
..._per_channel. With an `axis`, `min` and `max` have one value per index along that dimension.
"""

import quantd
import torch
from torch.autograd.function import once_differentiable


class FakeQuantize(torch.autograd.Function):
    """Calls a server: FakeQuantize.apply(client, inputs, min, max, num_bits, narrow_range, axis)."""

    @staticmethod
    def forward(context, client: quantd.Client, inputs, min, max, num_bits=8, narrow_range=False, axis=None):
        context.save_for_backward(inputs, min, max)
        context.client = client
        context.options = {"num_bits": num_bits, "narrow_range": narrow_range, "axis": axis}
        result = client.fake_quantize(inputs.numpy(), min.numpy(), max.numpy(), **context.options)
        return torch.from_numpy(result.output)

    @staticmethod
    @once_differentiable
    def backward(context, gradients):
        inputs, min, max = (tensor.detach().numpy() for tensor in context.saved_tensors)
        result = context.client.fake_quantize_gradient(gradients.numpy(), inputs, min, max, **context.options)
        return (None, torch.from_numpy(result.input_gradients), torch.from_numpy(result.min_gradient),
                torch.from_numpy(result.max_gradient), None, None, None)


class FakeQuantizeInProcess(torch.autograd.Function):
    """The same formulas in PyTorch, for comparison: FakeQuantizeInProcess.apply(inputs, min, max, ...).

    Does not check the range: the results are meaningless for ranges that a server rejects.
    """

    @staticmethod
    def forward(context, inputs, min, max, num_bits=8, narrow_range=False, axis=None):
        # Reshapes the bounds so that they broadcast along the axis.
        shape = [-1 if axis is not None and i == axis % inputs.ndim else 1 for i in range(inputs.ndim)]
        lower, upper = min.reshape(shape), max.reshape(shape)

        quant_min, quant_max = float(narrow_range), float(2**num_bits - 1)
        scale = (upper - lower) / (quant_max - quant_min)
        inverse_scale = (quant_max - quant_min) / (upper - lower)
        # The values rounded here are not negative, so a half is always rounded up.
        zero_point = torch.floor(torch.clamp(quant_min - lower / scale, quant_min, quant_max) + 0.5)
        nudged_min, nudged_max = (quant_min - zero_point) * scale, (quant_max - zero_point) * scale
        quant_zero = torch.floor(-nudged_min * inverse_scale + 0.5)

        shifted = torch.maximum(torch.minimum(inputs, nudged_max), nudged_min) - nudged_min
        steps = shifted / scale if axis is None else shifted * inverse_scale
        context.save_for_backward(inputs, nudged_min, nudged_max)
        context.range_shape = min.shape
        return torch.floor(steps - quant_zero + 0.5) * scale

    @staticmethod
    def backward(context, gradients):
        inputs, nudged_min, nudged_max = context.saved_tensors

        def sum_where(outside):
            kept = (gradients * outside).double()
            return kept.sum_to_size(nudged_min.shape).float().reshape(context.range_shape)

        below, above = inputs < nudged_min, inputs > nudged_max
        inside = (inputs >= nudged_min) & (inputs <= nudged_max)
        return gradients * inside, sum_where(below), sum_where(above), None, None, None
