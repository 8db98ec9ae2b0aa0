"""Self-scaled Broyden against its formulas, and against what makes it worth having."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from pdekit.errors import ConfigError, MemoryBudgetError
from pdekit.optim import LBFGS, ClosureStepper, SelfScaledBroyden
from pdekit.optim.broyden import Member, _Matrix, _Recent
from pdekit.optim.quasi_newton import Pair


class Valley:
    """f(x) = 1/2 (x - c)^T D (x - c) with eigenvalues from 1 to 10^decades."""

    def __init__(self, size: int = 20, decades: float = 6.0) -> None:
        generator = torch.Generator().manual_seed(17)
        q = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))[0]
        self.matrix = q @ torch.diag(torch.logspace(0, decades, size, dtype=torch.float64)) @ q.T
        self.parameter = nn.Parameter(torch.randn(size, generator=generator, dtype=torch.float64))
        self.calls = 0

    def __call__(self) -> Tensor:
        self.calls += 1
        image = self.matrix @ self.parameter.detach()
        self.parameter.grad = image.clone()
        return 0.5 * self.parameter.detach() @ image


def random_pairs(count: int, size: int = 6) -> list[Pair]:
    """Steps on a quadratic function, so that s.y > 0."""
    generator = torch.Generator().manual_seed(23)
    root = torch.randn(size, size, generator=generator, dtype=torch.float64)
    hessian = root @ root.T + 0.1 * torch.eye(size, dtype=torch.float64)
    steps = torch.randn(count, size, generator=generator, dtype=torch.float64)
    return [Pair(s, hessian @ s, torch.randn(size, generator=generator, dtype=torch.float64), math.nan) for s in steps]


def matrix_of(inverse: _Matrix | _Recent, size: int = 6) -> Tensor:
    return torch.stack([inverse.image(unit) for unit in torch.eye(size, dtype=torch.float64)], 1)


def run(stepper: ClosureStepper, problem: Valley, iterations: int) -> float:
    value = math.nan
    for _ in range(iterations):
        value = stepper.iterate(problem)
        if stepper.end_reason is not None:
            break
    return value


@pytest.mark.parametrize("inverse", [_Matrix(), _Recent(10)], ids=["matrix", "recent"])
def test_secant_equation_and_symmetry(inverse):
    for pair in random_pairs(4):
        inverse.learn(pair)
        h = matrix_of(inverse)
        assert torch.allclose(h @ pair.change, pair.step, rtol=0, atol=1e-10)
        assert torch.allclose(h, h.T, rtol=0, atol=1e-12)
        assert float(torch.linalg.eigvalsh(h).min()) > 0


def test_recent_pairs_are_the_matrix_until_memory_is_full():
    full, recent, short = _Matrix(), _Recent(5), _Recent(3)
    pairs = random_pairs(5)
    for pair in pairs:
        for inverse in (full, recent, short):
            inverse.learn(pair)
    assert torch.allclose(matrix_of(full), matrix_of(recent), rtol=1e-10, atol=1e-12)
    assert not torch.allclose(matrix_of(full), matrix_of(short), rtol=1e-3)
    assert torch.allclose(matrix_of(short) @ pairs[-1].change, pairs[-1].step, rtol=0, atol=1e-10)
    assert float(torch.linalg.eigvalsh(matrix_of(short)).min()) > 0


def test_member_of_the_family():
    """The general update in terms of B = H^-1: the scaled Broyden family with theta, phi = (1 - theta) / (1 + theta a)."""
    generator = torch.Generator().manual_seed(29)
    root = torch.randn(5, 5, generator=generator, dtype=torch.float64)
    h = root @ root.T + 0.1 * torch.eye(5, dtype=torch.float64)
    gradient = torch.randn(5, generator=generator, dtype=torch.float64)
    for length, change in ((0.7, torch.randn(5, generator=generator, dtype=torch.float64)), (1.0, None)):
        s = -length * (h @ gradient)
        y = change if change is not None else 3.0 * torch.linalg.solve(h, s)
        y = y if float(s @ y) > 0 else -y
        member = Member.of(Pair(s, y, gradient, length), h @ y)
        b = torch.linalg.inv(h)
        sy, sbs, yhy = float(s @ y), float(s @ b @ s), float(y @ h @ y)
        a = sbs * yhy / sy**2 - 1.0
        assert 0.0 < member.tau <= 1.0
        if change is None:  # y parallel to Bs: every member is the same, and the scaling is that of SS-BFGS at most
            assert a == pytest.approx(0.0, abs=1e-9)
            continue
        theta = (1.0 - member.phi) / (1.0 + member.phi * a)
        w = math.sqrt(sbs) * (y / sy - b @ s / sbs)
        updated = (
            member.tau * (b - torch.outer(b @ s, b @ s) / sbs + theta * torch.outer(w, w)) + torch.outer(y, y) / sy
        )
        v = math.sqrt(yhy) * (s / sy - h @ y / yhy)
        inverse = (h - torch.outer(h @ y, h @ y) / yhy + member.phi * torch.outer(v, v)) / member.tau
        inverse += torch.outer(s, s) / sy
        assert torch.allclose(torch.linalg.inv(updated), inverse, rtol=1e-8)


@pytest.mark.parametrize("memory", [None, 40])
def test_ends_an_ill_conditioned_valley(memory):
    problem = Valley()
    start = float(problem())
    stepper = SelfScaledBroyden(memory=memory).build([problem.parameter])
    assert run(stepper, problem, 150) < 1e-20 * start


def test_beats_lbfgs_where_memory_counts():
    """Condition number 1e8 in 60 unknowns: the same number of evaluations."""
    values = []
    for optimizer in (SelfScaledBroyden(), LBFGS(memory=10)):
        problem = Valley(60, 8.0)
        values.append(run(optimizer.build([problem.parameter]), problem, 300))
    assert values[0] < 1e-3 * values[1]


@pytest.mark.parametrize("memory", [None, 4])
def test_state_is_complete(memory):
    straight, resumed = Valley(), Valley()
    optimizer = SelfScaledBroyden(memory=memory)
    first, second = (optimizer.build([problem.parameter]) for problem in (straight, resumed))
    run(first, straight, 12)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    with torch.no_grad():
        resumed.parameter.copy_(straight.parameter)
    run(first, straight, 12)
    run(second, resumed, 12)
    assert torch.equal(straight.parameter, resumed.parameter)


def test_refuses_what_does_not_fit():
    parameter = nn.Parameter(torch.zeros(1000, dtype=torch.float64))
    with pytest.raises(MemoryBudgetError, match=r"8000000 bytes, the limit is 1000000"):
        SelfScaledBroyden(memory_limit=1_000_000).build([parameter])
    SelfScaledBroyden(memory=20, memory_limit=1_000_000).build([parameter])
    for arguments in ({"memory": 0}, {"learning_rate": 0.0}, {"gradient_tolerance": -1.0}):
        with pytest.raises(ConfigError, match=next(iter(arguments))):
            SelfScaledBroyden(**arguments)
