"""Random features: networks of fixed random units in the cells of a lattice, whose output weights solve least squares."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from ..checks import integer, real
from ..conditions import Periodic
from ..domain import Box, Points
from ..errors import ConfigError, DivergenceError, MemoryBudgetError, NotApplicableError
from ..field import Field
from ..nn import Activation, Auto, ScaleChoice, Sine, check_scales, scale_values
from ..problem import Problem, SecondOrder, conditions_of
from ..recipe import Budget
from ..record import Record
from ..sampling import MEMORY_LIMIT, Sobol, interior_points
from ..scales import recommend_scales
from ..solution import Measures
from ..solver import Outcome, Setting
from ..trust import relative_residual
from .collocation import Law
from .formulation import require_known
from .rf_features import Features
from .rf_field import RandomFeatureField
from .rf_lattice import CellLattice, nodes_per_axis
from .rf_newton import End, Found, GaussNewton
from .rf_points import seams_of
from .rf_system import System
from .rf_terms import floats, terms_of

_PHASE = 4.0  # half the cell's length times the highest frequency that its features shall follow
_SMOOTH = 6.0  # highest frequency, in a domain scaled to [-1, 1], of what counts as smooth
_FEATURES = {1: 36, 2: 400, 3: 1000}
_MEAN_POINTS = 100_000
_HELD_OUT = 2048
_MOST = 100_000  # unknowns that the solver takes of its own accord
_MANY = 2000  # features beyond three dimensions
_BANDWIDTH = 0.25  # in units of the features per axis: about what they resolve to round-off


@final
@dataclass(frozen=True, eq=False)
class _Try:
    """One choice of cells and what came of it: relative residual at held-out points, and seconds."""

    system: System
    found: Found
    field: RandomFeatureField
    residual: float
    seconds: float


@final
@dataclass(frozen=True)
class RandomFeatures:
    """u = sum_j c_ij sigma(w_j . s + b_j) in cell i of a lattice, s = (x - centre_i) / radius_i; only c is solved for.

    Rows are the equations at points of the cells, the conditions at points of the boundary, and the continuity of u and
    of its normal derivatives, below the order of the equation, across the seams between cells (the partition of unity
    by indicators); each is scaled to largest entry 1. A cell's unknowns touch the others' through its seams only, so the
    least-squares problem is solved by nested dissection: cell by cell, then seam by seam, with singular values below
    `cutoff` dropped. Nonlinear problems take Gauss-Newton steps with line search; the rows of a step are the residual's
    own derivatives. Linear ones take two: the second removes round-off.

    Args:
        cells: along each axis, or one number for all; None makes them small enough for the scales: half an edge is at
            most 4 radians of the highest frequency.
        scales: angular frequencies of the solution in coordinates scaled to [-1, 1]; the largest counts.
        features: J in each cell; None takes 36 in one dimension, 400 in two, 1000 in three and 2000 beyond.
        bandwidth: w is uniform in (-bandwidth, bandwidth), axis by axis or the same for all; None takes J^(1/d) / 4: 9,
            5 and 2.5 for the default J in one, two and three dimensions.
        points: collocation points in each cell; None takes two for each feature.
        activation: sigma; sines span what a band-limited function is made of, to round-off.
        stiffness: how much more rows weigh for every derivative that they read less than the equations do. Above 1 it
            leaves errors that are smooth across cells, which a coarse correction removes; round-off grows as much.
        cutoff: relative size of singular values that count as zero.
        iterations: Gauss-Newton steps at most.
        refinements: how often cells of its own choice may be halved along each axis, within 100,000 unknowns.
        tolerance: relative residual at held-out points from which on they are small enough.

    Raises:
        ConfigError: impossible values, or more unknowns than rows.

    Notes:
        Accuracy comes from the features, not from smaller cells: in one dimension errors fall tenfold with each further
        one. Kinks, and layers thinner than a cell, are not resolved: take more cells. Cells may overlap a hole; those of
        which less than 15 % lie in the domain go to their neighbours. Time is one more axis. In more than three
        dimensions there is one cell. See `Dissection` for the cost: 0.1 s for 16 cells in one dimension, 5 s for 36
        cells of 400 features, all different.
    Good values: bandwidth a little above the phase (frequency times half an edge) that a cell holds; features at least
        three halves of the rank that the message reports; stiffness 10 for a solver that is corrected.
    Reference: Chen, Chi, E, Yang 2022, doi:10.4208/jml.220726; book, section 5.4, eq. 5.12.
    """

    cells: int | tuple[int, ...] | None = None
    scales: ScaleChoice = field(default_factory=Auto)
    features: int | None = None
    bandwidth: float | tuple[float, ...] | None = None
    points: int | None = None
    activation: Activation = field(default_factory=Sine)
    stiffness: float = 1.0
    cutoff: float = 1e-14
    iterations: int = 30
    refinements: int = 3
    tolerance: float = 1e-6
    name: str = "random-features"

    def __post_init__(self) -> None:
        for i, count in enumerate(self.cells if isinstance(self.cells, tuple) else ()):
            integer("RandomFeatures", f"cells[{i}]", count)
        for i, bound in enumerate(self.bandwidth if isinstance(self.bandwidth, tuple) else ()):
            real("RandomFeatures", f"bandwidth[{i}]", bound, low=0.0)
        for key in ("cells", "features", "points"):
            value = getattr(self, key)
            if value is not None and not isinstance(value, tuple):
                integer("RandomFeatures", key, value)
        if self.bandwidth is not None and not isinstance(self.bandwidth, tuple):
            real("RandomFeatures", "bandwidth", self.bandwidth, low=0.0)
        check_scales("RandomFeatures", self.scales)
        real("RandomFeatures", "stiffness", self.stiffness, low=0.0)
        real("RandomFeatures", "cutoff", self.cutoff, low=0.0, high=1.0)
        integer("RandomFeatures", "iterations", self.iterations)
        integer("RandomFeatures", "refinements", self.refinements, low=0)
        real("RandomFeatures", "tolerance", self.tolerance, low=0.0)
        if self.features is not None and self.points is not None:
            _check_rows(self.features, self.points)

    def require(self, problem: Problem) -> None:
        """Needs known coefficients, as many cells and bandwidths as axes, and whole components where it is periodic."""
        require_known(self.name, problem)
        for key in ("cells", "bandwidth"):
            value = getattr(self, key)
            if isinstance(value, tuple) and len(value) != problem.domain.dim:
                raise ConfigError(
                    f"RandomFeatures.{key}: got {len(value)} for {problem.name}, expected {problem.domain.dim}, "
                    f"one for each of {problem.domain.names}"
                )
        periodic = conditions_of(problem, Periodic)
        if periodic and not isinstance(problem.domain, Box):
            raise NotApplicableError(f"{self.name}: {problem.name} is periodic, expected on a box")
        for axis in {condition.axis for condition in periodic}:
            free = set(problem.outputs) - {c.component for c in periodic if c.axis == axis}
            if free:
                raise NotApplicableError(
                    f"{self.name}: {problem.name} is periodic in {axis} but for {', '.join(sorted(free))}, "
                    "expected all components; use pinn"
                )

    def run(self, problem: Problem, setting: Setting) -> Outcome:
        """Cut, assemble, solve; where the cells are its own choice, again with half as large ones while that helps.

        Raises:
            MemoryBudgetError: the factors would not fit, before anything is allocated.
            DivergenceError: Gauss-Newton steps that do not reduce the residual of a nonlinear problem.
        """
        own = self.cells is None and problem.domain.dim in _FEATURES
        counts, rounds = self._counts(problem), self.refinements if own else 0
        start = None if setting.initial is None else setting.initial.field
        tries: list[_Try] = []
        for left in range(rounds, -1, -1):
            finer = tuple(2 * count for count in counts)
            last = (
                not left
                or math.prod(finer) * self._unknowns(problem) > _MOST
                or self._bytes(problem, finer) > MEMORY_LIMIT
            )
            try:
                tries.append(self._tried(problem, setting, counts, start, sum(t.seconds for t in tries)))
            except DivergenceError:
                if last:
                    raise
            else:
                latest = tries[-1]
                if last or latest.residual <= self.tolerance or latest.found.end is End.BUDGET:
                    break
                start = start if latest.found.end is End.LINEAR else latest.field
            counts = finer
        return _outcome(problem, tries)

    def restore(self, problem: Problem, tensors: Mapping[str, Tensor]) -> Field:
        """The field that was stored."""
        return RandomFeatureField.restored(tensors, self.activation)

    def _counts(self, problem: Problem) -> tuple[int, ...]:
        """How many cells along each axis."""
        dim = problem.domain.dim
        if self.cells is not None:
            return self.cells if isinstance(self.cells, tuple) else (self.cells,) * dim
        if dim not in _FEATURES:
            return (1,) * dim
        scales = recommend_scales(problem, self.scales) if isinstance(self.scales, Auto) else self.scales
        highest = max(_SMOOTH, *scale_values("RandomFeatures", scales))
        most = max(1, math.floor((_MOST / self._unknowns(problem)) ** (1 / dim)))
        return (min(math.ceil(highest / _PHASE), most),) * dim

    def _unknowns(self, problem: Problem) -> int:
        """In each cell."""
        features = self.features if self.features is not None else _FEATURES.get(problem.domain.dim, _MANY)
        return features * len(problem.outputs)

    def _points(self, problem: Problem) -> int:
        """Collocation points in each cell."""
        return self.points if self.points is not None else 2 * self._unknowns(problem) // len(problem.outputs)

    def _bytes(self, problem: Problem, counts: tuple[int, ...]) -> int:
        """Estimated size of the factors of all cells, no two of them counted as equal, and of the widest cut."""
        cells, dim, components = math.prod(counts), problem.domain.dim, len(problem.outputs)
        unknowns = self._unknowns(problem)
        traces = 2 * _on_face(unknowns // components, dim) * components  # of a face, value and slope
        outside = 2 * dim * traces if cells > 1 else 0
        factors = cells * (self._points(problem) * components + outside) * (unknowns + outside)
        return 8 * (factors + 8 * (traces * cells // max(counts)) ** 2)

    def _tried(
        self, problem: Problem, setting: Setting, counts: tuple[int, ...], start: Field | None, spent: float
    ) -> _Try:
        started = time.perf_counter()
        system = self._system(problem, setting, counts)
        seconds = setting.budget.seconds
        budget = Budget(setting.budget.steps, None if seconds is None else max(1e-3, seconds - spent))
        found = GaussNewton(self.cutoff, self.iterations, budget).solve(system, start)
        field = RandomFeatureField(system.lattice, system.features, found.weights, _zero(problem))
        if floats(problem):
            field = dataclasses.replace(field, shift=_to_mean(problem, field))
        residual = _residual(problem, field, setting.generator(1))
        return _Try(system, found, field, residual, time.perf_counter() - started)

    def _system(self, problem: Problem, setting: Setting, counts: tuple[int, ...]) -> System:
        domain, components, generator = problem.domain, len(problem.outputs), setting.generator()
        features, points = self._unknowns(problem) // components, self._points(problem)
        _check_rows(features, points)
        on_face = _on_face(features, domain.dim)
        needed = self._bytes(problem, counts)
        if needed > MEMORY_LIMIT:
            raise MemoryBudgetError(
                f"RandomFeatures: {' x '.join(map(str, counts))} cells of {features} features and {points} points need "
                f"about {needed:.1e} bytes, the limit is {MEMORY_LIMIT:.1e}; take fewer cells, or fewer features"
            )
        bandwidth = self.bandwidth if self.bandwidth is not None else _BANDWIDTH * features ** (1 / domain.dim)
        bounds = bandwidth if isinstance(bandwidth, tuple) else (bandwidth,) * domain.dim
        drawn = Features.drawn(features, bounds, self.activation, generator)
        lattice = CellLattice.of(domain, counts, points)
        periodic = frozenset(domain.names.index(c.axis) for c in conditions_of(problem, Periodic))
        terms = terms_of(problem, lattice, points, on_face, generator)
        return System(lattice, drawn, terms, seams_of(domain, lattice, on_face, periodic), components, self.stiffness)


def random_features() -> RandomFeatures:
    """Sine features in cells chosen by the problem's scales."""
    return RandomFeatures()


def _on_face(features: int, dim: int) -> int:
    """Points on a face of a cell: half again as many as there are features side by side; in high dimension fewer."""
    if dim not in _FEATURES:
        return math.ceil(features / dim)
    return nodes_per_axis(math.ceil(1.5 * features), dim) ** (dim - 1)


def _check_rows(features: int, points: int) -> None:
    if points < features:
        raise ConfigError(
            f"RandomFeatures: got {features} features and {points} points per cell, more unknowns than rows, expected at "
            f"least as many points; take points={2 * features}"
        )


def _zero(problem: Problem) -> Tensor:
    return torch.zeros(len(problem.outputs), dtype=torch.float64)


def _residual(problem: Problem, field: RandomFeatureField, generator: torch.Generator) -> float:
    """Relative residual at points that were not collocated."""
    found = relative_residual(problem, field, interior_points(problem.domain, Sobol(_HELD_OUT), generator))
    assert found is not None  # features have all derivatives
    return found


def _to_mean(problem: Problem, field: RandomFeatureField) -> Tensor:
    """What is missing to the mean that the problem gives, (1,)."""
    assert isinstance(problem, SecondOrder)  # as `floats` has seen
    mean = problem.mean()
    assert mean is not None
    dim = problem.domain.dim
    sampler = Law.GAUSS_LEGENDRE.sampler(_MEAN_POINTS, dim) if dim <= 3 else Sobol(_MEAN_POINTS)
    points = interior_points(problem.domain, sampler, torch.Generator().manual_seed(60_017))
    return mean - (points.weight @ field(points.x)) / points.weight.sum()


def _outcome(problem: Problem, tries: Sequence[_Try]) -> Outcome:
    """The best of the tries, with the history of all."""
    best = min(tries, key=lambda t: t.residual)
    history = Record()
    for number, each in enumerate(tries):
        for row in each.found.history:
            history.append(row | {"round": number, "cells": each.system.lattice.cells})
    interior = best.system.terms[0].points
    return Outcome(
        field=best.field,
        history=history,
        message=_message(best) + ("" if len(tries) == 1 else f"; {len(tries)} rounds"),
        measures=Measures(
            steps=sum(t.found.steps for t in tries), points=len(interior.x), parameters=best.field.parameters
        ),
        exhausted=best.found.end in (End.LIMIT, End.BUDGET),
        residual_train=relative_residual(problem, best.field, Points(interior.x, torch.ones_like(interior.x[:, 0]))),
        timings={"least_squares": sum(t.seconds for t in tries)},
    )


def _message(best: _Try) -> str:
    seen, found, system = best.found.conditioning, best.found, best.system
    cells = " x ".join(str(n) for n in system.lattice.shape)
    ranks = f"{seen.least_rank}" if seen.least_rank == seen.most_rank else f"{seen.least_rank} to {seen.most_rank}"
    return (
        f"{found.end.value} after {found.steps} steps: {cells} cells of {len(system.features)} features, rank {seen.rank} of "
        f"{seen.unknowns} ({ranks} per cell), condition {seen.condition:.1e} in cells, {seen.coupling:.1e} between"
    )
