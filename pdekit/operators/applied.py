"""An operator as a solver of ordinary problems: what gives a single case its errors, bands and trust."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np
import torch
from torch import Tensor

from ..dataset import FloatArray
from ..field import Field, GridField, NetworkField
from ..nn import PointOperator
from ..operator_problem import Family
from ..problem import Problem
from ..record import Record
from ..solution import Measures
from ..solver import Outcome, Setting
from .grids import grid_field, require_filling
from .predictor import Predictor


@final
class Applied:
    """A trained operator applied to one input.

    Args:
        name: what results call it.
        predictor: the operator.
        values: the input, (*input.shape).
    """

    def __init__(self, name: str, predictor: Predictor, values: FloatArray) -> None:
        self.name, self._predictor, self._values = name, predictor, values

    def require(self, problem: Problem) -> None:
        """The outputs must fill the domain."""
        require_filling(self._predictor.family)

    def run(self, problem: Problem, setting: Setting) -> Outcome:
        """One pass through the network."""
        reach = self._predictor.reach
        distance = self._predictor.reach.distances(self._values[None])
        where = "far outside" if reach.far(distance)[0] else "among"
        found = field_of(self._predictor, self._values)
        return Outcome(
            field=found,
            history=Record(),
            message=f"input {where} those learnt from, distance {distance[0]:.3g}, 99 % of them {reach.quantile:.3g}",
            measures=Measures(points=int(np.prod(self._predictor.family.output.shape[:-1]))),
        )

    def restore(self, problem: Problem, tensors: Mapping[str, Tensor]) -> Field:
        """Grid values."""
        return GridField.restored(tensors)


@final
class Classical:
    """A family's classical solver as a solver of one case.

    Args:
        family: whose solver.
        values: the input, (*input.shape).
    """

    name = "classical"

    def __init__(self, family: Family, values: FloatArray) -> None:
        self._family, self._values = family, values

    def require(self, problem: Problem) -> None:
        """The outputs must fill the domain."""
        require_filling(self._family)

    def run(self, problem: Problem, setting: Setting) -> Outcome:
        """One solve on the family's own grid."""
        found = self._family.solve(torch.from_numpy(self._values[None].copy())).numpy()
        field = grid_field(self._family, found[0])
        return Outcome(field, Record(), self._family.solved_by, Measures(points=int(np.prod(found.shape[1:-1]))))

    def restore(self, problem: Problem, tensors: Mapping[str, Tensor]) -> Field:
        """Grid values."""
        return GridField.restored(tensors)


def field_of(predictor: Predictor, values: FloatArray) -> Field:
    """The output for one input (*input.shape) as a field: the network itself where it is a smooth function of coordinates."""
    network, family = predictor.network, require_filling(predictor.family)
    if isinstance(network, PointOperator) and network.smooth:
        like = next(network.parameters())
        return NetworkField(network.function(predictor.tensor(values[None])), like.dtype, like.device.type)
    return grid_field(family, predictor.outputs(values[None])[0])
