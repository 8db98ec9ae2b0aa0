"""Derivatives of any torch module by nested reverse mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor, nn

from .checks import check_placement
from .plan import Derivatives, Plan, stacked
from .record import Recorder


@final
@dataclass(frozen=True)
class ReverseKernel:
    """Nested autograd: works for every torch module that maps rows to rows.

    Notes:
        A Laplacian over d axes takes d + 1 reverse passes and keeps their graphs; the forward kernel needs one pass
        of d + 2 channels instead. Modules that mix the rows of a batch (batch normalisation) give wrong derivatives.
    """

    def __call__(self, network: nn.Module, x: Tensor, plan: Plan) -> Derivatives:
        """Return the planned derivatives of `network` at `x` (n, d), differentiable in the parameters."""
        check_placement(network, x)
        source = Recorder(network, x)
        parts = {axes: source.partial(axes) for axes in plan.partials}
        total = source.laplacian(plan.laplacian) if plan.laplacian else None
        if not parts and total is None:
            parts = {(): source.partial(())}
        return stacked(parts, plan.laplacian, total)
