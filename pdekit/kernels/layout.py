"""Which derivatives travel through a network together, and how products and compositions combine them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple, TypeAlias, final

from .plan import Axes, Plan, with_subindices

Rows: TypeAlias = tuple[int, ...]


class CompositionTerm(NamedTuple):
    """One term of Faa di Bruno's formula: weight * f^(order)(z) * product of the rows of z."""

    weight: int
    order: int
    rows: Rows


class ProductTerm(NamedTuple):
    """One term of Leibniz' formula: weight * (row `left` of u) * (row `right` of v)."""

    weight: int
    left: int
    right: int


@final
@dataclass(frozen=True)
class Layout:
    """The channels of a pass: row 0 the value, then derivatives by rising order, last a collapsed Laplacian.

    Args:
        indices: multi-indices, closed under taking parts, sorted by order; the first is ().
        collapsed: axes of the collapsed Laplacian, () for none.
    """

    indices: tuple[Axes, ...]
    collapsed: Axes = ()

    @property
    def size(self) -> int:
        """Number of channels."""
        return len(self.indices) + bool(self.collapsed)

    @property
    def order(self) -> int:
        """Highest derivative order."""
        return max(len(self.indices[-1]), 2 if self.collapsed else 0)

    @cached_property
    def rows(self) -> dict[Axes, int]:
        """The row of each multi-index."""
        return {axes: row for row, axes in enumerate(self.indices)}

    @cached_property
    def axes(self) -> Axes:
        """The axes of the first derivatives, which fill rows 1 to len(axes)."""
        return tuple(axes[0] for axes in self.indices if len(axes) == 1)

    @cached_property
    def blocks(self) -> tuple[tuple[int, int, int], ...]:
        """(order, start, stop) of each run of rows of one order, above the value."""
        orders = [len(axes) for axes in self.indices]
        runs = [(k, orders.index(k), orders.index(k) + orders.count(k)) for k in sorted(set(orders) - {0})]
        return (*runs, (2, len(orders), len(orders) + 1)) if self.collapsed else tuple(runs)

    @cached_property
    def pairs(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """For each row above the first derivatives, if the order is 2: the row pairs i, j that f'' z_i z_j sums over."""
        pairs = tuple(((self.rows[a[:1]], self.rows[a[1:]]),) for a in self.indices if len(a) == 2)
        if not self.collapsed:
            return pairs
        return (*pairs, tuple((self.rows[axis,], self.rows[axis,]) for axis in self.collapsed))

    @cached_property
    def compositions(self) -> tuple[tuple[CompositionTerm, ...], ...]:
        """For each row, the terms of the derivative of f(z), by Faa di Bruno's formula."""
        table = [tuple(self._composition(axes)) for axes in self.indices]
        if self.collapsed:
            squares = (CompositionTerm(1, 2, (self.rows[axis,],) * 2) for axis in self.collapsed)
            table.append((CompositionTerm(1, 1, (len(self.indices),)), *squares))
        return tuple(table)

    @cached_property
    def products(self) -> tuple[tuple[ProductTerm, ...], ...]:
        """For each row, the terms of the derivative of u v, by Leibniz' formula."""
        table = [tuple(self._product(axes)) for axes in self.indices]
        if self.collapsed:
            last = len(self.indices)
            mixed = (ProductTerm(2, self.rows[axis,], self.rows[axis,]) for axis in self.collapsed)
            table.append((ProductTerm(1, last, 0), ProductTerm(1, 0, last), *mixed))
        return tuple(table)

    def _composition(self, axes: Axes) -> Iterator[CompositionTerm]:
        counts = Counter(
            tuple(sorted(self.rows[tuple(axes[i] for i in block)] for block in blocks))
            for blocks in _partitions(len(axes))
        )
        for rows, weight in counts.items():
            yield CompositionTerm(weight, len(rows), rows)

    def _product(self, axes: Axes) -> Iterator[ProductTerm]:
        def part(mask: int) -> int:
            return self.rows[tuple(axis for i, axis in enumerate(axes) if mask >> i & 1)]

        every = (1 << len(axes)) - 1
        counts = Counter((part(mask), part(every ^ mask)) for mask in range(every + 1))
        for (left, right), weight in counts.items():
            yield ProductTerm(weight, left, right)


@cache
def layout_of(plan: Plan) -> Layout:
    """Return the channels that a plan needs.

    A Laplacian whose second derivatives travel anyway, or that has a single axis, needs no channel of its own.
    """
    second = [(axis, axis) for axis in plan.laplacian]
    closed = with_subindices([*plan.partials, *((axis,) for axis in plan.laplacian)])
    if len(second) == 1:
        closed = with_subindices([*closed, *second])
    written_out = set(second) <= set(closed)
    layout = Layout(closed, () if written_out else plan.laplacian)
    # Filled in now: torch.compile cannot trace the first access to a cached property.
    _ = layout.rows, layout.axes, layout.blocks, layout.pairs, layout.compositions, layout.products
    return layout


@cache
def _partitions(size: int) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """All partitions of 0 .. size - 1 into blocks."""
    if size == 0:
        return ((),)
    last = size - 1
    grown = []
    for blocks in _partitions(last):
        grown.append((*blocks, (last,)))
        grown += [(*blocks[:i], (*block, last), *blocks[i + 1 :]) for i, block in enumerate(blocks)]
    return tuple(grown)
