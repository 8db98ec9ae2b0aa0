"""The rows of operators.py: which families are learnt, by what, and what must come out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from cases import AtMost, Claim, Results
from operator_sweeps import ITERATIONS, sweeps_saved
from pdekit.problems import Antiderivative, BurgersFamily, DarcyFamily, PoissonFamily
from pdekit.solvers import Cases, Enforcement, OperatorSolver, operator_solver

import pdekit
from pdekit.codec import encode
from pdekit.config import problem_table
from pdekit.nn.green_net import GreenOperator
from pdekit.operator_problem import Family
from pdekit.operators import Operator, Source

MINUTE = 60.0


@final
@dataclass(frozen=True)
class OperatorCase:
    """One solver on one family.

    Args:
        label: what the table calls it.
        family, solver: what is run.
        extra: further numbers of the result.
    """

    label: str
    family: Family
    solver: OperatorSolver
    extra: Callable[[Operator], Mapping[str, float]] | None = None

    @property
    def digest(self) -> str:
        """Changes with whatever changes the result."""
        told = [problem_table(self.family), encode(self.solver)]
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]

    def run(self, seed: int, folder: str | None = None) -> dict[str, Any]:
        """Learn, and tell what the table needs as plain data."""
        operator = pdekit.learn(self.family, self.solver, seed=seed, folder=folder, jobs=1)
        test, costs = operator.scores.test, operator.costs
        finer = {f"error at {errors.points[0]}": errors.mean for errors in operator.scores.finer}
        return (
            {
                "error": test.mean,
                "case": test.worst,
                "finer": max(finer.values(), default=None),
                "ratio": max(finer.values()) / test.mean if finer else None,
                "mean predictor": operator.scores.mean_predictor,
                "data": costs.data,
                "seconds": costs.train,
                "cpu": time.process_time(),
                "each": costs.case,
                "classical each": costs.classical,
                "classical error": classical_error(self.family, self.solver.cases, folder),
                "break even": costs.break_even,
                "steps": operator.steps,
                "parameters": operator.parameters,
                "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "status": operator.status.name.lower(),
                "message": operator.message,
            }
            | finer
            | dict(self.extra(operator) if self.extra else {})
        )


def classical_error(family: Family, cases: Cases, folder: str | None) -> float:
    """Mean relative error of the classical solver on the operator's own grid, against the finer solves that were learnt."""
    test = Source(folder, jobs=1).test(family, cases)
    solved = family.solve(torch.from_numpy(test.inputs)).numpy()
    return float(family.output.relative_errors(solved, test.outputs).mean())


def kernel_error(operator: Operator) -> dict[str, float]:
    """Relative L2 distance over the square of a learnt kernel from Green's function min(x, y) - x y of -u'' on (0, 1)."""
    network = operator.predictor.network
    assert isinstance(network, GreenOperator)
    x = np.linspace(0.0, 1.0, 401)
    column = torch.from_numpy(x[:, None]).to(network.scale)
    with torch.no_grad():
        found = network.green(column, column)[..., 0, 0].to(torch.float64).numpy()
        if network.factor is not None:
            found = network.factor(column).to(torch.float64).numpy() * found
    exact = np.minimum(x[:, None], x) - x[:, None] * x
    return {"kernel": float(np.linalg.norm(found - exact) / np.linalg.norm(exact))}


def kernel_and_sweeps(operator: Operator) -> dict[str, float]:
    """The kernel's error, and what the operator is worth in relaxation."""
    return kernel_error(operator) | sweeps_saved(operator)


@final
@dataclass(frozen=True)
class WorstAtMost:
    """The largest value of a number over all seeds is at most `value`."""

    label: str
    value: float
    key: str = "error"

    def holds(self, results: Results) -> bool | None:
        column = results.column(self.label, self.key)
        return column[-1] <= self.value if column else None

    def __str__(self) -> str:
        return f"{self.label}: {self.key} <= {self.value:g} for every seed"


@final
@dataclass(frozen=True)
class OperatorRow:
    """One line of the acceptance list.

    Args:
        name: for the command line.
        line: what it asks.
        cases: what is run for it; the first is what the line is about.
        claims: what the results must show.
        told: further numbers that are told below the table, medians over the seeds.
    """

    name: str
    line: str
    cases: tuple[OperatorCase, ...]
    claims: tuple[Claim, ...]
    told: tuple[str, ...] = ()

    @property
    def main(self) -> OperatorCase:
        """What the line is about."""
        return self.cases[0]


def made_ready(row: OperatorRow, folder: str | None) -> None:
    """Make the data sets of a row, if they are not there, before anything is timed."""
    source = Source(folder)
    source.split(row.main.family, row.main.solver.cases, labelled=True)
    for points in row.main.solver.cases.finer(row.main.family):
        source.test(row.main.family.at(points), row.main.solver.cases)


def hard(case: OperatorCase) -> OperatorCase:
    """The case with prescribed zeros built in."""
    return dataclasses.replace(case, solver=dataclasses.replace(case.solver, conditions=Enforcement.HARD))


def on(
    family: Family, names: tuple[str, ...], cases: Cases, **extras: Callable[[Operator], Mapping[str, float]]
) -> tuple[OperatorCase, ...]:
    """The named solvers in their default configuration on one family, all with the same data."""
    found = []
    for name in names:
        solver = dataclasses.replace(operator_solver(name), cases=cases)
        found.append(OperatorCase(name, family, solver, extras.get(name.replace("-", "_"))))
    return tuple(found)


LINE = Cases(1000, 100, resolutions=())

ROWS: Mapping[str, OperatorRow] = {
    row.name: row
    for row in (
        OperatorRow(
            "antiderivative",
            "antiderivative, length scale 0.2: deeponet 4e-3; pi-deeponet 2.5e-3 without labels. Both with u(0) = 0 built in "
            "(`conditions=hard`).",
            (
                *map(hard, on(Antiderivative(), ("deeponet", "pi-deeponet"), LINE)),
                *on(Antiderivative(), ("pod-deeponet", "fno", "grid-net"), LINE),
            ),
            (WorstAtMost("deeponet", 4e-3), WorstAtMost("pi-deeponet", 2.5e-3)),
        ),
        OperatorRow(
            "darcy",
            "darcy-family, 16 x 16 points, 1,000 training and 100 test cases: fno 0.08 within 60 s of training, 0.12 at 32 x 32 "
            "with the same weights.",
            on(DarcyFamily(), ("fno", "pino", "deeponet", "grid-net"), Cases(1000, 100, resolutions=(32,))),
            (
                WorstAtMost("fno", 0.08),
                WorstAtMost("fno", MINUTE, "seconds"),
                WorstAtMost("fno", 0.12, "error at 32"),
            ),
        ),
        OperatorRow(
            "burgers",
            "burgers-family, nu = 0.1, 128 points, 1,000 training and 200 test cases: fno 1e-2, aim 1e-3, and at most 20 % more "
            "at 256 and 512 points with the same weights.",
            on(
                BurgersFamily(),
                ("fno", "deeponet", "pod-deeponet", "grid-net"),
                Cases(1000, 200, resolutions=(256, 512)),
            ),
            (WorstAtMost("fno", 1e-2), AtMost("fno", 1e-3), WorstAtMost("fno", 1.2, "ratio")),
        ),
        OperatorRow(
            "poisson",
            "poisson-family on the interval, 127 points: green-net's kernel within 2 % of the exact Green's function; grid-net on "
            "the same data. With green-net every 15 sweeps at most a tenth of Jacobi's sweeps to a residual of 1e-10, on 100 new "
            "right-hand sides; a start by the operator, and multigrid, beside it.",
            on(
                PoissonFamily(),
                ("green-net", "grid-net", "deeponet", "pi-deeponet", "fno"),
                Cases(1000, 100, resolutions=()),
                green_net=kernel_and_sweeps,
            ),
            (WorstAtMost("green-net", 2e-2, "kernel"), WorstAtMost("green-net", 0.1, "hints share")),
            ("kernel", *(f"{name} {what}" for name in ITERATIONS for what in ("sweeps", "seconds"))),
        ),
    )
}
