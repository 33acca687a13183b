"""The golden cases of tests/golden, with TensorFlow's bits. README.md there defines how to compare."""

import dataclasses
import functools
import json
import os
import pathlib

import numpy as np

import api

DIRECTORY = pathlib.Path(os.environ["QUANTD_GOLDEN_DIR"])


@dataclasses.dataclass(frozen=True)
class GoldenCase:
    """One call and the expected answer."""

    name: str
    op: str
    num_bits: int
    narrow_range: bool
    min: list
    max: list
    axis: int | None
    inputs: np.ndarray
    # Only for the forward ops.
    outputs: np.ndarray | None = None
    # Only for the gradients.
    gradients: np.ndarray | None = None
    input_gradients: np.ndarray | None = None
    min_gradient: list | None = None
    max_gradient: list | None = None
    # Only for the ops without an axis.
    nudged_range: dict | None = None

    @property
    def is_gradient(self):
        return self.gradients is not None

    @property
    def method(self):
        return "FakeQuantizeGradient" if self.is_gradient else "FakeQuantize"

    def request(self, make_tensor=api.tensor_of_bytes):
        """Returns the request; `make_tensor` decides how its tensors are represented."""
        arguments = {
            "range": api.Range(min=self.min, max=self.max, axis=self.axis),
            "spec": api.QuantizationSpec(
                num_bits=self.num_bits,
                narrow_range=self.narrow_range,
                numerics=(
                    api.NUMERICS_TENSORFLOW_ARGS if self.op == "args" else api.NUMERICS_TENSORFLOW
                ),
            ),
        }
        if self.is_gradient:
            return api.FakeQuantizeGradientRequest(
                gradients=make_tensor(self.gradients), inputs=make_tensor(self.inputs), **arguments
            )
        return api.FakeQuantizeRequest(input=make_tensor(self.inputs), **arguments)

    def call(self, stub, make_tensor=api.tensor_of_bytes):
        """Returns the server's answer; `stub` is a QuantizationServiceStub."""
        return getattr(stub, self.method)(self.request(make_tensor), timeout=60)

    def problems(self, response):
        """Returns what is wrong with `response`; empty if it is correct."""
        if self.is_gradient:
            found = _differing_bits("input_gradients", api.array_of(response.input_gradients),
                                    self.input_gradients)
            found += self.problems_of_sums(response.min_gradient, response.max_gradient)
        else:
            found = _differing_bits("output", api.array_of(response.output), self.outputs)
        return found + self._problems_of_nudged_range(response.nudged_range)

    def problems_of_sums(self, min_gradient, max_gradient):
        """Returns what is wrong with the gradients of min and max."""
        magnitude = _sum_per_channel(np.abs(self.gradients.astype(np.float64)), self.axis)
        return _distant_sums("min_gradient", min_gradient, self.min_gradient, magnitude) + \
            _distant_sums("max_gradient", max_gradient, self.max_gradient, magnitude)

    def _problems_of_nudged_range(self, actual):
        if len(actual.scale) != len(self.min) or len(actual.zero_point) != len(self.min):
            return [f"nudged_range has {len(actual.scale)} scales for {len(self.min)} channels"]
        found = []
        for key, expected in (self.nudged_range or {}).items():
            found += _differing_bits(f"nudged_range.{key}", getattr(actual, key), expected)
        return found

    def repeated(self, times):
        """Returns this case (without an axis) for a one-dimensional tensor that is `times` as large."""
        if self.axis is not None:
            raise ValueError("a repetition would change the channels")
        tiled = {
            key: np.tile(getattr(self, key).ravel(), times)
            for key in ("inputs", "outputs", "gradients", "input_gradients")
            if getattr(self, key) is not None
        }
        if self.is_gradient:
            tiled["min_gradient"] = [value * times for value in self.min_gradient]
            tiled["max_gradient"] = [value * times for value in self.max_gradient]
        return dataclasses.replace(self, name=f"{self.name}_x{times}", **tiled)


def equal_bits(actual, expected):
    """Returns, by element, whether both have the same 32 bits or are both NaN."""
    actual = np.asarray(actual, dtype=np.float32)
    expected = np.asarray(expected, dtype=np.float32)
    both_nan = np.isnan(actual) & np.isnan(expected)
    return (actual.view(np.uint32) == expected.view(np.uint32)) | both_nan


def _differing_bits(what, actual, expected):
    actual = np.asarray(actual, dtype=np.float32)
    expected = np.asarray(expected, dtype=np.float32)
    if actual.shape != expected.shape:
        return [f"{what} has the shape {actual.shape} instead of {expected.shape}"]
    wrong = np.argwhere(~equal_bits(actual, expected))
    if len(wrong) == 0:
        return []
    first = tuple(wrong[0])
    return [f"{what} differs in {len(wrong)} elements, first at {first}: "
            f"{actual[first]!r} instead of {expected[first]!r}"]


def _sum_per_channel(values, axis):
    if axis is None:
        return np.array([values.sum()])
    axis %= values.ndim
    return values.sum(axis=tuple(i for i in range(values.ndim) if i != axis))


def _distant_sums(what, actual, expected, magnitude):
    actual = np.asarray(actual, dtype=np.float64)
    expected = np.asarray(expected, dtype=np.float64)
    if actual.shape != expected.shape:
        return [f"{what} has {actual.size} values instead of {expected.size}"]
    ulp = np.spacing(np.abs(expected).astype(np.float32)).astype(np.float64)
    near = np.abs(actual - expected) <= ulp + 1e-12 * magnitude
    return [f"{what}[{i}] is {actual[i]!r}, far from {expected[i]!r}" for i in np.flatnonzero(~near)]


def _load(entry):
    arguments = {key: entry[key] for key in
                 ("name", "op", "num_bits", "narrow_range", "min", "max", "axis")}
    for key in ("inputs", "outputs", "gradients", "input_gradients"):
        if key in entry:
            array = np.load(DIRECTORY / entry[key]).reshape(entry["shape"])
            array.setflags(write=False)
            arguments[key] = array
    for key in ("min_gradient", "max_gradient"):
        arguments[key] = entry.get(key)
    if "scale" in entry:
        arguments["nudged_range"] = {
            "min": entry["nudged_min"], "max": entry["nudged_max"], "scale": entry["scale"]
        }
    return GoldenCase(**arguments)


@functools.cache
def all_cases():
    """Returns all golden cases, in the order of the manifest."""
    entries = json.loads((DIRECTORY / "manifest.json").read_text(encoding="utf-8"))
    return tuple(_load(entry) for entry in entries)


def one_case_of_each_op():
    """Returns a small selection: the first case of every op."""
    first = {}
    for case in all_cases():
        first.setdefault(case.op, case)
    return tuple(first.values())
