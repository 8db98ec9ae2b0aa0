"""Least squares whose unknowns live in cells that meet only through traces: nested dissection by orthogonal elimination."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from ..errors import NonFiniteError
from .elimination import Elimination

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@final
@dataclass(frozen=True, eq=False)
class Block:
    """The rows of one cell: A c = b for its own unknowns c, and T c - t = g, which ties them to the traces t.

    Args:
        matrix: (N + k, J), the N rows A above the k rows T.
        traces: (k,) numbers of the traces; each number occurs twice among all blocks.
        place: position of the cell on a lattice, by which cells are bisected.
    """

    matrix: FloatArray
    traces: IntArray
    place: tuple[int, ...]


@final
@dataclass(frozen=True)
class Conditioning:
    """What the factorisation saw.

    Args:
        unknowns: all of them.
        rank: how many of them the rows determine, at the cutoff.
        least_rank, most_rank: the smallest and largest rank of a cell.
        condition: largest ratio of singular values kept in a cell.
        coupling: the same among the traces.
        distinct: how many cells had to be factorised; the others have the same rows.
    """

    unknowns: int
    rank: int
    least_rank: int
    most_rank: int
    condition: float
    coupling: float
    distinct: int


@final
class Dissection:
    """min over c and t of sum over cells |A_i c_i - b_i|^2 + |T_i c_i - t - g_i|^2, factorised once for all b and g.

    Two cells tied to one trace t with weight 1 each are tied to each other by |T_i c_i - T_j c_j|^2 / 2. Each cell's
    unknowns are eliminated by QR and singular values, then cells are merged pair by pair and the traces between them
    eliminated in the same way. All steps are orthogonal: the result is that of one large least-squares solve in which
    singular values below `cutoff` times the largest of their step are dropped.

    Args:
        blocks: the cells, each of which is used once and not kept.
        cutoff: relative size of singular values that count as zero.

    Notes:
        Cells with bitwise equal rows share one factorisation. With n cells in d dimensions, J unknowns and N rows each,
        and k traces per face, time is n N (J + 2 d k)^2 for the cells and n^(3 (d - 1) / d) k^3 for the traces, against
        n^3 N J^2 of a dense solve.
    Reference:
        George 1973, doi:10.1137/0710032 (nested dissection); Liu 1992, doi:10.1137/1034004 (multifrontal elimination).
    """

    def __init__(self, blocks: Iterable[Block], cutoff: float) -> None:
        shared: dict[tuple[bytes, bytes], Elimination] = {}
        leaves = [_Leaf.of(i, block, cutoff, shared) for i, block in enumerate(blocks)]
        self._traces = 1 + max((int(leaf.traces.max()) for leaf in leaves if len(leaf.traces)), default=-1)
        self._root = _factorised(leaves, cutoff)
        cells = [leaf.elimination for leaf in leaves]
        closed = [node.elimination for node in _walk(self._root) if isinstance(node, _Closed)]
        self.conditioning = Conditioning(
            unknowns=sum(len(cell.basis) for cell in cells),
            rank=sum(cell.rank for cell in cells),
            least_rank=min(cell.rank for cell in cells),
            most_rank=max(cell.rank for cell in cells),
            condition=max(cell.condition for cell in cells),
            coupling=max((elimination.condition for elimination in closed), default=1.0),
            distinct=len(shared),
        )

    def solve(self, rhs: Sequence[FloatArray]) -> list[FloatArray]:
        """The unknowns c of each cell.

        Args:
            rhs: for each cell b above g, (N + k,).

        Raises:
            NonFiniteError: NaN or infinity in it.
        """
        for i, values in enumerate(rhs):
            if not np.isfinite(values).all():
                raise NonFiniteError(
                    f"dissection: the right-hand side of cell {i} is not finite, expected finite values"
                )
        _, kept = self._root.reduced(rhs)
        traces, found = np.zeros(self._traces), [np.empty(0)] * len(rhs)
        self._root.recover(kept, traces, found)
        return found


Kept = tuple[FloatArray, tuple["Kept", ...]]
"""What the way down needs of the way up: head b of a node, and the same of its children."""


class _Node(Protocol):
    """A set of cells whose inner unknowns are eliminated; `rows` (R, T) remain for the traces on its outside."""

    @property
    def traces(self) -> IntArray: ...

    @property
    def rows(self) -> FloatArray: ...

    @property
    def children(self) -> tuple[_Node, ...]: ...

    def reduced(self, rhs: Sequence[FloatArray]) -> tuple[FloatArray, Kept]:
        """The right-hand side of `rows`."""
        ...

    def recover(self, kept: Kept, traces: FloatArray, found: list[FloatArray]) -> None:
        """Fill in the inner traces and the unknowns of the cells, given the outer traces."""
        ...


@final
@dataclass(frozen=True, eq=False)
class _Leaf:
    """One cell without its own unknowns; traces that tie it to itself, as across a periodic seam, are in it `twice`."""

    number: int
    place: tuple[int, ...]
    traces: IntArray
    twice: IntArray
    elimination: Elimination

    @staticmethod
    def of(number: int, block: Block, cutoff: float, shared: dict[tuple[bytes, bytes], Elimination]) -> _Leaf:
        # In the order of first appearance, so that cells alike in all but the numbers of their traces stay alike.
        _, first, inverse, times = np.unique(block.traces, return_index=True, return_inverse=True, return_counts=True)
        order = np.argsort(first)
        traces, times, column = block.traces[first[order]], times[order], np.argsort(order)[inverse]
        ties = np.zeros((len(block.matrix), len(traces)))
        ties[len(ties) - len(column) + np.arange(len(column)), column] = -1.0
        key = (block.matrix.tobytes(), column.tobytes())
        if key not in shared:
            shared[key] = Elimination.of(block.matrix, ties, cutoff)
        return _Leaf(number, block.place, traces, traces[times > 1], shared[key])

    @property
    def rows(self) -> FloatArray:
        return self.elimination.rest

    @property
    def children(self) -> tuple[_Node, ...]:
        return ()

    def reduced(self, rhs: Sequence[FloatArray]) -> tuple[FloatArray, Kept]:
        values = rhs[self.number]
        return self.elimination.tail @ values, (self.elimination.head @ values, ())

    def recover(self, kept: Kept, traces: FloatArray, found: list[FloatArray]) -> None:
        found[self.number] = self.elimination.recovered(kept[0], traces[self.traces])


@final
@dataclass(frozen=True, eq=False)
class _Pair:
    """Two sets of cells side by side, with the traces of both."""

    children: tuple[_Node, _Node]
    traces: IntArray
    rows: FloatArray

    @staticmethod
    def of(left: _Node, right: _Node) -> _Pair:
        traces = np.union1d(left.traces, right.traces)
        rows = np.zeros((len(left.rows) + len(right.rows), len(traces)))
        rows[: len(left.rows), np.searchsorted(traces, left.traces)] = left.rows
        rows[len(left.rows) :, np.searchsorted(traces, right.traces)] = right.rows
        return _Pair((left, right), traces, rows)

    def reduced(self, rhs: Sequence[FloatArray]) -> tuple[FloatArray, Kept]:
        (left, below), (right, beside) = (child.reduced(rhs) for child in self.children)
        return np.concatenate([left, right]), (np.empty(0), (below, beside))

    def recover(self, kept: Kept, traces: FloatArray, found: list[FloatArray]) -> None:
        for child, part in zip(self.children, kept[1], strict=True):
            child.recover(part, traces, found)


@final
@dataclass(frozen=True, eq=False)
class _Closed:
    """A set of cells without the traces that both their sides are in."""

    inner: _Node
    gone: IntArray
    traces: IntArray
    elimination: Elimination

    @staticmethod
    def of(node: _Node, gone: IntArray, cutoff: float) -> _Node:
        if not len(gone):
            return node
        inside = np.isin(node.traces, gone)
        elimination = Elimination.of(node.rows[:, inside], node.rows[:, ~inside], cutoff)
        return _Closed(node, node.traces[inside], node.traces[~inside], elimination)

    @property
    def rows(self) -> FloatArray:
        return self.elimination.rest

    @property
    def children(self) -> tuple[_Node, ...]:
        return (self.inner,)

    def reduced(self, rhs: Sequence[FloatArray]) -> tuple[FloatArray, Kept]:
        values, below = self.inner.reduced(rhs)
        return self.elimination.tail @ values, (self.elimination.head @ values, (below,))

    def recover(self, kept: Kept, traces: FloatArray, found: list[FloatArray]) -> None:
        traces[self.gone] = self.elimination.recovered(kept[0], traces[self.traces])
        self.inner.recover(kept[1][0], traces, found)


def _factorised(leaves: list[_Leaf], cutoff: float) -> _Node:
    """The tree over some cells, bisected across the longest extent of their places."""
    if len(leaves) == 1:
        (leaf,) = leaves
        return _Closed.of(leaf, leaf.twice, cutoff)
    places = np.array([leaf.place for leaf in leaves])
    axis = int(np.ptp(places, axis=0).argmax())
    order = np.argsort(places[:, axis], kind="stable")
    half = _cut(places[order, axis])
    left, right = (_factorised([leaves[i] for i in part], cutoff) for part in (order[:half], order[half:]))
    return _Closed.of(_Pair.of(left, right), np.intersect1d(left.traces, right.traces), cutoff)


def _cut(sorted_places: IntArray) -> int:
    """Where to cut a sorted list near its middle without parting equal entries."""
    middle = len(sorted_places) // 2
    cuts = np.flatnonzero(np.diff(sorted_places)) + 1
    return int(cuts[np.abs(cuts - middle).argmin()]) if len(cuts) else middle


def _walk(node: _Node) -> Iterator[_Node]:
    yield node
    for child in node.children:
        yield from _walk(child)
