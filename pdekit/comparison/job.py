"""Job: one solver on one problem with one seed, run in a process of its own."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import torch

from ..child import in_child, peak_memory
from ..codec import encode
from ..config import problem_table
from ..environment import environment, version
from ..errors import ChildError, DivergenceError
from ..problem import Problem
from ..recipe import Budget
from ..report import as_json, plain
from ..section import section
from ..solution import Solution
from ..solver import Solver, solve
from ..stopwatch import Clock
from ..trace import ERROR, SECONDS, ErrorTrace
from .run import Fate, Run

_DRAWN = {1: (401,), 2: (81, 81)}  # points of the field that figures show
_KEPT = (
    *("max_error", "max_error_discrete", "estimate", "success", "status", "steps", "sweeps", "points", "parameters"),
    *("bands", "device", "dtype"),
)
_GRACE = 600.0  # seconds beyond a multiple of the budget before a run counts as stuck: other work may be in its way
_MULTIPLE = {Clock.WALL: 3, Clock.PROCESSOR: 30}


@final
@dataclass(frozen=True)
class Terms:
    """What is the same for all runs of a comparison.

    Args:
        seconds: of each whole solve: building, training and solving, without the start of Python and the assessment.
        threads: of each run.
        clock: what counts as time.
        device, dtype: as in `solve`.
    """

    seconds: float
    threads: int = 1
    clock: Clock = Clock.WALL
    device: str = "auto"
    dtype: torch.dtype | None = None

    @property
    def patience(self) -> float:
        """Wall seconds after which a run counts as stuck."""
        return _MULTIPLE[self.clock] * self.seconds + _GRACE

    def plain(self) -> dict[str, Any]:
        """The same as plain data."""
        dtype = None if self.dtype is None else str(self.dtype).removeprefix("torch.")
        return {
            "seconds": float(self.seconds),
            "threads": self.threads,
            "clock": self.clock.value,
            "device": self.device,
            "dtype": dtype,
        }


@final
@dataclass(frozen=True)
class Job:
    """A run that is to be made; travels between processes.

    Args:
        problem: what is solved.
        label: what tables call the solver.
        solver: with its configuration.
        seed: of all random numbers.
        terms: what is the same for all.
    """

    problem: Problem
    label: str
    solver: Solver
    seed: int
    terms: Terms

    @property
    def digest(self) -> str:
        """Changes with whatever is told to the run, and with the version; not with every line of pdekit's code."""
        told = [described(self.problem), encode(self.solver), self.seed, self.terms.plain(), version("pdekit")]
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]

    def run(self) -> Run:
        """Run it in a process of its own; whatever goes wrong there is the run's result."""
        head = {"solver": self.label, "seed": self.seed, "digest": self.digest}
        try:
            found = in_child(_solved, self, threads=self.terms.threads, patience=self.terms.patience)
        except ChildError as error:
            found = {"fate": Fate.FAILED.value, "message": str(error)}
        return Run(head | found)


def described(problem: Problem) -> dict[str, Any]:
    """Name and parameters of a problem, and the text of its class if it is not of the catalogue."""
    table: dict[str, Any] = problem_table(problem)
    kind = type(problem)
    if kind.__module__.partition(".")[0] == __package__.partition(".")[0]:
        return table
    try:
        return table | {"source": inspect.getsource(kind)}
    except (OSError, TypeError):  # typed into an interpreter
        return table


def _solved(job: Job) -> dict[str, Any]:
    """In the process: solve, and tell what the tables and figures need as plain data."""
    warm_up()
    terms = job.terms
    trace = ErrorTrace(job.problem, terms.seconds, terms.clock)
    budget = Budget(seconds=terms.seconds)
    try:
        solution = solve(
            job.problem,
            job.solver,
            budget=budget,
            seed=job.seed,
            device=terms.device,
            dtype=terms.dtype,
            trace=trace,
        )
    except DivergenceError as error:
        return _traced(trace) | {"fate": Fate.DIVERGED.value, "message": str(error), "mebibytes": peak_memory()}
    told = as_json(solution)
    known = trace.reference is None or math.isfinite(trace.record[ERROR][-1])
    return plain(
        _traced(trace)
        | {key: told[key] for key in _KEPT}
        | {
            "fate": (Fate.FINISHED if known else Fate.NOT_FINITE).value,
            "message": solution.message,
            "error": told["rel_l2"],
            "seconds": trace.record[SECONDS][-1],
            "flags": told["trust"]["flags"],
            "mebibytes": peak_memory(),
            "environment": environment(),
            "field": _field(solution),
        }
    )


def _traced(trace: ErrorTrace) -> dict[str, Any]:
    rows = list(trace.record)
    return {"trace": {name: [row[name] for row in rows] for name in (SECONDS, ERROR)}}


def _field(solution: Solution) -> Mapping[str, Any]:
    """Values on the section that figures show, to five digits."""
    axes = tuple(range(min(solution.problem.domain.dim, 2)))
    shown = section(solution, axes, _DRAWN[len(axes)])
    error = shown.error
    return {
        "names": shown.names,
        "where": shown.where,
        "axes": shown.axes,
        "values": _rounded(shown.values[..., 0].tolist()),
        "error": None if error is None else _rounded(error[..., 0].tolist()),
    }


def _rounded(values: Any) -> Any:
    return [_rounded(v) for v in values] if isinstance(values, list) else float(f"{values:.5g}")


def warm_up() -> None:
    """Import what solvers import where they use it, so that the first of them does not pay for it."""
    import matplotlib  # noqa: F401 -- its parts are imported by skfem
    import pyamg  # noqa: F401
    import scipy.fft
    import scipy.interpolate
    import scipy.optimize
    import scipy.sparse.linalg
    import scipy.spatial
    import scipy.special
    import scipy.stats  # noqa: F401
    import skfem  # noqa: F401
    import torch.func  # noqa: F401
