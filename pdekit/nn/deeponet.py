"""Deep operator networks: sums of functions of the coordinates, weighted by functions of the input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..checks import integer
from ..errors import ShapeError
from ..quantity import Axis
from .activations import Elementwise
from .architecture import MLP, Architecture
from .branch import Branch
from .combined import CosineSine
from .frame import Frame
from .frequency_layers import Waves
from .layers import Concatenation, HardConstraint
from .operator_architecture import OperatorArchitecture, OperatorFrame, PointOperator, check_axes
from .regrid import coordinates, with_points


@final
@dataclass(frozen=True)
class DeepONet(OperatorArchitecture):
    """u(f)(x) = sum_k b_k(f) t_k(x): a branch that reads the input on its grid, a trunk that reads the coordinates.

    Args:
        features: number of products, for each component of the output.
        trunk: network t; along periodic axes it reads cosine and sine of the coordinate.
        branch: network b, to which a matrix is added; None for the matrix alone: the operator is linear then.
        linear: whether there is a matrix.
        components: how many principal components of the input the branch reads, at most.

    Notes:
        The unstacked form with a bias. The input is read on one grid, the output is a function of the coordinates. The
        outputs of all inputs lie in one space of `features` dimensions: maps that transport need many.
    Good values: features 32 to 128, trunk and branch of 2 to 4 layers of 64 units.
    Reference: Lu et al. 2021, doi:10.1038/s42256-021-00302-5; book, section 15.3.
    """

    features: int = 64
    trunk: Architecture = field(default_factory=lambda: MLP(64, 3))
    branch: Architecture | None = field(default_factory=lambda: MLP(64, 2))
    linear: bool = True
    components: int = 128

    def __post_init__(self) -> None:
        integer("DeepONet", "features", self.features)
        integer("DeepONet", "components", self.components)

    def build(self, frame: OperatorFrame, generator: torch.Generator) -> DeepOperator:
        """Build the network on the CPU; see `OperatorArchitecture.build`."""
        return DeepOperator(self, frame, generator)


@final
class DeepOperator(PointOperator):
    """A built `DeepONet`."""

    def __init__(self, config: DeepONet, frame: OperatorFrame, generator: torch.Generator) -> None:
        super().__init__()
        self._input, self._output, self.factor = frame.input, frame.output, frame.factor
        components = len(frame.output.names)
        self.branch = Branch(
            "DeepONet", frame, config.features * components, config.branch, config.linear, config.components, generator
        )
        embedded, around = _embedded(frame.output.axes, config.features, frame.dtype)
        self.trunk = nn.Sequential(embedded, config.trunk.build(around, generator))
        self.bias = nn.Parameter(torch.zeros(components, dtype=frame.dtype))
        self.restored = frame.standardised_output()
        self._scale = 1.0 / math.sqrt(config.features)

    def resolves(self, points: Sequence[int]) -> None:
        """Refuse every input grid but the one of the training; see `OperatorNetwork.resolves`."""
        self.branch.resolves(points)

    def forward(self, inputs: Tensor, points: Sequence[int] | None = None) -> Tensor:
        """The output functions on a grid; see `OperatorNetwork.forward`."""
        if points is not None:
            check_axes("DeepONet", points, self._output)
        axes = self._output.axes if points is None else with_points(self._output.axes, points)
        values = self.at(inputs, coordinates(axes, inputs))
        return values.reshape(len(inputs), *(axis.points for axis in axes), values.shape[-1])

    def at(self, inputs: Tensor, x: Tensor) -> Tensor:
        """The output functions at points; see `PointOperator.at`."""
        values: Tensor = self.function(inputs)(x)
        return values.reshape(len(x), len(inputs), -1).transpose(0, 1)

    def function(self, inputs: Tensor) -> nn.Module:
        """The output functions as one network of the coordinates; see `PointOperator.function`."""
        components = len(self._output.names)
        deviation = self.restored.deviation[:, None]
        weight = deviation * (self._scale * self.branch(inputs)).reshape(len(inputs), components, -1)
        bias = (self.restored.mean + self.restored.deviation * self.bias).expand(len(inputs), components)
        combined = nn.Sequential(self.trunk, LinearCombination(weight.flatten(0, 1), bias.reshape(-1)))
        return combined if self.factor is None else HardConstraint(combined, self.factor)


@final
class LinearCombination(nn.Module):
    """weight z + bias, with weights that were computed elsewhere and are no parameters of this layer.

    Args:
        weight: (m, width).
        bias: (m,).
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        if weight.ndim != 2 or bias.shape != weight.shape[:1]:
            raise ShapeError(
                f"LinearCombination: got weight {tuple(weight.shape)} and bias {tuple(bias.shape)}, expected (m, width), (m,)"
            )
        self.weight, self.bias = weight, bias

    def forward(self, z: Tensor) -> Tensor:
        """Return weight z + bias, (n, m)."""
        return functional.linear(z, self.weight, self.bias)


def _embedded(axes: Sequence[Axis], outputs: int, dtype: torch.dtype) -> tuple[nn.Module, Frame]:
    """What the trunk reads, cosine and sine of periodic coordinates and the others themselves, and the box it lies in."""
    lower, upper = tuple(axis.lower for axis in axes), tuple(axis.upper for axis in axes)
    turning = [i for i, axis in enumerate(axes) if axis.periodic]
    if not turning:
        return nn.Identity(), Frame(lower, upper, outputs, dtype)
    rows = torch.eye(len(axes), dtype=torch.float64)
    speeds = torch.tensor([2.0 * math.pi / (axes[i].upper - axes[i].lower) for i in turning], dtype=torch.float64)
    parts: list[nn.Module] = [
        nn.Sequential(Waves((speeds[:, None] * rows[turning]).to(dtype)), Elementwise(CosineSine(1.0)))
    ]
    others = [i for i, axis in enumerate(axes) if not axis.periodic]
    if others:
        parts.append(Waves(rows[others].to(dtype)))
    ones = (1.0,) * (2 * len(turning))
    around = Frame(
        (*(-one for one in ones), *(lower[i] for i in others)), (*ones, *(upper[i] for i in others)), outputs, dtype
    )
    return Concatenation(*parts), around
