"""The user's own pairs of functions, from an NPZ file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, final

import numpy as np

from ..dataset import Dataset, Provenance
from ..errors import ConfigError, DataError, ShapeError
from ..files import missing
from ..npz import read_npz
from ..operator_problem import OperatorProblem
from ..quantity import Axis, Quantity

_UNEVEN = 1e-6
"""Share of a step by which equally spaced points may be off."""


@final
@dataclass(frozen=True)
class UserArrays(OperatorProblem):
    """inputs -> outputs, from a file.

    The file holds `inputs` (cases, n_1, ..., n_d) or with the components last (cases, n_1, ..., n_d, m), `outputs`
    likewise, and for each axis its coordinates, equally spaced: `inputs.x`, `inputs.y`, ..., `outputs.x`, ... in the order
    of the axes. Strings may add units, of values as `inputs.unit`, of coordinates as `inputs.x.unit`. An axis that is
    periodic is named in `periodic`, and its last point is one step before the end of the period.

    Args:
        file: path of the NPZ file.
        input_unit, output_unit: what the values should be in; empty to take the file's word.

    >>> import numpy as np, tempfile
    >>> file = tempfile.mkdtemp() + "/mine.npz"
    >>> x = np.linspace(0, 1, 5)
    >>> np.savez(file, inputs=np.ones((3, 5)), outputs=np.tile(x, (3, 1)), **{"inputs.x": x, "outputs.x": x})
    >>> UserArrays(file).read().output.describe()
    'outputs(x) on 5 points'
    """

    name: ClassVar[str] = "arrays"
    hard_because: ClassVar[str] = "your own arrays: set file=..., see `pdekit show arrays`"

    file: str = ""
    input_unit: str = ""
    output_unit: str = ""

    @property
    def input(self) -> Quantity:
        """As the file says."""
        return self.read().input

    @property
    def output(self) -> Quantity:
        """As the file says."""
        return self.read().output

    def read(self) -> Dataset:
        """The data; read once.

        Raises:
            ConfigError: no file given, or no cases in it.
            FileNotFoundError: with the nearest existing path.
            DataError: damaged, an array missing or pickled, coordinates that are not equally spaced, units that disagree.
            ShapeError: shapes that disagree, with both.
            DtypeError: values that are no real numbers.
            NonFiniteError: NaN or infinity, with the case.
        """
        return self._data

    @cached_property
    def _data(self) -> Dataset:
        if not self.file:
            raise ConfigError(f"{self.name}: got no file, expected the path of an NPZ file; set file=mine.npz")
        path = Path(self.file)
        if not path.is_file():
            raise missing("data set", path)
        arrays = read_npz(path)
        if absent := [key for key in ("inputs", "outputs") if key not in arrays]:
            raise DataError(
                f"{self.file}: got arrays {', '.join(arrays) or 'none'}, expected {' and '.join(absent)} too"
            )
        given = _quantity(self.file, arrays, "inputs", self.input_unit)
        found = _quantity(self.file, arrays, "outputs", self.output_unit)
        _same_coordinates(self.file, given, found)
        provenance = Provenance({"name": self.name, "file": self.file}, solver="the user's own")
        return Dataset(arrays["inputs"], arrays["outputs"], given, found, provenance)


def _quantity(file: str, arrays: dict[str, np.ndarray], key: str, expected: str) -> Quantity:
    names = [name.split(".")[1] for name in arrays if name.startswith(f"{key}.") and name.count(".") == 1]
    names = [name for name in names if name != "unit"]
    values = arrays[key]
    if not names:
        raise DataError(f"{file}: {key}: got no coordinates, expected an array {key}.x for each axis, such as {key}.x")
    if values.ndim not in (len(names) + 1, len(names) + 2):
        raise ShapeError(
            f"{file}: {key}: got shape {values.shape} and coordinates {', '.join(names)}, expected (cases, "
            f"{', '.join(f'points of {name}' for name in names)}) or one axis more for components"
        )
    unit = _text(arrays, f"{key}.unit")
    if expected and unit != expected:
        raise DataError(f"{file}: {key}: got values in {unit or 'no unit'}, expected {expected}; convert them")
    axes = tuple(_axis(file, arrays, key, name) for name in names)
    components = values.shape[-1] if values.ndim == len(names) + 2 else 1
    labels = (key,) if components == 1 else tuple(f"{key}{i + 1}" for i in range(components))
    return Quantity(axes, labels, unit)


def _axis(file: str, arrays: dict[str, np.ndarray], key: str, name: str) -> Axis:
    x = np.asarray(arrays[f"{key}.{name}"], dtype=np.float64)
    steps = np.diff(x) if x.ndim == 1 else np.zeros(0)
    step = float(np.mean(steps)) if len(steps) else 0.0
    if not step > 0.0 or not np.abs(steps - step).max() <= _UNEVEN * step:
        raise DataError(
            f"{file}: {key}.{name}: got coordinates of shape {x.shape} that are not equally spaced and rising, expected "
            "such ones; interpolate the data"
        )
    periodic = name in np.atleast_1d(arrays.get("periodic", [])).astype(str)
    axis = Axis(name, len(x), float(x[0]), float(x[-1]), unit=_text(arrays, f"{key}.{name}.unit"))
    return replace(axis, periodic=True, upper=axis.upper + step) if periodic else axis


def _same_coordinates(file: str, given: Quantity, found: Quantity) -> None:
    """Refuse a coordinate that is another for the outputs than for the inputs."""
    others = {axis.name: axis for axis in found.axes}
    for mine in given.axes:
        other = others.get(mine.name, mine)
        if mine.unit and other.unit and mine.unit != other.unit:
            raise DataError(
                f"{file}: coordinate {mine.name!r}: got inputs over {mine.unit} and outputs over {other.unit}, expected one "
                "unit; convert one, or give the coordinates two names"
            )


def _text(arrays: dict[str, np.ndarray], key: str) -> str:
    return str(arrays[key].item()) if key in arrays and arrays[key].size == 1 else ""
