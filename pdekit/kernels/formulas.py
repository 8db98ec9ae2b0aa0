"""How channels of order at most 2 pass an activation and come back, written into given memory.

With z = z(x) and u = f(z): u_i = f' z_i, u_ij = f' z_ij + f'' z_i z_j, and for a collapsed Laplacian
u_L = f' z_L + f'' sum of z_i^2. Everything is one operation after the other, with as few passes over memory as that
allows; temporaries live in a scratch, for fresh memory costs more than the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from .functions import derivatives_into
from .layout import Layout
from .workspace import Buffers, take

Function: TypeAlias = Callable[[Tensor], Tensor]
Pairs: TypeAlias = Sequence[tuple[int, int]]


def terms(
    function: Function, z: Tensor, order: int, scratch: Buffers, value: Tensor, *, known: bool = False
) -> list[Tensor]:
    """Return f(z), f'(z), ... up to `order`, the first in `value`, where it stands already if `known`."""
    result = [value, *(_temporary(scratch, f"derivative {k}", z) for k in range(1, order + 1))]
    derivatives_into(function, z, result, known)
    return result


def stacked_forward(f: Sequence[Tensor], layout: Layout, z: Tensor, out: Tensor, squares: Squares) -> None:
    """Write the channels of f(z), all but the value.

    Args:
        f: f, f', f'' at the value of z, as far as the layout's order.
        layout: which channels there are.
        z: channels of the argument (C, n, w).
        out: (C, n, w).
        squares: where sums of products of slopes are put.
    """
    slopes = slice(1, 1 + len(layout.axes))
    if layout.order:
        torch.mul(z[slopes], f[1], out=out[slopes])
    for row, pairs in enumerate(layout.pairs, slopes.stop):
        torch.mul(z[row], f[1], out=out[row]).addcmul_(f[2], squares.of(row, pairs, z))


def stacked_backward(
    f: Sequence[Tensor], layout: Layout, z: Tensor, grad: Tensor, squares: Squares, scratch: Buffers
) -> None:
    """Turn `grad`, the gradient with respect to the channels of f(z), into the one with respect to those of z.

    Args:
        f: f, f', f'', f''' at the value of z, one more than the layout's order.
        layout: which channels there are.
        z: channels of the argument (C, n, w).
        grad: (C, n, w), overwritten.
        squares: as `stacked_forward` left them.
        scratch: memory for temporaries.
    """
    if not layout.order:
        grad.mul_(f[1])
        return
    first, total = 1 + len(layout.axes), _temporary(scratch, "total", z[0])
    to_value = torch.mul(f[2], _products(grad[1:], z[1:], total), out=_temporary(scratch, "to value", z[0]))
    bent = take(scratch, ("bent", 0), (layout.size - first, *z.shape[1:]), z)
    for row, pairs in enumerate(layout.pairs, first):
        to_value.addcmul_(f[3], torch.mul(squares.of(row, pairs, z), grad[row], out=total))
        torch.mul(f[2], grad[row], out=bent[row - first])
    grad.mul_(f[1])
    grad[0].add_(to_value)
    for pairs, factor in zip(layout.pairs, bent, strict=True):
        if (rows := _run(pairs)) is not None:
            grad[rows].addcmul_(z[rows], factor, value=2)
            continue
        for i, j in pairs:
            grad[i].addcmul_(factor, z[j])
            grad[j].addcmul_(factor, z[i])


def affine_forward(f: Sequence[Tensor], layout: Layout, powers: Tensor, out: Tensor) -> None:
    """Write the channels of f(z), all but the value, for z affine in the coordinates; see `AffineChannels.powers`."""
    for order, start, stop in layout.blocks:
        torch.mul(powers[start - 1 : stop - 1, None], f[order], out=out[start:stop])


def affine_backward(
    f: Sequence[Tensor], layout: Layout, powers: Tensor, grad: Tensor, outer: Tensor, scratch: Buffers
) -> Tensor:
    """Return the gradient with respect to z (n, w), and add the one with respect to `powers` to `outer`.

    `grad` (C, n, w), the gradient with respect to the channels of f(z), is overwritten; its first row is what is returned.
    """
    inner = grad[0].mul_(f[1])
    for order, start, stop in layout.blocks:
        rows = slice(start - 1, stop - 1)
        total = _products(grad[start:stop], powers[rows], _temporary(scratch, "total", inner))
        inner.addcmul_(total, f[order + 1])
        outer[rows] += grad[start:stop].mul_(f[order]).sum(1)
    return inner


class Squares:
    """Sums of z_i z_j over the pairs of a row; that of a collapsed Laplacian is kept for the way back."""

    def __init__(self, layout: Layout, scratch: Buffers, kept: Tensor | None = None, *, known: bool = False) -> None:
        """`kept`: memory (n, w) for the row of a collapsed Laplacian; `known`: it holds the sum already."""
        self._last, self._scratch, self._kept, self._known = len(layout.indices), scratch, kept, known

    def of(self, row: int, pairs: Pairs, z: Tensor) -> Tensor:
        """The sum for a row of the channels z (C, n, w)."""
        kept = self._kept if row == self._last else None
        if kept is not None and self._known:
            return kept
        (i, j), *rest = pairs
        out = torch.mul(z[i], z[j], out=_temporary(self._scratch, "squares", z[0]) if kept is None else kept)
        for i, j in rest:
            out.addcmul_(z[i], z[j])
        return out


def _temporary(scratch: Buffers, name: str, like: Tensor) -> Tensor:
    return take(scratch, (name, 0), tuple(like.shape), like)


def _products(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    """Sum over the rows of left * right."""
    (a, b), *rest = zip(left.unbind(), right.unbind(), strict=True)
    torch.mul(a, b, out=out)
    for a, b in rest:
        out.addcmul_(a, b)
    return out


def _run(pairs: Pairs) -> slice | None:
    """The rows i of pairs (i, i), if they follow each other."""
    first = pairs[0][0]
    return slice(first, first + len(pairs)) if all(pair == (k, k) for k, pair in enumerate(pairs, first)) else None
