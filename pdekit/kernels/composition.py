"""Channels of f(z) from the channels of z, by differentiable operations: one formula per row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from .functions import derivatives
from .layout import Layout

Function: TypeAlias = Callable[[Tensor], Tensor]


def compose(function: Function, layout: Layout, data: Tensor, bias: Tensor | None) -> Tensor:
    """Return the channels (C, n, w) of function(z + bias), data (C, n, w) being those of z."""
    z = list(data.unbind(0))
    if bias is not None:
        z[0] = z[0] + bias
    f = derivatives(function, z[0], layout.order)
    products: dict[tuple[int, ...], Tensor] = {}

    def product(rows: tuple[int, ...]) -> Tensor:
        if len(rows) == 1:
            return z[rows[0]]
        if rows not in products:
            products[rows] = product(rows[:-1]) * z[rows[-1]]
        return products[rows]

    out = [f[0]]
    for terms in layout.compositions[1:]:
        # Terms are grouped by the derivative of f, so that each multiplies once.
        sums: dict[int, Tensor] = {}
        for weight, order, rows in terms:
            term = product(rows) if weight == 1 else weight * product(rows)
            sums[order] = sums[order] + term if order in sums else term
        row: Tensor | None = None
        for order, term in sums.items():
            row = f[order] * term if row is None else row + f[order] * term
        assert row is not None
        out.append(row)
    return torch.stack(out)


def compose_affine(function: Function, layout: Layout, value: Tensor, powers: Tensor) -> Tensor:
    """Return the channels (C, n, w) of function(z) for affine z: d^a f(z) = f^(|a|)(z) * product of slopes.

    Args:
        function: an elementwise function.
        layout: the channels of this pass.
        value: (n, w), z itself.
        powers: (C - 1, w) the products of slopes, see `AffineChannels.powers`.
    """
    f = derivatives(function, value, layout.order)
    blocks = [f[0][None]]
    for order, start, stop in layout.blocks:
        blocks.append(f[order] * powers[start - 1 : stop - 1, None])
    return torch.cat(blocks)
