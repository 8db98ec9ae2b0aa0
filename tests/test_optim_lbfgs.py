"""L-BFGS and its line search against dense BFGS, the Wolfe conditions and known minima."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pdekit.optim import LBFGS
from pdekit.optim.linesearch import CURVATURE, SUFFICIENT_DECREASE, Trial, strong_wolfe


class Minimised:
    """A function of one vector, with counted evaluations."""

    def __init__(self, function, start: Tensor) -> None:
        self.x = nn.Parameter(start.clone())
        self.function = function
        self.evaluations = 0

    def __call__(self) -> Tensor:
        self.evaluations += 1
        self.x.grad = None
        loss = self.function(self.x)
        loss.backward()
        return loss.detach()

    def run(self, config: LBFGS, iterations: int) -> int:
        stepper = config.build([self.x])
        for k in range(iterations):
            stepper.iterate(self)
            if stepper.end_reason is not None:
                return k + 1
        return iterations


def rosenbrock(x: Tensor) -> Tensor:
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


def parabola(n: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n)
    basis = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64)).Q
    matrix = basis @ torch.diag(torch.logspace(0, 3, n, dtype=torch.float64)) @ basis.T
    return matrix, torch.randn(n, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("n", [2, 10, 40])
def test_rosenbrock_is_minimised_to_rounding(n):
    problem = Minimised(rosenbrock, torch.full((n,), -1.2, dtype=torch.float64))
    iterations = problem.run(LBFGS(), 1000)
    assert iterations < 1000
    # The minimum is at 1 except for a second local one near (-1, 1, ..., 1), which this start does not reach.
    assert (problem.x - 1.0).abs().max() < 1e-7


def test_an_iteration_costs_little_more_than_one_evaluation():
    """The gradient at the accepted step is reused, so the only extra evaluations are rejected first steps."""
    matrix, b = parabola(30)
    problem = Minimised(lambda x: 0.5 * x @ matrix @ x - b @ x, torch.zeros(30, dtype=torch.float64))
    iterations = problem.run(LBFGS(), 60)
    assert problem.evaluations <= 1.5 * iterations + 2


def test_a_parabola_is_solved():
    """Condition 1e3, n = 20: conjugate gradients need n iterations, L-BFGS with inexact search a small multiple."""
    matrix, b = parabola(20)
    problem = Minimised(lambda x: 0.5 * x @ matrix @ x - b @ x, torch.zeros(20, dtype=torch.float64))
    problem.run(LBFGS(), 100)
    torch.testing.assert_close(problem.x.detach(), torch.linalg.solve(matrix, b), rtol=1e-6, atol=1e-8)


def test_the_direction_is_that_of_dense_bfgs():
    """H_k+1 = (I - rho s y^T) H_k (I - rho y s^T) + rho s s^T, started from (s.y / y.y) I of the newest pair."""
    n = 6
    problem = Minimised(rosenbrock, torch.linspace(-1.0, 1.5, n, dtype=torch.float64))
    config = LBFGS(memory=50)
    stepper = config.build([problem.x])
    points, gradients = [], []
    for _ in range(8):
        problem()
        points.append(problem.x.detach().clone())
        gradients.append(problem.x.grad.clone())
        stepper.iterate(problem)
    pairs = [
        (points[i + 1] - points[i], gradients[i + 1] - gradients[i])
        for i in range(7)
        if (points[i + 1] - points[i]) @ (gradients[i + 1] - gradients[i]) > 0
    ]
    s, y = pairs[-1]
    inverse = (s @ y) / (y @ y) * torch.eye(n, dtype=torch.float64)
    for s, y in pairs:
        rho = 1.0 / (s @ y)
        left = torch.eye(n, dtype=torch.float64) - rho * torch.outer(s, y)
        inverse = left @ inverse @ left.T + rho * torch.outer(s, s)
    expected = -inverse @ gradients[-1]
    moved = problem.x.detach() - points[-1]
    torch.testing.assert_close(moved / moved.norm(), expected / expected.norm(), rtol=1e-7, atol=1e-9)


def test_memory_is_limited():
    problem = Minimised(rosenbrock, torch.full((8,), -1.2, dtype=torch.float64))
    stepper = LBFGS(memory=3).build([problem.x])
    for _ in range(10):
        stepper.iterate(problem)
    assert len(stepper.state_dict()["steps"]) == 3


def test_the_state_is_all_there_is():
    straight, resumed = (Minimised(rosenbrock, torch.full((8,), -1.2, dtype=torch.float64)) for _ in range(2))
    stepper = LBFGS(memory=4).build([straight.x])
    for _ in range(20):
        stepper.iterate(straight)
    first = LBFGS(memory=4).build([resumed.x])
    for _ in range(9):
        first.iterate(resumed)
    second = LBFGS(memory=4).build([resumed.x])
    second.load_state_dict(first.state_dict())
    for _ in range(11):
        second.iterate(resumed)
    assert torch.equal(straight.x, resumed.x)
    assert straight.evaluations == resumed.evaluations


@pytest.mark.parametrize(
    ("function", "config", "words"),
    [
        (lambda x: (x**2).sum(), LBFGS(gradient_tolerance=1e-3), "largest gradient entry at most 0.001"),
        (lambda x: 0.0 * x.sum() + 1.0, LBFGS(), "largest gradient entry at most 0"),
        (lambda x: torch.maximum(x - 1 / 3, 2 / 3 - 2 * x).sum() + 1.0, LBFGS(), "line search found no decrease"),
    ],
    ids=["tolerance", "flat", "kink"],
)
def test_the_end_is_explained(function, config, words):
    problem = Minimised(function, torch.full((3,), 0.7, dtype=torch.float64))
    stepper = config.build([problem.x])
    for _ in range(200):
        stepper.iterate(problem)
    assert stepper.end_reason is not None
    assert words in stepper.end_reason
    stepper.refresh()
    assert stepper.end_reason is None


def test_a_failed_search_leaves_the_parameters():
    """The function rises on every side of the point, yet reports a slope."""
    x = nn.Parameter(torch.ones(2, dtype=torch.float64))

    def lying() -> Tensor:
        x.grad = torch.ones_like(x)
        return (x.detach() - 1.0).abs().sum()

    stepper = LBFGS().build([x])
    assert stepper.iterate(lying) == 0.0
    assert torch.equal(x, torch.ones(2, dtype=torch.float64))
    assert "no decrease" in stepper.end_reason


def test_trials_that_are_not_finite_are_too_long():
    """log x has no value at the first step tried, which is where a longer network would give NaN."""
    problem = Minimised(lambda x: (x - torch.log(x)).sum(), torch.full((2,), 5.0, dtype=torch.float64))
    stepper = LBFGS(learning_rate=40.0).build([problem.x])
    for _ in range(30):
        assert math.isfinite(stepper.iterate(problem))
    torch.testing.assert_close(problem.x.detach(), torch.ones(2, dtype=torch.float64), rtol=1e-7, atol=0)


def test_complex_parameters():
    target = torch.tensor([1.0 + 2.0j, -0.5j], dtype=torch.complex128)
    problem = Minimised(lambda z: ((z - target).abs() ** 4 + (z - target).abs() ** 2).sum(), torch.zeros_like(target))
    problem.run(LBFGS(), 100)
    torch.testing.assert_close(problem.x.detach(), target, rtol=0, atol=1e-8)


@given(
    minimum=st.floats(1e-3, 1e3),
    power=st.sampled_from([2.0, 4.0, 1.5]),
    ripple=st.floats(0.0, 0.2),
    first=st.floats(1e-4, 1e4),
)
def test_the_line_search_meets_both_wolfe_conditions(minimum, power, ripple, first):
    """phi(t) = |t/m - 1|^p + ripple sin(5 t/m): several minima, any scale, any first step."""

    def trial(t: float) -> Trial:
        z = t / minimum
        loss = abs(z - 1.0) ** power + ripple * math.sin(5.0 * z)
        slope = (
            math.copysign(power * abs(z - 1.0) ** (power - 1.0), z - 1.0) + 5.0 * ripple * math.cos(5.0 * z)
        ) / minimum
        return Trial(t, loss, slope, torch.empty(0))

    start = trial(0.0)
    if start.slope >= 0.0:
        return
    found = strong_wolfe(trial, start, first, evaluations=60)
    assert found is not None
    assert found.loss <= start.loss + SUFFICIENT_DECREASE * found.length * start.slope
    assert abs(found.slope) <= CURVATURE * abs(start.slope)
