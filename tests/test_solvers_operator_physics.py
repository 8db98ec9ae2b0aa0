"""Losses of operators without labels: zero at the solution, right away from it, the same in every batch, refusals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from pdekit.problems import (
    AdvectionFamily,
    Antiderivative,
    BurgersFamily,
    DarcyFamily,
    Permeability,
    PoissonFamily,
    PoissonInput,
    UserArrays,
)
from pdekit.solvers.collocation import Law
from pdekit.solvers.operator_grid_physics import GridPhysics
from pdekit.solvers.operator_loss import CaseBatch, LearningTask
from pdekit.solvers.operator_physics import Physics
from torch import Tensor, nn

from pdekit.errors import ConfigError, NotApplicableError, SmoothnessError
from pdekit.nn import MLP, DeepONet, Fno, GreenNet, OperatorFrame, PointOperator, ReLU
from pdekit.operator_problem import Family, OperatorProblem

F64 = torch.float64
POINTWISE: list[Family] = [
    Antiderivative(points=40),
    PoissonFamily(points=33, modes=3),
    PoissonFamily(dim=2, points=17, modes=2),
    PoissonFamily(PoissonInput.BOUNDARY, dim=2, points=33, modes=3),
    DarcyFamily(Permeability.LOG_NORMAL, points=17, modes=2),
    BurgersFamily(points=32, modes=3, times=65),
    AdvectionFamily(points=32, modes=3, times=17),
]
IDS = [f"{family.name}-{family.input.names[0]}-{family.output.dim}" for family in POINTWISE]


class Answer(PointOperator):
    """The classical solutions of given cases, a polynomial between their grid points, times a parameter."""

    def __init__(self, family: Family, outputs: Tensor) -> None:
        super().__init__()
        self.family, self.outputs = family, outputs
        self.factor = nn.Parameter(torch.ones((), dtype=F64))

    def resolves(self, points: Sequence[int]) -> None:
        """Any."""

    def forward(self, inputs: Tensor, points: Sequence[int] | None = None) -> Tensor:
        return self.factor * self.outputs

    def at(self, inputs: Tensor, x: Tensor) -> Tensor:
        return self.function(inputs)(x).T[..., None]

    def function(self, inputs: Tensor) -> nn.Module:
        return Interpolated(self)


class Interpolated(nn.Module):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> Tensor:
        from pdekit.interpolant import Interpolant

        return self.answer.factor * Interpolant(self.answer.family.output, self.answer.outputs)(x)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def task_of(family: OperatorProblem, network: nn.Module, inputs: Tensor, outputs: Tensor | None = None) -> LearningTask:
    return LearningTask(family, network, inputs, outputs, generator(), 10)


def losses(loss: Physics | GridPhysics, task: LearningTask, cases: Tensor | None = None) -> dict[str, float]:
    loss.require(task.family)
    prepared = loss.prepare(task)
    return {
        k: float(v.detach()) for k, v in prepared.terms(CaseBatch(task, cases, prepared.sample(generator(3)))).items()
    }


@pytest.mark.parametrize("family", POINTWISE, ids=IDS)
def test_solutions_have_no_loss_at_points(family: Family) -> None:
    """1e-3 is what differentiating interpolated solutions of grids of 17 to 65 points leaves; without them it is 1."""
    drawn = family.draw(3, generator())
    inputs, outputs = family.inputs(drawn), family.solve_drawn(drawn)
    answer = Answer(family, outputs)
    terms = losses(Physics(points=64), task_of(family, answer, inputs))
    assert terms["equation"] < 1e-3 and terms["prescribed"] < 1e-10
    with torch.no_grad():
        answer.factor.fill_(1.5)
    wrong = losses(Physics(points=64), task_of(family, answer, inputs))
    assert wrong["equation"] > 100 * terms["equation"] or wrong["prescribed"] > 1e-2


@pytest.mark.parametrize("family", [*POINTWISE, DarcyFamily(points=17, modes=2)], ids=[*IDS, "darcy-jumps"])
def test_solutions_have_no_loss_on_their_grid(family: Family) -> None:
    """Burgers' and the transport's residual is zero up to the square of the time step."""
    inputs = family.sample(3, generator())
    answer = Answer(family, family.solve(inputs))
    terms = losses(GridPhysics(), task_of(family, answer, inputs))
    assert terms["equation"] < (2e-2 if family.domain.time is not None else 1e-6) and terms["prescribed"] < 1e-20
    with torch.no_grad():
        answer.factor.fill_(1.5)
    wrong = losses(GridPhysics(), task_of(family, answer, inputs))
    assert wrong["equation"] > 10 * terms["equation"] or wrong["prescribed"] > 1e-2


def test_the_equation_is_measured_in_parts_of_its_source() -> None:
    """u = 0 leaves the source: exactly 1 on the points that measure it, whatever the unit."""
    family = Antiderivative(points=40)
    inputs = family.sample(64, generator())
    answer = Answer(family, torch.zeros(64, 40, 1, dtype=F64))
    for unit in (1.0, 1e3):
        terms = losses(Physics(points=256), task_of(family, answer, unit * inputs))
        assert terms["equation"] == pytest.approx(1.0, rel=0.01) and terms["prescribed"] == 0.0


def test_terms_by_hand() -> None:
    """u(f)(x) = a x with a parameter: du/dx - f and u(0) at three points, two cases."""
    family = Antiderivative(points=40)
    inputs = family.sample(2, generator())
    network = GreenNet(MLP(4, 1)).build(OperatorFrame(family.input, family.output, F64, inputs), generator())
    task = task_of(family, network, inputs)
    loss = Physics(points=3, law=Law.GAUSS_LEGENDRE)
    prepared = loss.prepare(task)
    found = prepared.terms(CaseBatch(task, None, prepared.sample(generator())))
    x, step = torch.tensor([[0.5 - math.sqrt(0.15)], [0.5], [0.5 + math.sqrt(0.15)]], dtype=F64), 1e-5
    slope = (network.at(inputs, x + step) - network.at(inputs, x - step))[..., 0].T / (2 * step)
    source = family.interpolant(inputs)(x)
    many = torch.linspace(0, 1, 4001, dtype=F64)[:, None]
    size = family.interpolant(inputs)(many).square().mean()
    weights = torch.tensor([5, 8, 5], dtype=F64) / 18
    expected = (weights[:, None] * (slope - source).square()).sum() / 2 / size
    assert float(found["equation"].detach()) == pytest.approx(float(expected.detach()), rel=1e-3)
    start = network.at(inputs, torch.zeros(1, 1, dtype=F64))
    assert float(found["prescribed"].detach()) == pytest.approx(float(start.square().mean().detach()), rel=1e-9)


@pytest.mark.parametrize("law", [Law.SOBOL, Law.GAUSS_LEGENDRE])
def test_batches_are_parts_of_the_whole(law: Law) -> None:
    """The mean of the terms of two halves is the term of all; what is kept of one batch is not taken for another."""
    family = PoissonFamily(points=17, modes=3)
    inputs = family.sample(4, generator())
    network = DeepONet(4, MLP(6, 1), MLP(5, 1)).build(
        OperatorFrame(family.input, family.output, F64, inputs), generator()
    )
    task = task_of(family, network, inputs)
    prepared = Physics(points=16, law=law).prepare(task)
    drawn = prepared.sample(generator())
    assert bool(drawn) == (law is Law.SOBOL)  # the points of a rule are laid once
    halves = [prepared.terms(CaseBatch(task, torch.tensor(c), drawn)) for c in ([0, 1], [2, 3])]
    whole, again = (prepared.terms(CaseBatch(task, None, drawn)) for _ in range(2))
    for name in whole:
        value, parts = whole[name].detach(), [half[name].detach() for half in halves]
        assert float(value) == pytest.approx(float(sum(parts)) / 2, rel=1e-12)
        assert float(value) == float(again[name].detach())
    other = prepared.terms(CaseBatch(task, None, prepared.sample(generator(5))))
    assert (float(other["equation"].detach()) != float(whole["equation"].detach())) == bool(drawn)


def test_gradients_reach_branch_and_trunk() -> None:
    family = BurgersFamily(points=16, modes=2, times=5)
    inputs = family.sample(3, generator())
    network = DeepONet(4, MLP(6, 1), MLP(5, 1)).build(
        OperatorFrame(family.input, family.output, F64, inputs), generator()
    )
    task = task_of(family, network, inputs)
    prepared = Physics(points=16).prepare(task)
    drawn = prepared.sample(generator())
    terms = prepared.terms(CaseBatch(task, None, drawn))
    sum(terms.values()).backward()  # type: ignore[union-attr]
    direction = {
        name: torch.randn(p.shape, generator=generator(2), dtype=F64) for name, p in network.named_parameters()
    }
    slope = sum(float((p.grad * direction[name]).sum()) for name, p in network.named_parameters() if p.grad is not None)
    sides = []
    start = dict(network.named_parameters())
    for step in (1e-5, -1e-5):
        moved = {name: (p + step * direction[name]).detach() for name, p in start.items()}
        network.load_state_dict(network.state_dict() | moved)
        sides.append(float(sum(t.detach() for t in prepared.terms(CaseBatch(task, None, drawn)).values())))
        network.load_state_dict(network.state_dict() | {n: m - step * direction[n] for n, m in moved.items()})
    assert (sides[0] - sides[1]) / 2e-5 == pytest.approx(slope, rel=1e-6)
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
    assert math.isfinite(slope)


def test_what_does_not_fit_is_refused_before_data_are_made() -> None:
    with pytest.raises(NotApplicableError, match="the coefficient jumps"):
        Physics().require(DarcyFamily())
    for loss in (Physics(), GridPhysics()):
        with pytest.raises(NotApplicableError, match=r"functions? of x, t, the outputs are .*set times to 3 or more"):
            loss.require(BurgersFamily())
    arrays = UserArrays.__new__(UserArrays)
    with pytest.raises(NotApplicableError, match="has no equation, only data"):
        Physics().require(arrays)
    family = PoissonFamily(points=9, modes=2)
    inputs = family.sample(2, generator())
    given = OperatorFrame(family.input, family.output, F64, inputs)
    with pytest.raises(NotApplicableError, match="outputs on a grid only"):
        Physics().prepare(task_of(family, Fno(4, 2, 1).build(given, generator()), inputs))
    with pytest.raises(SmoothnessError):
        Physics().prepare(task_of(family, DeepONet(3, MLP(4, 1, ReLU())).build(given, generator()), inputs))
    with pytest.raises(NotApplicableError, match="kinks at the points of its quadrature"):
        Physics().prepare(task_of(family, GreenNet(MLP(4, 1)).build(given, generator()), inputs))
    with pytest.raises(ConfigError, match="points"):
        Physics(points=0)
    with pytest.raises(ConfigError, match="boundary_weight"):
        GridPhysics(boundary_weight=-1.0)
