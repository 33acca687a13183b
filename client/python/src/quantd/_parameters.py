"""How a call says what its codes stand for: a range, scales, or the range of its data."""

import dataclasses
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantd import _arguments, _errors, _schema
from quantd._tensor_parts import ChannelLayout, TensorPart


class Parameters(Protocol):
    """The parameters of a call."""

    @property
    def axis(self) -> int | None: ...

    @property
    def nbytes(self) -> int: ...

    #: Whether they are a range, so that the answer has a nudged one.
    is_range: ClassVar[bool]
    #: Whether a part of a tensor can have those of the whole tensor.
    can_be_cut: ClassVar[bool]

    def shape_in(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the shape of the parameters in the answer for a tensor of `shape`."""

    def fields(self, part: TensorPart | None = None) -> dict[str, Any]:
        """Returns the fields of the request for a part of the tensor, or for the whole tensor.

        Empty parts have all parameters.
        """

    def layout(self, shape: tuple[int, ...]) -> ChannelLayout | None:
        """Returns how they lie in a tensor of `shape`, which has the axis.

        None if there are blocks that do not fit the tensor.
        """

    def fit(self, layout: ChannelLayout) -> bool:
        """Returns whether there are as many as such a tensor needs."""


@dataclasses.dataclass(frozen=True)
class RangeParameters:
    """A range for the whole tensor or for each channel."""

    minimum: NDArray[np.float32]
    maximum: NDArray[np.float32]
    axis: int | None

    is_range: ClassVar[bool] = True
    can_be_cut: ClassVar[bool] = True

    @property
    def nbytes(self) -> int:
        return self.minimum.nbytes + self.maximum.nbytes

    def shape_in(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.minimum.shape

    def fields(self, part: TensorPart | None = None) -> dict[str, Any]:
        run = slice(None) if part is None or part.is_empty else part.parameters
        return {"range": _schema.Range(min=self.minimum.ravel()[run].tolist(),
                                       max=self.maximum.ravel()[run].tolist(),
                                       axis=self.axis if part is None else part.axis)}

    def layout(self, shape: tuple[int, ...]) -> ChannelLayout | None:
        return ChannelLayout.of(shape, self.axis)

    def fit(self, layout: ChannelLayout) -> bool:
        return self.minimum.size == self.maximum.size == layout.parameter_count


@dataclasses.dataclass(frozen=True)
class ScaleParameters:
    """Scales and zero points for the whole tensor, for each channel or for each block."""

    scale: NDArray[np.float32]
    #: One-dimensional. Empty: zeros.
    zero_point: NDArray[np.int32]
    axis: int | None
    block_size: int | None

    is_range: ClassVar[bool] = False
    can_be_cut: ClassVar[bool] = True

    @property
    def nbytes(self) -> int:
        return self.scale.nbytes + self.zero_point.nbytes

    def shape_in(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.scale.shape

    def fields(self, part: TensorPart | None = None) -> dict[str, Any]:
        run = slice(None) if part is None or part.is_empty else part.parameters
        return {"affine": _schema.AffineParameters(
            scale=self.scale.ravel()[run].tolist(), zero_point=self.zero_point[run].tolist(),
            axis=self.axis if part is None else part.axis,
            block_size=self.block_size if part is None else part.block_size)}

    def layout(self, shape: tuple[int, ...]) -> ChannelLayout | None:
        if self.block_size is None:
            return ChannelLayout.of(shape, self.axis)
        if self.axis is None:
            return None
        layout = ChannelLayout.of(shape, self.axis, self.block_size)
        # The part with which the server checks the parameters does not say that there are blocks.
        return layout if self.fit(layout) else None

    def fit(self, layout: ChannelLayout) -> bool:
        return self.scale.size == layout.parameter_count and self.zero_point.size in (0, self.scale.size)


@dataclasses.dataclass(frozen=True)
class DataParameters:
    """The minimum and the maximum of the data."""

    symmetric: bool
    axis: int | None
    block_size: int | None

    nbytes: ClassVar[int] = 0
    is_range: ClassVar[bool] = False
    can_be_cut: ClassVar[bool] = False

    def shape_in(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return _parameter_shape(shape, self.axis, self.block_size)

    def fields(self, part: TensorPart | None = None) -> dict[str, Any]:
        return {"data_range": _schema.DataRange(symmetric=self.symmetric, axis=self.axis,
                                                block_size=self.block_size)}

    def layout(self, shape: tuple[int, ...]) -> ChannelLayout | None:
        return None

    def fit(self, layout: ChannelLayout) -> bool:
        return False


@dataclasses.dataclass(frozen=True)
class ParameterArguments:
    """The arguments of a call that say what its codes stand for."""

    min: ArrayLike | None
    max: ArrayLike | None
    scale: ArrayLike | None
    zero_point: ArrayLike | None
    axis: Any
    block_size: Any
    data_range: str | None = None

    def parameters_of(self, shape: tuple[int, ...]) -> Parameters:
        """Returns the parameters for a tensor of this shape.

        Errors: InvalidArgumentError if they are neither a range nor scales nor that of the data, or several
        of these; TypeError for arguments of the wrong type.
        """
        given = [name for name, value in (("min and max", (self.min, self.max)),
                                          ("scale", (self.scale, self.zero_point)),
                                          ("data_range", (self.data_range,)))
                 if any(argument is not None for argument in value)]
        if len(given) != 1:
            raise _errors.invalid_argument(
                "PARAMETERS_MISMATCH", "range",
                f"there is {' as well as '.join(given) or 'neither min and max nor scale'}; expected either "
                "min and max, or scale (and zero_point): pass one of the two")
        if given == ["scale"]:
            return self._scales(shape)
        if given == ["data_range"]:
            return self._data_range()
        if self.block_size is not None:
            raise _errors.invalid_argument(
                "PARAMETERS_MISMATCH", "affine.block_size",
                "block_size is given with min and max; expected blocks of a scale: leave it out")
        axis = _arguments.as_axis(self.axis, "range.axis")
        return RangeParameters(_arguments.as_bounds("min", self.min), _arguments.as_bounds("max", self.max),
                               axis)

    def _scales(self, shape: tuple[int, ...]) -> ScaleParameters:
        axis = _arguments.as_axis(self.axis, "affine.axis")
        block_size = _arguments.as_block_size(self.block_size)
        expected = _parameter_shape(shape, axis, block_size) if block_size and axis is not None else None
        return ScaleParameters(
            _arguments.as_scale(self.scale, expected), _arguments.as_zero_point(self.zero_point, expected),
            axis, block_size)

    def _data_range(self) -> DataParameters:
        if self.data_range not in ("min_max", "symmetric"):
            raise TypeError(f"data_range is {self.data_range!r}; expected 'min_max' or 'symmetric'")
        return DataParameters(self.data_range == "symmetric",
                              _arguments.as_axis(self.axis, "data_range.axis"),
                              _arguments.as_block_size(self.block_size))


def _parameter_shape(shape: tuple[int, ...], axis: int | None, block_size: int | None) -> tuple[int, ...]:
    """Returns the shape of the parameters of a tensor of this shape. The axis need not be in the shape."""
    if axis is None:
        return ()
    if not -len(shape) <= axis < len(shape):
        return shape
    axis %= len(shape)
    if not block_size:
        return shape[axis:axis + 1]
    return (*shape[:axis], -(-shape[axis] // block_size), *shape[axis + 1:])
