"""Making data sets: draw functions, solve them side by side, compare some with a finer solve."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
import torch

from .checks import integer, memory
from .codec import encode
from .dataset import Dataset, FloatArray, Provenance
from .operator_problem import Family
from .sweep import cores, sweep

_CHUNK: Final = 32
"""Cases per task: enough for solvers that take many at once, few enough to show progress."""
_WORTH: Final = 10.0
"""Seconds of work that repay further processes, each of which imports torch first."""
_COMPARED: Final = 8
"""Cases that are solved on a finer grid too."""


def generate(
    family: Family,
    count: int,
    seed: int = 0,
    *,
    jobs: int | None = None,
    report: Callable[[str, float], None] | None = None,
) -> Dataset:
    """Pairs of a family: the same for a seed, at any number of processes; at another resolution the same functions.

    Args:
        family: what to draw and solve.
        count: cases.
        seed: of the draws.
        jobs: processes; as many as there are cores if None.
        report: told what is made, and which fraction is done.

    Raises:
        ConfigError: zero cases, a negative seed.
        MemoryBudgetError: more than half the memory of this machine, before it is taken.
        NonFiniteError: a solution holds NaN, with the case.
        SweepError: the solver failed, with the cases.

    Notes: cases are solved in processes of one thread each (`pdekit.sweep`), or in this one where that is sooner.
    """
    integer("data set", "count", count)
    integer("data set", "seed", seed, low=0)
    jobs = cores() if jobs is None else jobs
    integer("data set", "jobs", jobs)
    each = family.draw(1, torch.Generator()).numel() + math.prod(family.input.shape) + math.prod(family.output.shape)
    memory("data set", f"{count} cases of {family.name}", 8 * count * each, "make fewer")
    drawn = family.draw(count, torch.Generator().manual_seed(seed)).numpy()
    tasks = [_Cases(first, drawn[first : first + _CHUNK]) for first in range(0, count, _CHUNK)]
    solved = _solved(family, tasks, jobs, report)
    outputs = np.concatenate([part.outputs for part in solved])
    compared = _Cases(0, drawn[:_COMPARED])
    finer = _Solve(family, 2 * family.refinement)(compared)
    error = family.output.relative_errors(outputs[: len(finer.outputs)], finer.outputs)
    return Dataset(
        family.inputs(torch.from_numpy(drawn)).numpy(),
        outputs,
        family.input,
        family.output,
        Provenance(
            description(family),
            seed,
            family.solved_by,
            float(error.mean()),
            sum(part.seconds for part in solved),
        ),
    )


def _solved(
    family: Family, tasks: list[_Cases], jobs: int, report: Callable[[str, float], None] | None
) -> list[_Solved]:
    """All tasks; the first one, done here, tells whether the others repay further processes."""
    solve, label = _Solve(family), f"data of {family.name}"
    first = sweep(solve, tasks[:1], label=label)

    def told(label: str, share: float) -> None:
        if report is not None:
            report(label, (1 + share * (len(tasks) - 1)) / len(tasks))

    told(label, 0.0)
    left = first[0].seconds * (len(tasks) - 1)
    return first + sweep(solve, tasks[1:], jobs=1 if left < _WORTH else jobs, report=told, label=label)


def description(family: Family) -> dict[str, Any]:
    """Name and parameters as plain data."""
    return {"name": family.name} | {key: encode(value) for key, value in family.parameters().items()}


@final
@dataclass(frozen=True, eq=False)
class _Cases:
    """Some of the draws; it shows as the numbers of its cases."""

    first: int
    drawn: FloatArray

    def __repr__(self) -> str:
        return f"cases {self.first} to {self.first + len(self.drawn) - 1}"


@final
@dataclass(frozen=True)
class _Solved:
    outputs: FloatArray
    seconds: float


@final
@dataclass(frozen=True)
class _Solve:
    """Solves draws, in a process of its own or in this one."""

    family: Family
    refinement: int | None = None

    def __call__(self, cases: _Cases) -> _Solved:
        began = time.process_time()
        outputs = self.family.solve_drawn(torch.from_numpy(cases.drawn), self.refinement).numpy()
        return _Solved(outputs, time.process_time() - began)
