"""pdekit's trained networks against DeepXDE: the time to a relative error of 1e-3, and the error when the time is over.

Both get the same problem and the same time for the whole solve: building and training, neither the start of Python nor
imports. DeepXDE gets points that resolve the problem, once with soft and once with hard conditions (its output
transform), tanh 4x50, Adam at 1e-3 for half of the time and then L-BFGS, in float64, as its manual advises for that; the
better of the two counts. pdekit's solvers are those that its table of solvers names for such problems; random features,
which are no trained networks, stand beside them and do not count.

Each run is a process of its own; what finished stays in the folder --work, so that the same command goes on.

    python benchmarks/peers.py [--contests poisson-sine-1,heat] [--seconds 60] [--seeds 0] [--clock wall|processor]
                               [--work runs/peers] [--out benchmarks/peers.md]
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from contests import compared, options, origin
from frequency_rows import CUBE, DUAL, HEAT, MSCALE_1D, MSCALE_WITH_HOLES, ON_HEAT, POROUS, SD2, SMALL, THREE, strong
from machine import markdown
from pdekit.solvers import Collocation, DeepXDE, Enforcement, RandomFeatures

from pdekit import problems, solvers
from pdekit.comparison import Comparison, Standing
from pdekit.nn import MLP
from pdekit.problem import Problem
from pdekit.solver import Solver

SCRIPT = Path(__file__).resolve()
TOLERANCE = 1e-3
ASIDE = "random-features"
HEAD = (
    *("problem", "pdekit: to 1e-3, s", "DeepXDE: to 1e-3, s", "sooner by"),
    *("pdekit: error at the end", "DeepXDE: error at the end", "random features: error, s", "classical: error, s"),
)


@final
@dataclass(frozen=True)
class Contest:
    """One problem and who solves it for pdekit.

    Args:
        problem: what is solved.
        ours: trained networks by label.
        points: for DeepXDE: some 30 per wavelength and axis in one dimension, 10 in two.
    """

    problem: Problem
    ours: Mapping[str, Solver]
    points: int

    def entries(self) -> dict[str, Solver]:
        """All who run: ours, theirs, and random features."""
        return {**self.ours, **theirs(self.points), ASIDE: RandomFeatures()}


def theirs(points: int) -> dict[str, Solver]:
    """DeepXDE with soft and with hard conditions."""
    collocation = Collocation(points=points)
    return {f"deepxde, {how.value}": DeepXDE(collocation=collocation, conditions=how) for how in Enforcement}


DUAL_ALONE = {"dual-residual": DUAL}
CONTESTS: Mapping[str, Contest] = {
    "poisson-sine-1": Contest(
        problems.PoissonSine(k=1), DUAL_ALONE | {"pinn": strong(SMALL, 900, Enforcement.HARD)}, 900
    ),
    "poisson-sine-4": Contest(problems.PoissonSine(k=4), DUAL_ALONE, 1600),
    "poisson-four-modes": Contest(problems.PoissonFourModes(), DUAL_ALONE | {"sd2": SD2}, 256),
    "poisson-mscale-1d": Contest(MSCALE_1D, DUAL_ALONE | {"mscale": solvers.mscale()}, 256),
    "elliptic-three-scale": Contest(THREE, DUAL_ALONE | {"sd2": SD2}, 3000),
    "poisson-porous": Contest(POROUS, {"mscale": MSCALE_WITH_HOLES}, 5000),
    "heat": Contest(HEAT, {"pinn": ON_HEAT}, 1600),
    "helmholtz": Contest(problems.Helmholtz(), DUAL_ALONE, 600),
    "poisson-nd-5": Contest(CUBE, {"pinn": strong(MLP(width=64, depth=1), 2000, Enforcement.SOFT)}, 2000),
}


@final
@dataclass(frozen=True)
class Sides:
    """The best of either side of a finished contest."""

    comparison: Comparison
    contest: Contest

    def best(self, mine: bool, of: Callable[[Standing], float]) -> float:
        """The smallest number of the solvers of one side; infinite if none has it."""
        standings = [
            s for s in self.comparison.standings if s.label != ASIDE and (s.label in self.contest.ours) is mine
        ]
        return min((value for s in standings if not math.isnan(value := of(s))), default=math.inf)

    def time(self, mine: bool) -> float:
        """Median seconds to the tolerance."""
        return self.best(mine, lambda standing: standing.time_to(TOLERANCE))

    def error(self, mine: bool) -> float:
        """Median error at the end."""
        return self.best(mine, lambda standing: standing.median)

    def row(self, name: str) -> list[str]:
        """The contest's line of the table."""
        mine, others = self.time(True), self.time(False)
        factor = f"{others / mine:.1f} x" if math.isfinite(mine) and math.isfinite(others) else "-"
        aside, classical = self.comparison[ASIDE], self.comparison.classical
        best = None if classical is None else classical.best
        told = "-" if best is None else f"{best.error:.1e}, {best.seconds:.2g} ({best.family})"
        beside = "-" if aside.absent else f"{aside.median:.1e}, {aside.number('seconds'):.2g}"
        errors = [f"{self.error(side):.1e}" for side in (True, False)]
        return [name, _seconds(mine), _seconds(others), factor, *errors, beside, told]


def summary(sides: Mapping[str, Sides]) -> str:
    """The table, the geometric mean, and what was never reached."""
    both = {name: s for name, s in sides.items() if math.isfinite(s.time(True)) and math.isfinite(s.time(False))}
    factors = [s.time(False) / s.time(True) for s in both.values()]
    mean = f"{statistics.geometric_mean(factors):.1f} times sooner" if factors else "not measured"
    never = [name for name, s in sides.items() if not math.isfinite(s.time(False))]
    mine = [name for name, s in sides.items() if not math.isfinite(s.time(True))]
    worse = [name for name, s in sides.items() if not s.error(True) < s.error(False)]
    lines = [
        f"- pdekit reaches {TOLERANCE:g} {mean} than DeepXDE (geometric mean over {len(factors)} problems: {_list(both)})",
        f"- DeepXDE never reaches it: {_list(never)}",
        f"- pdekit never reaches it: {_list(mine)}",
        f"- the error at the end is not lower with pdekit: {_list(worse)}",
    ]
    table = markdown(HEAD, [s.row(name) for name, s in sides.items()])
    return "\n\n".join([table, "\n".join(lines)])


def _seconds(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else "never"


def _list(names: Mapping[str, Sides] | list[str]) -> str:
    return ", ".join(names) or "none"


def main() -> None:
    given = options(SCRIPT, __doc__ or "", "contests", list(CONTESTS))
    sides: dict[str, Sides] = {}
    for name in given.names.split(","):
        contest = CONTESTS[name]
        sides[name] = Sides(compared(name, contest.problem, contest.entries(), given), contest)
        tables = [side.comparison.table(markdown=True) for side in sides.values()]
        given.out.write_text("\n\n".join(["# pdekit against DeepXDE", origin(given), summary(sides), *tables]))
    print(given.out.read_text())


if __name__ == "__main__":
    main()
