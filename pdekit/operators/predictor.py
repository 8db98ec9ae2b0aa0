"""Predictor: a trained network that takes and returns arrays."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..dataset import FloatArray
from ..errors import ReachWarning
from ..nn import OperatorNetwork
from ..operator_problem import Family, OperatorProblem
from ..quantity import Quantity
from .grids import at_resolution, moved, resolution_of
from .reach import Reach

_NUMBERS: Final = 1 << 20
"""Input numbers that go through the network at once, at most."""
_CASES: Final = 64
"""Cases that do."""


@final
@dataclass(frozen=True, eq=False)
class Predictor:
    """A trained network with the family it was trained for.

    Args:
        family: at the resolution of the training.
        network: trained.
        reach: where the training inputs are.
    """

    family: OperatorProblem
    network: OperatorNetwork
    reach: Reach

    def __call__(self, inputs: ArrayLike, points: Sequence[int] | None = None) -> FloatArray:
        """Outputs (count, *n_out, m) of inputs (count, *n) or (count, *n, m); see `Operator.predict`."""
        values, _ = self.checked(inputs)
        self._warn(values)
        return self.outputs(values, points)

    def checked(self, inputs: ArrayLike) -> tuple[FloatArray, Quantity]:
        """Inputs as (count, *n, m), with what they are."""
        owner = f"{self.family.name}: inputs"
        given = resolution_of(owner, self.family.input, inputs)
        self.network.resolves(given.shape[:-1])
        return given.checked(owner, inputs), given

    def outputs(self, values: FloatArray, points: Sequence[int] | None = None) -> FloatArray:
        """Outputs of checked inputs."""
        if not len(values):
            shape = self.family.output.shape if points is None else (*points, len(self.family.output.names))
            return np.zeros((0, *shape))
        like = next(self.network.parameters())
        together = max(1, min(_CASES, _NUMBERS // max(1, math.prod(values.shape[1:]))))
        with torch.no_grad():
            parts = [
                self.network(part.to(like), points).to("cpu", torch.float64)
                for part in torch.from_numpy(np.ascontiguousarray(values)).split(together)
            ]
        return torch.cat(parts).numpy()

    def distances(self, inputs: ArrayLike) -> FloatArray:
        """How far inputs are from those learnt from, (count,): about 1 for such ones; see `Reach`."""
        values, given = self.checked(inputs)
        return self._distances(values, given)

    def output(self, predicted: FloatArray) -> Quantity:
        """What outputs (count, *n, m) are."""
        return at_resolution(self.family.output, predicted.shape[1:-1])

    def tensor(self, values: FloatArray) -> Tensor:
        """Inputs as the network takes them."""
        return torch.from_numpy(np.ascontiguousarray(values)).to(next(self.network.parameters()))

    def _distances(self, values: FloatArray, given: Quantity) -> FloatArray:
        family = self.family
        smooth = family.smooth_inputs if isinstance(family, Family) else True
        return self.reach.distances(moved(values, given, family.input, smooth=smooth))

    def _warn(self, values: FloatArray) -> None:
        if not len(values):
            return
        distances = self._distances(values, at_resolution(self.family.input, values.shape[1:-1]))
        far = self.reach.far(distances)
        if far.any():
            worst = int(distances.argmax())
            warnings.warn(
                ReachWarning(
                    f"{self.family.name}: {int(far.sum())} of {len(values)} inputs are far outside those learnt from: case "
                    f"{worst} has a distance of {distances[worst]:.3g}, 99 % of the training inputs at most "
                    f"{self.reach.quantile:.3g}; do not trust their outputs, compare with the classical solver"
                ),
                stacklevel=4,
            )
