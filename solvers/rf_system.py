"""The least-squares system of a random-feature solution: rows of equations in the cells, traces on their seams."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import torch
from torch import Tensor

from ..discrete.dissection import Block, Dissection
from ..field import Field
from ..kernels import Plan
from .rf_features import Features
from .rf_lattice import CellLattice, IntArray
from .rf_points import Seam
from .rf_terms import Linear, Term

_UNCHANGED = 1e-9  # relative change of slopes below which a problem counts as linear


@final
@dataclass(frozen=True, eq=False)
class Trace:
    """One side of a seam: rows for the values and normal derivatives that both sides share.

    Args:
        rows: (k, m J).
        numbers: of the shared traces, (k,).
    """

    rows: Tensor
    numbers: IntArray


@final
@dataclass(frozen=True, eq=False)
class System:
    """Terms and seams of a problem as functions of the features' weights c (cells, J, m).

    Args:
        lattice: the cells.
        features: the functions in each.
        terms: equations in the cells and on the boundary.
        seams: where cells meet.
        components: m.
        stiffness: rows that read k derivatives fewer than the equations weigh the k-th power of this number more.
    """

    lattice: CellLattice
    features: Features
    terms: Sequence[Term]
    seams: Sequence[Seam]
    components: int
    stiffness: float

    @cached_property
    def traces(self) -> tuple[tuple[Trace, ...], ...]:
        """The sides of the seams by cell.

        Continuous are u and its normal derivatives below the order that the equations have in that direction; the k-th
        is divided by the k-th power of the steepest feature's slope.
        """
        found: list[list[Trace]] = [[] for _ in range(self.lattice.cells)]
        start = 0
        for seam in self.seams:
            sides = [self._continuous(seam.axis, local) for local in seam.local]
            numbers = np.arange(start, start + len(sides[0]), dtype=np.intp)
            start += len(numbers)
            for cell, rows in zip(seam.cells, sides, strict=True):
                found[cell].append(Trace(rows, numbers))
        return tuple(tuple(sides) for sides in found)

    def zero(self) -> Tensor:
        """Weights that are all zero, (cells, J, m)."""
        return torch.zeros(self.lattice.cells, len(self.features), self.components, dtype=torch.float64)

    def read(self, field: Field) -> list[Tensor]:
        """The derivatives (C, n, m) of another field, as `channels` lays them out.

        Raises:
            NotApplicableError, SmoothnessError: it has no such derivatives.
        """
        found = []
        for term in self.terms:
            source = field.derivatives(term.points.x, term.plan)
            parts = [source.partial(axes) for axes in self.features.layout(term.plan)]
            if term.plan.laplacian:
                parts.append(source.laplacian(term.plan.laplacian))
            found.append(torch.stack(parts).to("cpu", torch.float64))
        return found

    def channels(self, weights: Tensor) -> list[Tensor]:
        """The derivatives (C, n, m) that each term reads, at its points."""
        return [self._channels(term, weights) for term in self.terms]

    def linearised(self, channels: Sequence[Tensor]) -> list[Linear]:
        """All terms around a state.

        Raises:
            NonFiniteError: NaN or infinity.
        """
        found = [term.linearised(self.features, q) for term, q in zip(self.terms, channels, strict=True)]
        for linear, term in zip(found, self.terms, strict=True):
            linear.check(term)
        return found

    def jets(self, term: Term, rows: Tensor) -> Tensor:
        """The derivatives of all features that a term reads at some of its points, (C, n, J)."""
        return self.features.derivatives(term.points.local[rows], self.lattice.radii, term.plan).channels

    def _channels(self, term: Term, weights: Tensor) -> Tensor:
        count = len(self.features.layout(term.plan)) + bool(term.plan.laplacian)
        channels = torch.empty(count, len(term.points.x), self.components, dtype=torch.float64)
        for cell in range(self.lattice.cells):
            rows = term.points.of_cell(cell)
            if len(rows):
                channels[:, rows] = self.jets(term, rows) @ weights[cell]
        return channels

    def _continuous(self, axis: int, local: Tensor) -> Tensor:
        orders = [(axis,) * k for k in range(self._order(axis))]
        jets = self.features.derivatives(local, self.lattice.radii, Plan(frozenset(orders)))
        steepest = float((self.features.weights[:, axis] / self.lattice.radius[axis]).abs().max())
        rows = torch.cat([jets.partial(a) * (self.weight(len(a)) / steepest ** len(a)) for a in orders])
        return torch.block_diag(*[rows] * self.components)

    def weight(self, order: int) -> float:
        """Of rows that read derivatives up to `order`, relative to the equations' own."""
        return self.stiffness ** max(0, self.terms[0].plan.order - order)

    def _order(self, axis: int) -> int:
        plan = self.terms[0].plan
        return max(1, *(axes.count(axis) for axes in plan.partials), 2 if axis in plan.laplacian else 0)


@final
class Linearised:
    """A system around one state, its rows scaled to largest entry 1, weighted, and factorised.

    Args:
        system: the system.
        linear: its terms around the state.
        cutoff: relative size of singular values that count as zero.
    """

    def __init__(self, system: System, linear: Sequence[Linear], cutoff: float) -> None:
        self._system, self.linear = system, linear
        self._scales = [torch.ones_like(part.values) for part in linear]
        self._dissection = Dissection(self._blocks(), cutoff)
        self.conditioning = self._dissection.conditioning

    def serves(self, linear: Sequence[Linear]) -> bool:
        """Whether the slopes are still those of this factorisation, as they always are in linear problems."""
        return all(
            float((new.slopes - old.slopes).abs().max()) <= _UNCHANGED * float(old.slopes.abs().max())
            for new, old in zip(linear, self.linear, strict=True)
        )

    def size(self, values: Sequence[Tensor]) -> float:
        """Root mean square of the terms' values (E, n), scaled as the rows are."""
        squares = [((v * s) ** 2).sum() for v, s in zip(values, self._scales, strict=True)]
        return math.sqrt(float(sum(squares)) / sum(v.numel() for v in values))

    def size_at(self, state: Sequence[Tensor]) -> float:
        """`size` at other derivatives (C, n, m) of each term; infinite where it is not finite."""
        terms, features = self._system.terms, self._system.features
        size = self.size([term.values(features, q) for term, q in zip(terms, state, strict=True)])
        return size if math.isfinite(size) else math.inf

    def step(self, values: Sequence[Tensor], weights: Tensor) -> Tensor:
        """The change of the weights that brings terms with these values, and the jumps of the weights, to zero."""
        rhs = []
        for cell, sides in enumerate(self._system.traces):
            parts = []
            for term, value, scale in zip(self._system.terms, values, self._scales, strict=True):
                rows = term.points.of_cell(cell)
                parts.append((-value[:, rows] * scale[:, rows]).reshape(-1))
            parts += [-(side.rows @ weights[cell].T.reshape(-1)) for side in sides]
            rhs.append(torch.cat(parts).numpy())
        found = [torch.from_numpy(part) for part in self._dissection.solve(rhs)]
        return torch.stack([part.reshape(self._system.components, -1).T for part in found])

    def _blocks(self) -> Iterator[Block]:
        for cell, sides in enumerate(self._system.traces):
            parts = [self._rows(i, cell) for i in range(len(self.linear))] + [side.rows for side in sides]
            numbers = np.concatenate([np.empty(0, dtype=np.intp), *(side.numbers for side in sides)])
            place = tuple(int(i) for i in self._system.lattice.homes[cell])
            yield Block(torch.cat(parts).numpy(), numbers, place)

    def _rows(self, number: int, cell: int) -> Tensor:
        """Rows (E n, m J) of one term in one cell; notes their scales."""
        term, slopes = self._system.terms[number], self.linear[number].slopes
        here = term.points.of_cell(cell)
        count = len(self._system.features) * self._system.components
        if not len(here):
            return torch.zeros(0, count, dtype=torch.float64)
        rows = torch.einsum("ecnm,cnj->enmj", slopes[:, :, here], self._system.jets(term, here))
        rows = rows.reshape(len(slopes), len(here), count)
        largest = rows.abs().amax(dim=2)
        scale = self._system.weight(term.plan.order) * torch.where(largest > 0, 1 / largest, torch.ones_like(largest))
        self._scales[number][:, here] = scale
        return (rows * scale[..., None]).reshape(-1, count)
