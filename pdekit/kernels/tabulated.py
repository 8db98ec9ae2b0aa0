"""Modules without parameters, differentiated once for a set of points that a training keeps."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from ..errors import PlanError
from .channels import AffineChannels, Channels, StackedChannels, coordinates
from .layout import layout_of
from .plan import Plan
from .rules import by_autograd, has_rule, propagate


@final
class Tabulated(nn.Module):
    """The value and planned derivatives of a fixed module at fixed points, for forward propagation at those points.

    A lift of boundary data costs many times what the network costs, and does not change while the points stay: put
    `HardConstraint(network, Tabulated(distance, x, plan), Tabulated(lift, x, plan))` in its place for such steps.

    Args:
        module: maps (n, d) to (n, m); its parameters, if any, are taken as constant.
        x: the points (n, d).
        plan: the derivatives of the evaluations to come.
    """

    def __init__(self, module: nn.Module, x: Tensor, plan: Plan) -> None:
        super().__init__()
        start = coordinates(x, layout_of(plan))
        channels = propagate(module, start) if has_rule(module) else by_autograd(module, start)
        self._layout, self._data = channels.layout, channels.stacked().detach()

    def forward(self, x: Tensor) -> Tensor:
        """The tabulated values, (n, m); x must be the points of the table."""
        self._check(len(x))
        return self._data[0]

    def channels(self, like: Channels) -> StackedChannels:
        """The table, if it is for the derivatives and the number of points of `like`."""
        self._check(len(like.value) if isinstance(like, AffineChannels) else like.data.shape[1])
        if like.layout != self._layout:
            raise PlanError("Tabulated: made for another plan, expected the plan of this evaluation; tabulate again")
        return StackedChannels(self._layout, self._data)

    def _check(self, n: int) -> None:
        if n != self._data.shape[1]:
            raise PlanError(
                f"Tabulated: got {n} points, expected the {self._data.shape[1]} it was made for; tabulate the new ones"
            )


@propagate.register
def _tabulated(layer: Tabulated, channels: Channels) -> Channels:
    return layer.channels(channels)
