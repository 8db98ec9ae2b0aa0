"""Derivatives by forward (Taylor) propagation: all channels in one pass through the layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

from torch import Tensor, nn

from .channels import coordinates
from .checks import check_placement
from .layout import Layout, layout_of
from .plan import Derivatives, Plan
from .rules import propagate
from .workspace import Workspace


@final
@dataclass(frozen=True)
class ForwardKernel:
    """Propagates the value, the derivatives and one collapsed Laplacian channel through the layers.

    It keeps the memory of its passes for the next ones, as long as this object lives.
    """

    _workspace: Workspace = field(default_factory=Workspace, repr=False, compare=False)

    def __call__(self, network: nn.Module, x: Tensor, plan: Plan) -> Derivatives:
        """Return the planned derivatives of `network` at `x` (n, d), differentiable in the parameters."""
        check_placement(network, x)
        layout = layout_of(plan)
        return read(layout, channels_of(network, x, layout, self._workspace))


def channels_of(network: nn.Module, x: Tensor, layout: Layout, workspace: Workspace | None = None) -> Tensor:
    """Return all channels of the network, (C, n, m)."""
    return propagate(network, coordinates(x, layout, workspace)).stacked()


def read(layout: Layout, channels: Tensor) -> Derivatives:
    """Name the rows of (C, n, m)."""
    return Derivatives(channels, layout.rows, layout.collapsed, len(layout.indices))
