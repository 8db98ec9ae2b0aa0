"""Networks from the grid values of a function to those of another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from ..checks import integer
from .architecture import MLP, Architecture
from .branch import Branch
from .operator_architecture import OperatorArchitecture, OperatorFrame, OperatorNetwork, check_grid
from .regrid import coordinates


@final
@dataclass(frozen=True)
class GridNet(OperatorArchitecture):
    """The vector of the input's values on its grid to the vector of the output's: matrix z + network(z).

    z are the leading principal components of the input's values; as many components as values are but a rotation of them.

    Args:
        network: the fully connected network; None for the matrix alone, which suits linear operators.
        linear: whether there is a matrix.
        components: how many principal components of the input are read, at most.

    Notes: bound to its two grids; the matrix has an entry for each component and output value.
    Good values: MLP(128, 2).
    Reference: Khoo, Lu, Ying 2021 (2017 as a preprint), doi:10.1017/S0956792520000182; book, section 15.3.
    """

    network: Architecture | None = field(default_factory=lambda: MLP(128, 2))
    linear: bool = True
    components: int = 128

    def __post_init__(self) -> None:
        integer("GridNet", "components", self.components)

    def build(self, frame: OperatorFrame, generator: torch.Generator) -> GridOperator:
        """Build the network on the CPU; see `OperatorArchitecture.build`."""
        return GridOperator(self, frame, generator)


@final
class GridOperator(OperatorNetwork):
    """A built `GridNet`."""

    def __init__(self, config: GridNet, frame: OperatorFrame, generator: torch.Generator) -> None:
        super().__init__()
        self._output, self.factor = frame.output, frame.factor
        size = math.prod(frame.output.shape)
        self.branch = Branch("GridNet", frame, size, config.network, config.linear, config.components, generator)
        self.restored = frame.standardised_output(pointwise=True)

    def resolves(self, points: Sequence[int]) -> None:
        """Refuse every grid but the one of the training; see `OperatorNetwork.resolves`."""
        self.branch.resolves(points)

    def forward(self, inputs: Tensor, points: Sequence[int] | None = None) -> Tensor:
        """The output functions; see `OperatorNetwork.forward`."""
        if points is not None:
            check_grid("GridNet", "outputs", points, self._output)
        shape = self._output.shape
        outputs = self.restored.restored(self.branch(inputs).reshape(-1, *shape))
        if self.factor is None:
            return outputs
        factor: Tensor = self.factor(coordinates(self._output.axes, inputs))
        return factor.reshape(*shape[:-1], 1) * outputs
