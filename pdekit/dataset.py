"""Data sets of operators: pairs of input and output functions, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from .checks import integer
from .errors import ConfigError, ShapeError
from .quantity import Quantity

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Provenance:
    """Where data come from.

    Args:
        family: name and parameters of the family.
        seed: of the draws; None for the user's own data.
        solver: the classical solver, in words.
        error: mean relative L2 distance of some outputs to those of a solve on a grid twice as fine; None if unknown.
        seconds: processor time that making them took, over all processes.
        cached: whether they were read from a cache.
    """

    family: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    solver: str = ""
    error: float | None = None
    seconds: float = 0.0
    cached: bool = False


@final
@dataclass(frozen=True, eq=False)
class Dataset:
    """Pairs of functions.

    Args:
        inputs: (count, *input.shape).
        outputs: (count, *output.shape).
        input, output: their grids, names and units.
        provenance: where they come from.

    Raises:
        ConfigError: no cases.
        ShapeError: shapes that do not fit the quantities, or each other.
        DtypeError: no real numbers.
        NonFiniteError: NaN or infinity, with the case.
    """

    inputs: FloatArray
    outputs: FloatArray
    input: Quantity
    output: Quantity
    provenance: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        for key, quantity in (("inputs", self.input), ("outputs", self.output)):
            object.__setattr__(self, key, quantity.checked(f"data set: {key}", getattr(self, key)))
        if len(self.inputs) != len(self.outputs):
            raise ShapeError(
                f"data set: got {len(self.inputs)} inputs and {len(self.outputs)} outputs, expected one output per input"
            )
        if not len(self.inputs):
            raise ConfigError("data set: got 0 cases, expected at least one; make or give some")

    def __len__(self) -> int:
        """How many cases there are."""
        return len(self.inputs)

    def __getitem__(self, cases: slice) -> Dataset:
        """Some of the cases."""
        return replace(self, inputs=self.inputs[cases], outputs=self.outputs[cases])

    def split(self, train: int) -> tuple[Dataset, Dataset]:
        """The first `train` cases, and the others."""
        integer("Dataset.split", "train", train)
        if train >= len(self):
            raise ConfigError(
                f"Dataset.split: got train = {train} of {len(self)} cases, expected at most {len(self) - 1}"
            )
        return self[:train], self[train:]

    def mean_predictor(self, test: Dataset) -> float:
        """Mean relative L2 error over a test set of the trivial predictor: this set's mean output, whatever the input."""
        mean = np.broadcast_to(self.outputs.mean(axis=0), test.outputs.shape)
        return float(self.output.relative_errors(mean, test.outputs).mean())
