"""What a table of runs is made of: cases, the claims made of them, and how a case is run in a process of its own."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, final

import torch

from pdekit.codec import encode
from pdekit.config import problem_table
from pdekit.problem import Problem
from pdekit.recipe import Budget
from pdekit.solution import Solution
from pdekit.solver import Solver, solve
from pdekit.stopwatch import Clock
from pdekit.trace import SECONDS, ErrorTrace

Result = Mapping[str, Any]


@final
@dataclass(frozen=True)
class Case:
    """One solver on one problem.

    Args:
        label: what the table calls it.
        problem, solver: what is run.
        steps, seconds: its budget.
        equal_time_to: label of the case whose median seconds are this one's budget.
        random: whether the seed matters; others are run once.
        extra: further numbers of its solution.
    """

    label: str
    problem: Problem
    solver: Solver
    steps: int | None = None
    seconds: float | None = None
    equal_time_to: str | None = None
    random: bool = True
    extra: Callable[[Solution], Mapping[str, float]] | None = None

    @property
    def digest(self) -> str:
        """Changes with whatever changes the result."""
        told = [problem_table(self.problem), encode(self.solver), self.steps, self.seconds, self.equal_time_to]
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]

    def run(self, seed: int, budget: Budget) -> dict[str, Any]:
        """Solve, and tell what the table needs as plain data; on one thread the budget is processor time."""
        clock = Clock.PROCESSOR if torch.get_num_threads() == 1 else Clock.WALL
        trace = ErrorTrace(self.problem, budget.seconds, clock, measured=False)
        solution = solve(self.problem, self.solver, seed=seed, budget=budget, trace=trace)
        measures = solution.measures
        return {
            "error": measures.rel_l2,
            "estimate": solution.trust.estimate,
            "boundary": solution.trust.boundary_violation,
            "seconds": trace.record[SECONDS][-1],
            "cpu": time.process_time(),
            "steps": measures.steps,
            "parameters": measures.parameters,
            "points": measures.points,
            "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "status": solution.status.name.lower(),
            "message": solution.message,
        } | dict(self.extra(solution) if self.extra else {})


class Claim(Protocol):
    """Something that a row's results must show."""

    def holds(self, results: Results) -> bool | None:
        """Whether they do; None where a case is missing."""
        ...


@final
@dataclass(frozen=True)
class Results:
    """All finished runs of a row, by the label of the case."""

    runs: Mapping[str, Sequence[Result]]

    def column(self, label: str, key: str = "error") -> list[float]:
        """A number of every run of a case, largest last; NaN counts as infinite."""
        values = [run[key] for run in self.runs.get(label, ()) if run.get(key) is not None]
        return sorted(math.inf if math.isnan(v) else v for v in values)

    def median(self, label: str, key: str = "error") -> float | None:
        """The median of a column, None without runs."""
        column = self.column(label, key)
        return statistics.median(column) if column else None


@final
@dataclass(frozen=True)
class AtMost:
    """The median of a number of a case is at most `value`."""

    label: str
    value: float
    key: str = "error"

    def holds(self, results: Results) -> bool | None:
        median = results.median(self.label, self.key)
        return None if median is None else median <= self.value

    def __str__(self) -> str:
        return f"{self.label}: {self.key} <= {self.value:g}"


@final
@dataclass(frozen=True)
class AtLeast:
    """The median of a number of a case is at least `value`."""

    label: str
    value: float
    key: str = "error"

    def holds(self, results: Results) -> bool | None:
        median = results.median(self.label, self.key)
        return None if median is None else median >= self.value

    def __str__(self) -> str:
        return f"{self.label}: {self.key} >= {self.value:g}"


@final
@dataclass(frozen=True)
class Beats:
    """The median error of a case times `factor` is at most that of another."""

    label: str
    other: str
    factor: float = 1.0

    def holds(self, results: Results) -> bool | None:
        mine, others = results.median(self.label), results.median(self.other)
        return None if mine is None or others is None else mine * self.factor <= others

    def __str__(self) -> str:
        return f"{self.label}: at least {self.factor:g} x below {self.other}"


@final
@dataclass(frozen=True)
class Row:
    """One line of the acceptance list.

    Args:
        name: for the command line.
        line: what it asks.
        cases: what is run for it; the first is what the line is about.
        claims: what the results must show.
        classical: solvers from coarse to fine; the first that is as good as the first case stands beside it.
        seeds: how many of the seeds asked for are run, for rows that take more than five minutes each.
    """

    name: str
    line: str
    cases: tuple[Case, ...]
    claims: tuple[Claim, ...]
    classical: tuple[Solver, ...] = ()
    seeds: int = 5

    @property
    def main(self) -> Case:
        """What the line is about."""
        return self.cases[0]


class NamedRow(Protocol):
    """A row of any table."""

    @property
    def name(self) -> str:
        """For the command line."""
        ...


class Runnable(Protocol):
    """A case of any table."""

    @property
    def label(self) -> str:
        """What the table calls it."""
        ...

    @property
    def digest(self) -> str:
        """Changes with whatever changes the result."""
        ...


def verdict(claim: Claim, results: Results) -> str:
    """What the table says of a claim."""
    return {True: "holds", False: "FAILS", None: "not run"}[claim.holds(results)]


@final
class Log:
    """Finished runs as JSON lines, the last line of a case being the one that counts.

    Args:
        path: of the file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self._runs = {self._key(entry): entry for entry in map(json.loads, lines)}

    def find(self, row: NamedRow, case: Runnable, seed: int) -> Result | None:
        """The run of a case, if it is there, has not failed, and its configuration is still the same."""
        found = self._runs.get((row.name, case.label, seed))
        return found if found and found["digest"] == case.digest and "failure" not in found else None

    def add(self, row: NamedRow, case: Runnable, seed: int, result: Result) -> None:
        """Keep a run."""
        entry = {"row": row.name, "label": case.label, "seed": seed, "digest": case.digest, **result}
        self._runs[self._key(entry)] = entry
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    @staticmethod
    def _key(entry: Result) -> tuple[str, str, int]:
        return entry["row"], entry["label"], entry["seed"]


def in_a_process(
    script: Path,
    row: NamedRow,
    case: Runnable,
    seed: int,
    seconds: float | None,
    threads: int,
    options: Sequence[str] = (),
) -> Result:
    """Run a case in a process of its own and time the whole of it; a failure comes back as its message.

    Args:
        script: answers to --case ROW LABEL with a line of JSON.
        row, case, seed: what is run.
        seconds: budget; None for none.
        threads: of the process.
        options: further words for the script.
    """
    words = [
        sys.executable,
        str(script),
        "--case",
        row.name,
        case.label,
        "--seeds",
        str(seed),
        "--threads",
        str(threads),
    ]
    words += [*options] if seconds is None else ["--seconds", str(seconds), *options]
    started = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    elapsed = time.perf_counter() - started
    if done.returncode:
        return {"failure": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result | {"command": elapsed}


def classical_cases(row: Row) -> list[Case]:
    """The ladder of classical solvers as cases, named by what makes each finer than the one before."""
    return [Case(_told(solver), row.main.problem, solver, random=False) for solver in row.classical]


def _told(solver: Solver) -> str:
    options = ", ".join(f"{key} {value}" for key, value in encode(solver).items() if key not in ("kind", "name"))
    return f"{solver.name} ({options})"


def with_budget(case: Case, results: Results) -> Case:
    """The case with the median seconds of the one it is compared with."""
    if case.equal_time_to is None:
        return case
    return dataclasses.replace(case, seconds=results.median(case.equal_time_to, "seconds"))
