"""Acceptance: runs that were tampered with are flagged or refused, sound ones are not."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from pdekit.problems import (
    EllipticThreeScale,
    EllipticTwoScale,
    Heat,
    Helmholtz,
    NewtonLaw,
    PoissonFourModes,
    PoissonND,
    PoissonSine,
    Variant,
)
from pdekit.solvers import (
    Collocation,
    FiniteDifference,
    Law,
    Neural,
    StrongForm,
    Training,
    deep_ritz,
    hybrid,
    jacobi,
    multigrid,
    pinn,
    polynomial,
)
from torch import Tensor, nn
from trust_cases import MixedFaces

from pdekit.conditions import Condition, Dirichlet
from pdekit.domain import Box, Interval
from pdekit.errors import AliasingWarning, IllPosedError, IndefiniteWarning, PdekitError, ProblemError, SmoothnessError
from pdekit.jet import Jet
from pdekit.nn import MLP, Architecture, Frame, ReLU, Sine
from pdekit.optim import Adam
from pdekit.problem import Elliptic, Problem
from pdekit.recipe import Budget
from pdekit.solution import Flag, Solution, Status
from pdekit.solver import Solver, solve


@pytest.fixture(autouse=True)
def one_thread():
    """Threads cost such small networks more than they gain, and on a busy machine much more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def small(
    *,
    network: Architecture | None = None,
    points: int = 64,
    law: Law = Law.SOBOL,
    steps: int = 150,
    polish: int = 60,
    learning_rate: float = 1e-2,
    boundary_weight: float = 100.0,
) -> Neural:
    """A physics-informed network of a few hundred parameters."""
    return dataclasses.replace(
        pinn(),
        formulation=StrongForm(boundary_weight),
        network=network or MLP(width=12, depth=2),
        collocation=Collocation(points=points, law=law, boundary_points=32),
        training=Training(steps=steps, optimizer=Adam(learning_rate), polish=polish),
    )


def small_ritz(network: Architecture | None = None) -> Neural:
    """A small Deep Ritz network."""
    return dataclasses.replace(
        deep_ritz(), network=network or MLP(width=12, depth=2), training=Training(steps=300, polish=50)
    )


@dataclass(frozen=True)
class Frozen:
    """A network of which only the last bias trains."""

    inner: Architecture = dataclasses.field(default_factory=lambda: MLP(width=12, depth=2))

    def build(self, frame: Frame, generator: torch.Generator) -> nn.Module:
        built = self.inner.build(frame, generator)
        *rest, _ = built.parameters()
        for parameter in rest:
            parameter.requires_grad_(False)
        return built


@dataclass(frozen=True)
class Wave(Elliptic):
    """-u'' = (k pi)^2 sin k pi x on (0, 1), u = 0 at both ends."""

    k: int = 40

    @property
    def domain(self) -> Box:
        return Interval(0.0, 1.0)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (Dirichlet(),)

    def source(self, x: Tensor) -> Tensor:
        return (self.k * math.pi) ** 2 * torch.sin(self.k * math.pi * x)


@dataclass(frozen=True)
class WrongResidual(Wave):
    """The source with the wrong sign in the residual only, and no exact solution to compare with."""

    def residual(self, u: Jet) -> Tensor:
        return self.operator(u) + self.source_at(u)


@dataclass(frozen=True)
class WrongSource(PoissonSine):
    """The source with the wrong sign beside the right exact solution."""

    def source(self, x: Tensor) -> Tensor:
        return -super().source(x)


@dataclass(frozen=True)
class Open(Wave):
    """The condition on the right forgotten."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (Dirichlet("left"),)


@dataclass(frozen=True)
class Run:
    """A problem, a solver, and what else `solve` is told."""

    problem: Problem
    solver: Callable[[], Solver]
    steps: int | None = None
    check: bool = True

    def __call__(self) -> Solution:
        budget = None if self.steps is None else Budget(steps=self.steps)
        with warnings.catch_warnings():
            for expected in (AliasingWarning, IndefiniteWarning):
                warnings.simplefilter("ignore", expected)
            return solve(self.problem, self.solver(), budget=budget, check=self.check, seed=11)


SINES = MLP(width=30, depth=2, activation=Sine(30.0))

# What each of the twelve must show: flags of which one is raised, or the error that refuses it.
SABOTAGED: list[tuple[str, Run, tuple[Flag, ...] | type[PdekitError]]] = [
    ("aliased points", Run(Wave(40), lambda: small(points=39, law=Law.GRID, network=SINES)), (Flag.ALIASED,)),
    (
        "aliased points in the plane",
        Run(PoissonSine(7), lambda: small(points=36, law=Law.GRID, network=MLP(30, 2, Sine(5.0)))),
        (Flag.ALIASED, Flag.NOT_CONVERGED),
    ),
    ("missing condition", Run(Open(1), small), IllPosedError),
    ("missing condition, unchecked", Run(Open(1), small, check=False), (Flag.ILL_POSED,)),
    ("condition of no weight", Run(Wave(1), lambda: small(boundary_weight=1e-9)), (Flag.NOT_CONVERGED,)),
    ("stopped early", Run(PoissonSine(1), small, steps=20), (Flag.NOT_CONVERGED,)),
    (
        "relaxation stopped early",
        Run(PoissonFourModes(), lambda: dataclasses.replace(jacobi(), max_sweeps=200)),
        (Flag.NOT_CONVERGED,),
    ),
    ("wrong sign in the residual", Run(WrongResidual(1), small), (Flag.NOT_CONVERGED,)),
    ("wrong sign in the source", Run(WrongSource(1), small), ProblemError),
    ("ReLU in a second-order equation", Run(Wave(1), lambda: small(network=MLP(12, 2, ReLU()))), SmoothnessError),
    ("frozen weights", Run(Wave(2), lambda: small(network=Frozen())), (Flag.NOT_CONVERGED,)),
    (
        "a step far too long",
        Run(Wave(1), lambda: small(learning_rate=30.0, polish=0)),
        (Flag.NOT_CONVERGED, Flag.DIVERGED),
    ),
]

SOUND: list[tuple[str, Run]] = [
    ("pinn", Run(Wave(1), small)),
    ("pinn, second order in time", Run(NewtonLaw(), small)),
    ("pinn in the plane", Run(PoissonND(2, Variant.HARMONIC), lambda: small(points=200))),
    ("pinn in time", Run(Heat(1), lambda: small(points=400, network=MLP(20, 3), steps=300, polish=200))),
    ("deep Ritz", Run(PoissonND(1), small_ritz)),
    ("deep Ritz with kinks", Run(PoissonND(1), lambda: small_ritz(MLP(30, 2, ReLU())))),
    ("polynomial", Run(NewtonLaw(), polynomial)),
    ("finite differences, oscillating coefficient", Run(EllipticThreeScale(), FiniteDifference)),
    ("finite differences, indefinite", Run(Helmholtz(2, -100.0), lambda: FiniteDifference(points=129))),
    ("finite differences, order 4", Run(EllipticTwoScale(), lambda: FiniteDifference(order=4))),
    ("multigrid", Run(MixedFaces(), multigrid)),
    ("hybrid", Run(PoissonFourModes(), hybrid)),
]

SLOW = {"aliased points in the plane", "pinn in the plane", "pinn in time", "hybrid"}


def table(rows):
    return [pytest.param(*rest, id=name, marks=[pytest.mark.slow] if name in SLOW else []) for name, *rest in rows]


def test_there_are_twelve_of_each():
    assert len(SABOTAGED) == 12 <= len(SOUND)


@pytest.mark.parametrize(("run", "expected"), table(SABOTAGED))
def test_sabotage_is_flagged_or_refused(run, expected):
    if not isinstance(expected, tuple):
        with pytest.raises(expected):
            run()
        return
    solution = run()
    assert set(solution.trust.flags) & set(expected)
    assert not solution.success and solution.status in (Status.UNTRUSTED, Status.DIVERGED)


@pytest.mark.parametrize("run", table(SOUND))
def test_sound_runs_are_trusted(run):
    solution = run()
    assert solution.trust.flags == ()
    assert solution.success and solution.status is Status.FINISHED


def test_the_case_to_catch():
    """39 fixed points and a source with k = 40: a loss that looks trained, and a held-out residual above that of u = 0.

    Of 7 seeds one stalls above the bound, and which one hangs on round-off: hence the median of three.
    """
    run = SABOTAGED[0][1]
    losses = []
    for seed in range(3):
        with pytest.warns(AliasingWarning, match="Nyquist"):
            solution = solve(run.problem, run.solver(), seed=seed)
        trust = solution.trust
        losses.append(trust.residual_train**2)
        assert trust.residual_held_out > 1.0
        assert trust.estimate > 0.2
        assert Flag.ALIASED in trust.flags and not solution.success
    assert sorted(losses)[1] < 1e-3
