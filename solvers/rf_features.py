"""Random features of a cell's own coordinates, with their derivatives in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from ..kernels import Derivatives, Plan
from ..kernels.functions import derivatives
from ..kernels.plan import Axes
from ..nn import Activation


@final
@dataclass(frozen=True, eq=False)
class Features:
    """phi_j(s) = sigma(w_j . s + b_j), j = 1..J, of the coordinates s in [-1, 1]^d of a cell; the same in every cell.

    Args:
        weights: w, (J, d).
        offsets: b, (J,).
        activation: sigma.

    Reference: Chen, Chi, E, Yang 2022, doi:10.4208/jml.220726; book, section 5.4, eq. 5.12.
    """

    weights: Tensor
    offsets: Tensor
    activation: Activation

    @staticmethod
    def drawn(count: int, bandwidth: Sequence[float], activation: Activation, generator: torch.Generator) -> Features:
        """w uniform between minus and plus `bandwidth`, axis by axis; b as far as the largest, and half a turn at least."""
        bounds = torch.tensor(bandwidth, dtype=torch.float64)
        unit = 2.0 * torch.rand(count, len(bounds) + 1, dtype=torch.float64, generator=generator) - 1.0
        return Features(unit[:, :-1] * bounds, unit[:, -1] * max(math.pi, *bandwidth), activation)

    def __len__(self) -> int:
        return len(self.weights)

    def layout(self, plan: Plan) -> dict[Axes, int]:
        """The channel of each partial derivative; a collapsed Laplacian comes last."""
        return {axes: i for i, axes in enumerate(sorted(plan.partials, key=lambda axes: (len(axes), axes)))}

    def derivatives(self, local: Tensor, radii: Tensor, plan: Plan) -> Derivatives:
        """The planned derivatives with respect to the coordinates of the domain, channels (C, n, J).

        d^k phi_j / dx_a .. dx_c = sigma^(k)(w_j . s + b_j) w_ja / r_a .. w_jc / r_c

        Args:
            local: s, (n, d).
            radii: half the edge lengths of a cell, (d,).
            plan: which derivatives.
        """
        slopes = self.weights / radii
        layers = derivatives(self.activation, local @ self.weights.T + self.offsets, plan.order)
        layout = self.layout(plan)
        parts = [layers[len(axes)] * slopes[:, list(axes)].prod(dim=1) for axes in layout]
        if plan.laplacian:
            parts.append(layers[2] * slopes[:, list(plan.laplacian)].square().sum(dim=1))
        return Derivatives(torch.stack(parts), layout, plan.laplacian, len(layout))
