"""Learned Green's functions: linear operators as integrals with a network for their kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor, nn

from ..errors import NotApplicableError
from ..quantity import Quantity
from .architecture import MLP, Architecture
from .frame import Frame
from .layers import HardConstraint
from .operator_architecture import OperatorArchitecture, OperatorFrame, PointOperator, check_axes, check_inputs
from .regrid import coordinates, with_points


@final
@dataclass(frozen=True)
class GreenNet(OperatorArchitecture):
    """u(x) = int G(x, y) f(y) dy with a network G, the integral by the trapezoidal rule on the input's grid.

    Args:
        network: G; beside x and y it reads the distance |x - y|, with which it takes the kink at x = y.
        symmetric: use the mean of G(x, y) and G(y, x), as Green's functions of self-adjoint equations are.
        distance: whether it reads the distance; only where both functions live on the same coordinates.

    Notes:
        For linear operators without offset. Reads inputs on every grid. One evaluation of the network for each pair of
        points: n_in n_out, for all cases together; meant for one dimension and coarse grids in two. Data determine G on the
        span of the training inputs only.
    Good values: MLP(32, 2).
    Reference: book, eq. 15.17; Boulle, Earls, Townsend 2022, doi:10.1038/s41598-022-08745-5.
    """

    network: Architecture = field(default_factory=lambda: MLP(32, 2))
    symmetric: bool = False
    distance: bool = True

    def build(self, frame: OperatorFrame, generator: torch.Generator) -> GreenOperator:
        """Build the network on the CPU; see `OperatorArchitecture.build`."""
        shared = [axis.name for axis in frame.input.axes] == [axis.name for axis in frame.output.axes]
        if not shared and (self.symmetric or self.distance):
            raise NotApplicableError(
                f"GreenNet: {frame.input.describe()} and {frame.output.describe()} live on different coordinates, so that "
                "there is no distance between them; set symmetric=False and distance=False"
            )
        return GreenOperator(self, frame, generator)


@final
class GreenOperator(PointOperator):
    """A built `GreenNet`."""

    def __init__(self, config: GreenNet, frame: OperatorFrame, generator: torch.Generator) -> None:
        super().__init__()
        self._config, self._input, self._output, self.factor = config, frame.input, frame.output, frame.factor
        axes = (*frame.output.axes, *frame.input.axes)
        lower, upper = [axis.lower for axis in axes], [axis.upper for axis in axes]
        if config.distance:
            lower.append(0.0)
            upper.append(sum((axis.upper - axis.lower) ** 2 for axis in frame.input.axes) ** 0.5)
        components = len(frame.output.names) * len(frame.input.names)
        self.network = config.network.build(Frame(tuple(lower), tuple(upper), components, frame.dtype), generator)
        source, target = frame.standardised_input(), frame.standardised_output()
        self.register_buffer("scale", target.deviation[:, None] / source.deviation)  # G has the unit of u / f / volume
        self.scale: Tensor

    @property
    def smooth(self) -> bool:
        """Not with the distance: the integral's approximation has a kink at each point y."""
        return not self._config.distance

    def resolves(self, points: Sequence[int]) -> None:
        """Refuse another number of axes; see `OperatorNetwork.resolves`."""
        check_axes("GreenNet", points, self._input)

    def green(self, x: Tensor, y: Tensor) -> Tensor:
        """G at all pairs of points, without the boundary factor.

        Args:
            x: (q, d), coordinates of the output.
            y: (n, k), coordinates of the input.

        Returns:
            (q, n, m_out, m_in).
        """
        values = self._pairs(x, y)
        if self._config.symmetric:
            values = 0.5 * (values + self._pairs(y, x).transpose(0, 1))
        return self.scale * values

    def forward(self, inputs: Tensor, points: Sequence[int] | None = None) -> Tensor:
        """The output functions on a grid; see `OperatorNetwork.forward`."""
        grid = check_inputs("GreenNet", inputs, self._input)
        if points is None:
            given = {axis.name: n for axis, n in zip(self._input.axes, grid, strict=True)}
            points = [given.get(axis.name, axis.points) for axis in self._output.axes]
        check_axes("GreenNet", points, self._output)
        values = self.at(inputs, coordinates(with_points(self._output.axes, points), inputs))
        return values.reshape(len(inputs), *points, values.shape[-1])

    def at(self, inputs: Tensor, x: Tensor) -> Tensor:
        """The output functions at points; see `PointOperator.at`."""
        values: Tensor = self.function(inputs)(x)
        return values.reshape(len(x), len(inputs), -1).transpose(0, 1)

    def function(self, inputs: Tensor) -> nn.Module:
        """The output functions as one network of the coordinates; see `PointOperator.function`.

        Kernels differentiate it in reverse mode; where G has a kink, so has its integral's approximation at each point y.
        """
        axes = with_points(self._input.axes, check_inputs("GreenNet", inputs, self._input))
        weights = torch.from_numpy(Quantity(axes).weights).to(inputs)
        weighted = (weights[..., None] * inputs).flatten(1, -2)
        integral = _Integral(self, coordinates(axes, inputs), weighted)
        return integral if self.factor is None else HardConstraint(integral, self.factor)

    def _pairs(self, x: Tensor, y: Tensor) -> Tensor:
        """The network at all pairs, (q, n, m_out, m_in)."""
        first, second = x[:, None].expand(-1, len(y), -1), y.expand(len(x), -1, -1)
        parts = [first, second]
        if self._config.distance:
            parts.append(torch.linalg.vector_norm(first - second, dim=-1, keepdim=True))
        values: Tensor = self.network(torch.cat(parts, -1).flatten(0, 1))
        return values.reshape(len(x), len(y), len(self._output.names), len(self._input.names))


@final
class _Integral(nn.Module):
    """x to int G(x, y) f(y) dy for several f at once.

    Args:
        operator: has G.
        y: quadrature points (n, k).
        weighted: f times the weights of the rule, (count, n, m_in).
    """

    def __init__(self, operator: GreenOperator, y: Tensor, weighted: Tensor) -> None:
        super().__init__()
        self.operator, self._y, self._weighted = operator, y, weighted

    def forward(self, x: Tensor) -> Tensor:
        """The integrals, (q, count m_out)."""
        green = self.operator.green(x, self._y)
        return torch.einsum("qnoi,cni->qco", green, self._weighted).flatten(1)
