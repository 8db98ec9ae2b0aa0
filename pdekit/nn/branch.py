"""Branch: a network from the values of a function on its grid to a vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from .activations import Tanh
from .architecture import Architecture
from .frame import Frame
from .initialisation import Glorot, Site, linear
from .operator_architecture import OperatorFrame, check_axes, check_grid, check_inputs
from .principal import PrincipalComponents


@final
class Branch(nn.Module):
    """matrix z + network(z), z the leading principal components of the input's values on its grid.

    Args:
        owner: what messages call it.
        frame: has the input's grid and the statistics.
        outputs: length of the vector.
        network: the second term; None for a linear branch.
        linear_part: whether there is a matrix.
        components: how many components it reads, at most.
        generator: of the initial weights.

    Raises:
        ConfigError: neither term.
    """

    def __init__(
        self,
        owner: str,
        frame: OperatorFrame,
        outputs: int,
        network: Architecture | None,
        linear_part: bool,
        components: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        if network is None and not linear_part:
            raise ConfigError(f"{owner}: got neither a network nor a linear part, expected at least one of them")
        self._owner, self._input = owner, frame.input
        self.components = PrincipalComponents.of(frame, components)
        inputs = len(self.components.directions)
        site = Site(inputs, outputs, outputs, True, Tanh(), last=True)
        self.matrix = linear(site, Glorot(), generator, frame.dtype, biased=False) if linear_part else None
        around = Frame(
            (-1.0,) * inputs, (1.0,) * inputs, outputs, frame.dtype
        )  # components are of size 1: not scaled again
        self.network = None if network is None else network.build(around, generator)

    def resolves(self, points: Sequence[int]) -> None:
        """Raise ShapeError unless this is the grid that the branch was built for."""
        check_axes(self._owner, points, self._input)
        check_grid(self._owner, "inputs", points, self._input)

    def forward(self, inputs: Tensor) -> Tensor:
        """Vectors (count, outputs) of inputs (count, *input.shape)."""
        self.resolves(check_inputs(self._owner, inputs, self._input))
        z = self.components(inputs)
        if self.network is None:
            assert self.matrix is not None
            return self.matrix(z)
        vector: Tensor = self.network(z)
        return vector if self.matrix is None else self.matrix(z) + vector
