"""Every problem of the catalogue by every solver that takes it, with the same time for all.

Each run is a process of its own; see `pdekit compare`. What finished stays in the folder --work, so that the same command
goes on where it stopped; the table is written anew after every problem.

    python benchmarks/solvers.py [--problems poisson-sine,heat] [--seconds 60] [--seeds 0] [--clock wall|processor]
                                 [--work runs/solvers] [--out benchmarks/solvers.md]
"""

from __future__ import annotations

from pathlib import Path

from contests import compared, options, origin

from pdekit import problems, solvers
from pdekit.errors import MissingPackageError, NotApplicableError
from pdekit.problem import Problem
from pdekit.solver import Solver

SCRIPT = Path(__file__).resolve()
TITLE = "# Every problem by every solver that takes it"


def entries(problem: Problem) -> dict[str, Solver]:
    """The solvers that take a problem, as it suggests them."""
    found = {}
    for name in solvers.names():
        solver = solvers.solver(name, problem)
        try:
            solver.require(problem)
        except (NotApplicableError, MissingPackageError):
            continue
        found[name] = solver
    return found


def main() -> None:
    given = options(SCRIPT, __doc__ or "", "problems", problems.names())
    sections: list[str] = []
    for name in given.names.split(","):
        problem = problems.problem(name)
        sections.append(compared(name, problem, entries(problem), given).table(markdown=True))
        given.out.write_text("\n\n".join([TITLE, origin(given), *sections]))
    print(given.out.read_text())


if __name__ == "__main__":
    main()
