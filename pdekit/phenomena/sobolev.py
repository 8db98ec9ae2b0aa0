"""Losses that compare slopes too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor, nn

from ..errors import ShapeError
from ..kernels import ForwardKernel, Plan
from ..nn.stacked import Stacked

_FIRST = Plan(frozenset({(), (0,)}))


@final
@dataclass(frozen=True)
class ValueAndSlope:
    """mean (u - f)^2 + slope_weight * mean (u' - f')^2 for functions of one coordinate.

    The targets are f and f' side by side, (n, 2). An error exp(i k x) counts k^2 times as much in the second term as in
    the first.

    Args:
        slope_weight: of the second term.

    Reference: book, eq. 6.3.
    """

    slope_weight: float = 1.0
    _kernel: ForwardKernel = field(default_factory=ForwardKernel, init=False, repr=False, compare=False)

    def terms(self, network: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Both means (S,) without weight, and the outputs (S, n, 1); x is (n, 1), y is (n, 2)."""
        if x.ndim != 2 or x.shape[1] != 1 or y.shape[-1] != 2:
            raise ShapeError(
                f"ValueAndSlope: got points {tuple(x.shape)} and targets {tuple(y.shape)}, expected (n, 1) and (n, 2): "
                "the target's values and slopes side by side"
            )
        found = self._kernel(network, x, _FIRST)
        value, slope = found.partial(()), found.partial((0,))
        if not isinstance(network, Stacked):
            value, slope = value[None], slope[None]
        squares = (torch.cat([value, slope], -1) - y).square().mean(-2)
        return squares[:, 0], squares[:, 1], value

    def __call__(self, network: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return losses (S,) and outputs (S, n, 1)."""
        values, slopes, outputs = self.terms(network, x, y)
        return values + self.slope_weight * slopes, outputs
