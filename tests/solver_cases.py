"""Small configurations of every solver and problems with exact polynomial solutions, shared by the tests of solvers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from pdekit.problems import NewtonLaw, PoissonND, PoissonTwoFrequency
from pdekit.solvers import (
    CoarseSolve,
    Collocation,
    DeepXDE,
    Enforcement,
    FiniteDifference,
    FiniteElement,
    Growing,
    Hybrid,
    Neural,
    PolynomialFit,
    RandomFeatures,
    Training,
    WeakAdversarial,
    conjugate_gradients,
    deep_nitsche,
    deep_ritz,
    dual_residual,
    fourier,
    gauss_seidel,
    jacobi,
    mscale,
    multigrid,
    phase,
    pinn,
    sd2,
    siren,
    wan,
)
from pdekit.solvers import hybrid as default_hybrid
from pdekit.solvers.formulation import Formulation
from pdekit.solvers.neural import Prepared
from torch import Tensor, nn

from pdekit.nn import MLP, FourierBands, Multiscale, PhaseShift, Polynomial, Spread, Subspace
from pdekit.optim import Adam, Cosine, LevenbergMarquardt
from pdekit.problem import Problem
from pdekit.solver import Setting, Solver

LINE = PoissonND(1)
"""-u'' = pi^2 cos pi x on (0, 1) with u = cos pi x: one dimension, data that are not zero."""


def tiny(
    preset: Neural,
    *,
    steps: int = 60,
    polish: int = 0,
    points: int = 64,
    learning_rate: float = 1e-2,
    width: int = 10,
    formulation: Formulation | None = None,
) -> Neural:
    """A preset with two layers of few units, few points and few steps."""
    assert isinstance(preset.network, MLP | Multiscale | FourierBands | PhaseShift)
    return dataclasses.replace(
        preset,
        formulation=formulation or preset.formulation,
        network=dataclasses.replace(preset.network, width=width, depth=2),
        collocation=dataclasses.replace(preset.collocation, points=points, boundary_points=8),
        training=Training(steps, Adam(learning_rate), Cosine(), polish, record_every=20),
    )


@dataclass(frozen=True)
class Row:
    """What one solver must do.

    Args:
        problem, solver: the case.
        largest: relative L2 error; twice the largest of twenty seeds.
        columns: what its history records.
        measures: which plain numbers it knows beside the errors.
        random: whether the seed matters.
        slow: whether each solve takes seconds, so that its tests are slow ones.
    """

    problem: Problem
    solver: Solver
    largest: float
    columns: tuple[str, ...] = ()
    measures: tuple[str, ...] = ("points", "parameters")
    random: bool = False
    slow: bool = False


TRAINED = ("step", "phase", "seconds", "loss")
STEPS = ("steps", "points", "parameters")
SWEPT = ("sweeps", "seconds", "max_error")
SWEEPS = ("max_error_discrete", "sweeps", "points", "parameters")

ADVERSARY = WeakAdversarial(adversary=MLP(10, 2, init=Spread(3.0, start=1.0)), tests=8)

TINY_DUAL = dataclasses.replace(
    dual_residual(),
    network=MLP(8, 1, init=Spread(3.0)),
    collocation=dataclasses.replace(dual_residual().collocation, points=60),
    training=Training(20, LevenbergMarquardt(), polish=0, record_every=5),
)

TINY_PARTS = dataclasses.replace(
    sd2(),
    network=Subspace(8, 1, (1.0, 6.0), MLP(8, 1, init=Spread(2.0, start=0.1))),
    collocation=dataclasses.replace(sd2().collocation, points=64),
    training=dataclasses.replace(sd2().training, steps=15, record_every=5),
)

TINY_PEER = DeepXDE(MLP(10, 2), Collocation(points=64, boundary_points=8), steps=60, polish=60, learning_rate=1e-2)

ROWS: dict[str, Row] = {
    "pinn": Row(LINE, tiny(pinn(), polish=60), 0.055, (*TRAINED, "pde", "dirichlet(boundary)"), STEPS, True),
    "deep-ritz": Row(LINE, tiny(deep_ritz(), polish=60), 1e-3, (*TRAINED, "energy"), STEPS, True),
    "deep-nitsche": Row(LINE, tiny(deep_nitsche(), polish=60), 0.016, (*TRAINED, "energy"), STEPS, True),
    "wan": Row(
        LINE,
        tiny(wan(), steps=120, formulation=ADVERSARY),
        0.015,
        (*TRAINED, "weak", "phi.loss", "phi.adversary"),
        STEPS,
        True,
    ),
    "dual-residual": Row(LINE, TINY_DUAL, 1.5e-4, (*TRAINED, "dual", "energy_error"), STEPS, True),
    "mscale": Row(LINE, tiny(mscale(), polish=60), 1.2e-4, (*TRAINED, "energy"), STEPS, True),
    "fourier": Row(LINE, tiny(fourier(), polish=60), 5e-4, (*TRAINED, "energy"), STEPS, True),
    "sd2": Row(LINE, TINY_PARTS, 1.2e-3, (*TRAINED, "energy", "dirichlet(boundary)", "orthogonality"), STEPS, True),
    "siren": Row(LINE, tiny(siren(), polish=60), 4.5e-3, (*TRAINED, "pde", "dirichlet(boundary)"), STEPS, True),
    "phase": Row(
        LINE,
        dataclasses.replace(tiny(phase(), polish=60), network=PhaseShift(6, 1, (1.0, 6.0))),
        5.6e-4,
        (*TRAINED, "energy"),
        STEPS,
        True,
    ),
    "growing": Row(
        PoissonTwoFrequency(),
        Growing(
            dataclasses.replace(tiny(mscale(), steps=200, points=752), network=Multiscale(10, 2, (2.0,))), rounds=1
        ),
        0.085,
        (*TRAINED, "energy", "round", "scales"),
        STEPS,
        True,
    ),
    "polynomial": Row(NewtonLaw(), PolynomialFit(), 1e-13),
    "random-features": Row(
        LINE,
        RandomFeatures(cells=2, features=16),
        5e-7,
        ("step", "residual", "share", "seconds"),
        ("steps", "points", "parameters"),
        True,
    ),
    "hybrid": Row(
        LINE,
        Hybrid(tiny(default_hybrid().first, width=20), points=65, hand_over=40),
        2.5e-4,
        (*TRAINED, "energy", "predicted_sweeps", "cycle", *SWEPT),
        (*SWEEPS, "steps", "cycles", "hand_over_step"),
        True,
    ),
    "converse hybrid": Row(
        LINE,
        Hybrid(tiny(pinn()), CoarseSolve(33)),
        7e-4,
        (*TRAINED, "pde", "dirichlet(boundary)"),
        (*STEPS, "cycles"),
        True,
    ),
    "finite-difference": Row(LINE, FiniteDifference(65), 9e-5, (), ("max_error_discrete", "points", "parameters")),
    "finite-element": Row(LINE, FiniteElement(1 / 64), 9e-7),
    "jacobi": Row(LINE, dataclasses.replace(jacobi(), points=33), 4e-4, SWEPT, SWEEPS),
    "gauss-seidel": Row(LINE, dataclasses.replace(gauss_seidel(), points=33), 4e-4, SWEPT, SWEEPS),
    "cg": Row(LINE, dataclasses.replace(conjugate_gradients(), points=33), 4e-4, SWEPT, SWEEPS),
    "multigrid": Row(LINE, dataclasses.replace(multigrid(), points=33), 4e-4, SWEPT, SWEEPS),
    "deepxde": Row(LINE, TINY_PEER, 0.07, ("step", "seconds", "loss"), STEPS, True, slow=True),
}
"""One row per kind of solver and field."""


# Tasks for formulations ------------------------------------------------------------------------------------------------


def prepared(problem: Problem, solver: Neural, seed: int = 5) -> tuple[Prepared, dict[str, Tensor]]:
    """The untrained ansatz with its losses, and the first batch."""
    task = solver.prepare(problem, Setting(seed=seed))
    return task, task.objective.sample(task.generator)


def exactly(problem: Problem, solver: Neural) -> tuple[Prepared, dict[str, Tensor]]:
    """The same with the coefficients of a polynomial ansatz set so that it is the exact, polynomial, solution."""
    task, batch = prepared(problem, solver)
    interpolate(problem, task.ansatz, problem.exact)
    return task, batch


def interpolate(problem: Problem, ansatz: nn.Module, function: Callable[[Tensor], Tensor]) -> None:
    """Fit an ansatz that is linear in its parameters to a function that it can represent."""
    box = problem.domain
    unit = torch.rand(400, box.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    x = torch.tensor(box.lower) + unit * torch.tensor(box.lengths)
    parameters = list(ansatz.function.parameters())
    count = sum(p.numel() for p in parameters)

    def values(coefficients: Tensor) -> Tensor:
        with torch.no_grad():
            nn.utils.vector_to_parameters(coefficients, parameters)
            return ansatz(x)[:, 0]

    constant = values(torch.zeros(count, dtype=torch.float64))
    matrix = torch.stack([values(e) - constant for e in torch.eye(count, dtype=torch.float64)], dim=1)
    wanted = function(x)[:, 0] - constant
    found = torch.linalg.lstsq(matrix, wanted[:, None], driver="gelsd").solution[:, 0]
    assert float((values(found) - wanted - constant).abs().max()) < 1e-9, "the ansatz does not hold the function"


def gradient(task: Prepared, batch: dict[str, Tensor], player: str = "u") -> tuple[Tensor, Tensor]:
    """Weighted loss of a player and its gradient as one vector."""
    terms = task.objective.losses(player, batch)
    loss = sum((task.weights[name] * term for name, term in terms.items()), torch.zeros((), dtype=torch.float64))
    parts = torch.autograd.grad(loss, [p for p in task.objective.players[player].parameters() if p.requires_grad])
    return loss.detach(), torch.cat([part.reshape(-1) for part in parts])


def polynomials(preset: Neural, formulation: Formulation, degree: int, conditions: Enforcement) -> Neural:
    """A preset whose network is a polynomial, with quadrature that is exact for what it is used on here."""
    return dataclasses.replace(
        preset,
        formulation=formulation,
        network=Polynomial(degree),
        collocation=dataclasses.replace(preset.collocation, points=256, boundary_points=64),
        conditions=conditions,
    )
