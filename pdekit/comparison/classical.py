"""The classical solvers beside a comparison: each family climbs from coarse to fine until it is as good as the best."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch

from ..child import in_child
from ..codec import encode
from ..errors import ChildError, PdekitError
from ..problem import Elliptic, Problem
from ..solver import Setting, Solver
from ..solvers import FiniteDifference, FiniteElement, Iterative, multigrid
from ..trace import ERROR, SECONDS, ErrorTrace
from .job import Terms, warm_up

_POINTS = {
    1: tuple(2**k + 1 for k in range(4, 17)),
    2: tuple(2**k + 1 for k in range(4, 11)),
    3: tuple(2**k + 1 for k in range(3, 8)),
}
_CELLS = {1: tuple(2**k for k in range(4, 15)), 2: tuple(2**k for k in range(3, 9)), 3: (4, 6, 8, 12)}
_BRIEF = 1.0  # seconds; what is faster is timed once more, without first-time costs


@final
@dataclass(frozen=True)
class Rung:
    """A classical solver of one resolution.

    Args:
        family: solvers that differ in resolution only.
        told: the resolution in words.
        error: relative L2 error.
        seconds: of the whole solve.
        parameters: numbers that describe the answer.
    """

    family: str
    told: str
    error: float
    seconds: float
    parameters: int


@final
@dataclass(frozen=True)
class Classical:
    """What the classical solvers reach.

    Args:
        target: relative L2 error of the best of the solvers compared; infinite if none came to an answer.
        rungs: all that were tried, family by family from coarse to fine.
        reasons: why a family does not apply, or stopped, by its name.
    """

    target: float
    rungs: tuple[Rung, ...]
    reasons: Mapping[str, str]

    @property
    def best(self) -> Rung | None:
        """The fastest that is as good as the target; if none is, the most accurate."""
        good = [rung for rung in self.rungs if rung.error <= self.target]
        if good:
            return min(good, key=lambda rung: rung.seconds)
        return min(self.rungs, key=lambda rung: rung.error, default=None)

    @property
    def as_good(self) -> bool:
        """Whether the best is as good as the target."""
        return self.best is not None and self.best.error <= self.target

    def plain(self) -> dict[str, Any]:
        """The same as plain data."""
        best = self.best
        return {
            "target": self.target,
            "as_good": self.as_good,
            "best": None if best is None else vars(best),
            "rungs": [vars(rung) for rung in self.rungs],
            "reasons": dict(self.reasons),
        }

    @staticmethod
    def from_plain(table: Mapping[str, Any]) -> Classical:
        """What `plain` wrote."""
        target = math.inf if table["target"] is None else float(table["target"])
        return Classical(target, tuple(Rung(**rung) for rung in table["rungs"]), table["reasons"])

    def covers(self, target: float) -> bool:
        """Whether these rungs answer for another target too: nothing is left to climb for."""
        families = {rung.family for rung in self.rungs}
        return target >= self.target or (self.target < math.inf and families <= set(self.reasons))


def ladders(problem: Problem) -> dict[str, Sequence[Solver]]:
    """Solvers of each family from coarse to fine; the first says whether the family applies."""
    dim = min(len(problem.domain.space_axes), max(_POINTS))
    longest = max(problem.domain.lengths)
    second = FiniteDifference()
    found: dict[str, Sequence[Solver]] = {
        "finite-difference": [dataclasses.replace(second, points=n) for n in _POINTS[dim]],
    }
    if isinstance(problem, Elliptic):
        found["finite-difference, order 4"] = [FiniteDifference(points=n, order=4) for n in _POINTS[dim]]
    found["multigrid"] = [dataclasses.replace(multigrid(), points=n) for n in _POINTS[dim]]
    found["finite-element"] = [FiniteElement(size=longest / n) for n in _CELLS[dim]]
    return found


def is_classical(solver: Solver) -> bool:
    """Whether a solver is itself one of these."""
    return isinstance(solver, FiniteDifference | FiniteElement | Iterative)


def climbed(problem: Problem, target: float, terms: Terms) -> Classical:
    """Let every family climb, each in a process of its own."""
    rungs: list[Rung] = []
    reasons: dict[str, str] = {}
    for family, solvers in ladders(problem).items():
        try:
            solvers[0].require(problem)
            found, reason = in_child(
                climb,
                problem,
                family,
                solvers,
                target,
                terms,
                threads=terms.threads,
                patience=20 * terms.seconds + 120.0,
            )
        except (PdekitError, ChildError) as error:
            reasons[family] = str(error)
            continue
        rungs += found
        if reason:
            reasons[family] = reason
    return Classical(target, tuple(rungs), reasons)


def climb(
    problem: Problem, family: str, solvers: Sequence[Solver], target: float, terms: Terms
) -> tuple[list[Rung], str]:
    """Solve with more and more points until the target is reached; say why not, if it is not."""
    warm_up()
    trace = ErrorTrace(problem, clock=terms.clock)
    if trace.reference is None:
        return [], "no reference to measure errors by"
    setting = Setting(trace=trace, device="cpu", dtype=torch.float64)
    rungs: list[Rung] = []
    for solver in solvers:
        try:
            rung = _timed(problem, family, solver, setting, trace)
            if rung.seconds < _BRIEF:
                rung = _timed(problem, family, solver, setting, trace)
        except (PdekitError, MemoryError) as error:
            return rungs, f"{_told(solver)}: {error}"
        rungs.append(rung)
        if rung.error <= target:
            return rungs, ""
        if rung.seconds * 2 ** len(problem.domain.space_axes) > terms.seconds:
            return rungs, f"the next finer one would take more than {terms.seconds:g} s"
        if len(rungs) > 2 and rung.error > rungs[-3].error:
            return rungs, "finer ones are no better: round-off"
    return rungs, "the finest tried"


def _timed(problem: Problem, family: str, solver: Solver, setting: Setting, trace: ErrorTrace) -> Rung:
    trace.start()
    outcome = solver.run(problem, setting)
    trace.measure(outcome.field)
    last = list(trace.record)[-1]
    return Rung(family, _told(solver), last[ERROR], last[SECONDS], outcome.field.parameters)


def _told(solver: Solver) -> str:
    options = encode(solver)
    if options.get("size") is not None:
        return f"elements of size {options['size']:.3g}"
    return f"{options['points']} points per axis"
