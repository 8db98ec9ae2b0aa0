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
from ..errors import ConfigError, MemoryBudgetError, NotApplicableError
from ..field import Field
from ..nn import Activation, Auto, ScaleChoice, Sine, check_scales, scale_values
from ..problem import Problem, SecondOrder, conditions_of
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
_MANY = 2000  # features beyond three dimensions
_BANDWIDTH = 0.25  # in units of the features per axis: about what they resolve to round-off


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
        cutoff: relative size of singular values that count as zero.
        iterations: Gauss-Newton steps at most.

    Raises:
        ConfigError: impossible values, or more unknowns than rows.

    Notes:
        Accuracy comes from the features, not from smaller cells: in one dimension errors fall tenfold with each further
        one. Kinks, and layers thinner than a cell, are not resolved: take more cells. Cells may overlap a hole; those of
        which less than 15 % lie in the domain go to their neighbours. Time is one more axis. In more than three
        dimensions there is one cell. See `Dissection` for the cost: 0.1 s for 16 cells in one dimension, 5 s for 36
        cells of 400 features, all different.
    Good values: bandwidth a little above the phase (frequency times half an edge) that a cell holds; features at least
        three halves of the rank that the message reports.
    Reference: Chen, Chi, E, Yang 2022, doi:10.4208/jml.220726; book, section 5.4, eq. 5.12.
    """

    cells: int | tuple[int, ...] | None = None
    scales: ScaleChoice = field(default_factory=Auto)
    features: int | None = None
    bandwidth: float | tuple[float, ...] | None = None
    points: int | None = None
    activation: Activation = field(default_factory=Sine)
    cutoff: float = 1e-14
    iterations: int = 30
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
        real("RandomFeatures", "cutoff", self.cutoff, low=0.0, high=1.0)
        integer("RandomFeatures", "iterations", self.iterations)
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
        """Cut, assemble, solve.

        Raises:
            MemoryBudgetError: the factors would not fit, before anything is allocated.
            DivergenceError: Gauss-Newton steps that do not reduce the residual of a nonlinear problem.
        """
        started = time.perf_counter()
        system = self._system(problem, setting, self._counts(problem))
        prepared = time.perf_counter()
        start = None if setting.initial is None else setting.initial.field
        found = GaussNewton(self.cutoff, self.iterations, setting.budget).solve(system, start)
        shift = torch.zeros(len(problem.outputs), dtype=torch.float64)
        solution = RandomFeatureField(system.lattice, system.features, found.weights, shift)
        if floats(problem):
            solution = dataclasses.replace(solution, shift=_to_mean(problem, solution))
        interior = system.terms[0].points.x
        return Outcome(
            field=solution,
            history=found.history,
            message=_message(system, found),
            measures=Measures(steps=found.steps, points=len(interior), parameters=solution.parameters),
            exhausted=found.end in (End.LIMIT, End.BUDGET),
            residual_train=relative_residual(problem, solution, Points(interior, torch.ones_like(interior[:, 0]))),
            timings={"prepare": prepared - started, "least_squares": time.perf_counter() - prepared},
        )

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
        return (math.ceil(highest / _PHASE),) * dim

    def _system(self, problem: Problem, setting: Setting, counts: Sequence[int]) -> System:
        domain, generator = problem.domain, setting.generator()
        features = self.features if self.features is not None else _FEATURES.get(domain.dim, _MANY)
        points = self.points if self.points is not None else 2 * features
        _check_rows(features, points)
        on_face = _on_face(points, domain.dim)
        _check_memory(counts, features * len(problem.outputs), points * len(problem.outputs), on_face)
        bandwidth = self.bandwidth if self.bandwidth is not None else _BANDWIDTH * features ** (1 / domain.dim)
        bounds = bandwidth if isinstance(bandwidth, tuple) else (bandwidth,) * domain.dim
        drawn = Features.drawn(features, bounds, self.activation, generator)
        lattice = CellLattice.of(domain, counts, points)
        periodic = frozenset(domain.names.index(c.axis) for c in conditions_of(problem, Periodic))
        terms = terms_of(problem, lattice, points, on_face, generator)
        return System(lattice, drawn, terms, seams_of(domain, lattice, on_face, periodic), len(problem.outputs))


def random_features() -> RandomFeatures:
    """Sine features in cells chosen by the problem's scales."""
    return RandomFeatures()


def _on_face(points: int, dim: int) -> int:
    """Points on a face of a cell: as dense as in the cell; in high dimension as many on all faces as in the cell."""
    return nodes_per_axis(points, dim) ** (dim - 1) if dim in _FEATURES else math.ceil(points / (2 * dim))


def _check_rows(features: int, points: int) -> None:
    if points < features:
        raise ConfigError(
            f"RandomFeatures: got {features} features and {points} points per cell, more unknowns than rows, expected at "
            f"least as many points; take points={2 * features}"
        )


def _check_memory(counts: Sequence[int], unknowns: int, rows: int, on_face: int) -> None:
    """Estimate what the factors of all cells and of the widest cut take, all cells counted as different."""
    cells, dim = math.prod(counts), len(counts)
    traces = 2 * on_face * (unknowns and 1)
    width = unknowns + 2 * dim * traces
    cut = 2 * traces * cells // max(counts)
    needed = 8 * (cells * (rows + 4 * dim * traces) * width + 8 * cut**2)
    if needed > MEMORY_LIMIT:
        raise MemoryBudgetError(
            f"RandomFeatures: {' x '.join(map(str, counts))} cells of {unknowns} unknowns and {rows} rows need about "
            f"{needed:.2g} bytes, the limit is {MEMORY_LIMIT}; take fewer cells, or fewer features"
        )


def _to_mean(problem: Problem, field: RandomFeatureField) -> Tensor:
    """What is missing to the mean that the problem gives, (1,)."""
    assert isinstance(problem, SecondOrder)  # as `floats` has seen
    mean = problem.mean()
    assert mean is not None
    dim = problem.domain.dim
    sampler = Law.GAUSS_LEGENDRE.sampler(_MEAN_POINTS, dim) if dim <= 3 else Sobol(_MEAN_POINTS)
    points = interior_points(problem.domain, sampler, torch.Generator().manual_seed(60_017))
    return mean - (points.weight @ field(points.x)) / points.weight.sum()


def _message(system: System, found: Found) -> str:
    seen = found.conditioning
    cells = " x ".join(str(n) for n in system.lattice.shape)
    ranks = f"{seen.least_rank}" if seen.least_rank == seen.most_rank else f"{seen.least_rank} to {seen.most_rank}"
    return (
        f"{found.end.value} after {found.steps} steps: {cells} cells of {len(system.features)} features, rank {seen.rank} of "
        f"{seen.unknowns} ({ranks} per cell), condition {seen.condition:.1e} in cells, {seen.coupling:.1e} between"
    )
