"""How channels of order at most 2 pass an activation and come back, written into given memory.

With z = z(x) and u = f(z): u_i = f' z_i, u_ij = f' z_ij + f'' z_i z_j, and for a collapsed Laplacian
u_L = f' z_L + f'' sum of z_i^2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, final

import torch
from torch import Tensor

from .functions import derivatives_into
from .layout import Layout
from .scratch import Buffers, take

Function: TypeAlias = Callable[[Tensor], Tensor]
Terms: TypeAlias = Sequence[Any]
Pairs: TypeAlias = Sequence[tuple[int, int]]


class Formulas(Protocol):
    """The way through an activation and back. All tensors are contiguous."""

    def terms(self, function: Function, z: Tensor, order: int, value: Tensor, *, known: bool = False) -> Terms:
        """Return f(z), f'(z), ... up to `order` for the other methods.

        Args:
            function: the activation f.
            z: where (n, w).
            order: the layout's on the way there, one more on the way back.
            value: where f(z) is put (n, w).
            known: it stands there already.
        """
        ...

    def forward(self, f: Terms, layout: Layout, z: Tensor, out: Tensor, squares: Tensor | None, known: bool) -> None:
        """Write the channels of f(z).

        Args:
            f: f, f', f'' at the value of z, as far as the layout's order.
            layout: which channels there are.
            z: channels of the argument (C, n, w).
            out: (C, n, w).
            squares: where the squares summed for a collapsed Laplacian are kept for the way back (n, w), or None.
            known: they stand there already.
        """
        ...

    def backward(self, f: Terms, layout: Layout, z: Tensor, grad: Tensor, squares: Tensor | None) -> None:
        """Turn `grad` (C, n, w), the gradient with respect to the channels of f(z), into the one with respect to those of z."""
        ...

    def affine_forward(self, f: Terms, layout: Layout, powers: Tensor, out: Tensor) -> None:
        """Write the channels of f(z) for z affine in the coordinates; see `AffineChannels.powers`."""
        ...

    def affine_backward(self, f: Terms, layout: Layout, powers: Tensor, grad: Tensor, outer: Tensor) -> Tensor:
        """Return the gradient with respect to z (n, w), and add the one with respect to `powers` to `outer`.

        `grad` (C, n, w), the gradient with respect to the channels of f(z), is overwritten.
        """
        ...


@final
@dataclass(frozen=True, eq=False)
class Eager:
    """One operation after the other, with as few passes over memory as that allows.

    Args:
        scratch: memory for temporaries; fresh memory costs more than the arithmetic.
    """

    scratch: Buffers = field(default_factory=dict)

    def terms(self, function: Function, z: Tensor, order: int, value: Tensor, *, known: bool = False) -> Terms:
        """Return f(z), f'(z), ... up to `order`; the derivatives live in the scratch until the next call."""
        result = [value, *(self._temporary(f"derivative {k}", z) for k in range(1, order + 1))]
        derivatives_into(function, z, result, known)
        return result

    def forward(self, f: Terms, layout: Layout, z: Tensor, out: Tensor, squares: Tensor | None, known: bool) -> None:
        """Write the channels of f(z)."""
        first = 1 + len(layout.axes)
        out[0].copy_(f[0])
        if layout.order:
            torch.mul(z[1:first], f[1], out=out[1:first])
        for row, pairs in enumerate(layout.pairs, first):
            total = self._pair_sum(layout, row, pairs, z, squares, known)
            torch.mul(z[row], f[1], out=out[row]).addcmul_(f[2], total)

    def backward(self, f: Terms, layout: Layout, z: Tensor, grad: Tensor, squares: Tensor | None) -> None:
        """Turn `grad` into the gradient with respect to the channels of z."""
        if not layout.order:
            grad.mul_(f[1])
            return
        first, total = 1 + len(layout.axes), self._temporary("total", z[0])
        to_value = torch.mul(f[2], _products(grad[1:], z[1:], total), out=self._temporary("to value", z[0]))
        for row, pairs in enumerate(layout.pairs, first):
            known = squares is not None
            torch.mul(self._pair_sum(layout, row, pairs, z, squares, known), grad[row], out=total)
            to_value.addcmul_(f[3], total)
        grad[:first].mul_(f[1])
        grad[0].add_(to_value)
        for row, pairs in enumerate(layout.pairs, first):
            torch.mul(f[2], grad[row], out=total)
            if (rows := _run(pairs)) is not None:
                grad[rows].addcmul_(z[rows], total, value=2)
                continue
            for i, j in pairs:
                grad[i].addcmul_(total, z[j])
                grad[j].addcmul_(total, z[i])
        grad[first:].mul_(f[1])

    def affine_forward(self, f: Terms, layout: Layout, powers: Tensor, out: Tensor) -> None:
        """Write the channels of f(z) for affine z."""
        out[0].copy_(f[0])
        for order, start, stop in layout.blocks:
            torch.mul(powers[start - 1 : stop - 1, None], f[order], out=out[start:stop])

    def affine_backward(self, f: Terms, layout: Layout, powers: Tensor, grad: Tensor, outer: Tensor) -> Tensor:
        """Return the gradient with respect to affine z, and add the one with respect to `powers` to `outer`."""
        inner = grad[0].mul_(f[1])
        for order, start, stop in layout.blocks:
            rows = slice(start - 1, stop - 1)
            total = _products(grad[start:stop], powers[rows], self._temporary("total", inner))
            inner.addcmul_(total, f[order + 1])
            outer[rows] += grad[start:stop].mul_(f[order]).sum(1)
        return inner

    def _pair_sum(
        self, layout: Layout, row: int, pairs: Pairs, z: Tensor, squares: Tensor | None, known: bool
    ) -> Tensor:
        """Sum of z_i z_j over the pairs of a row; that of a collapsed Laplacian, the last, may be kept."""
        kept = squares if row == len(layout.indices) else None
        if kept is not None and known:
            return kept
        left, right = zip(*pairs, strict=True)
        out = self._temporary("squares", z[0]) if kept is None else kept
        return _products([z[i] for i in left], [z[j] for j in right], out)

    def _temporary(self, name: str, like: Tensor) -> Tensor:
        return take(self.scratch, (name, 0), tuple(like.shape), like)


def _products(left: Iterable[Tensor], right: Iterable[Tensor], out: Tensor) -> Tensor:
    """Sum over the rows of left * right."""
    (a, b), *rest = zip(left, right, strict=True)
    torch.mul(a, b, out=out)
    for a, b in rest:
        out.addcmul_(a, b)
    return out


def _run(pairs: Pairs) -> slice | None:
    """The rows i of pairs (i, i), if they follow each other."""
    first = pairs[0][0]
    return slice(first, first + len(pairs)) if all(pair == (k, k) for k, pair in enumerate(pairs, first)) else None
