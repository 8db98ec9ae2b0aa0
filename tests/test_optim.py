"""First-order optimisers and schedules against their formulas."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import nn

from pdekit.errors import ConfigError
from pdekit.optim import LBFGS, SGD, Adam, Constant, Cosine, Exponential, GradientStepper, TorchOptimizer, Warmup


def parameters(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float64) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(5)
    return [nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype)) for shape in shapes]


def set_gradients(group: list[nn.Parameter]) -> None:
    """The gradient of sum (theta^4 / 4 + theta)."""
    for p in group:
        p.grad = p.detach() ** 3 + 1.0


@pytest.mark.parametrize("value", [math.nan, math.inf, 0, -1e-3, "1e-3", True, None])
@pytest.mark.parametrize("kind", [Adam, SGD, LBFGS])
def test_impossible_learning_rates_are_refused(kind, value):
    with pytest.raises(ConfigError, match="learning_rate: got") as caught:
        kind(learning_rate=value)
    assert repr(value) in str(caught.value)
    assert type(value).__name__ in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Adam(betas=(0.9, 1.0)),
        lambda: Adam(betas=(-0.1, 0.9)),
        lambda: Adam(eps=0.0),
        lambda: Adam(weight_decay=-1.0),
        lambda: SGD(momentum=1.0),
        lambda: LBFGS(memory=0),
        lambda: LBFGS(memory=2.5),
        lambda: LBFGS(gradient_tolerance=-1.0),
        lambda: Exponential(decay=1.5),
        lambda: Exponential(every=0),
        lambda: Cosine(final=-0.1),
        lambda: Warmup(steps=0),
    ],
)
def test_other_impossible_options_are_refused(make):
    with pytest.raises(ConfigError, match=r"got .* expected"):
        make()


def test_configs_are_immutable_values():
    assert Adam(1e-2) == Adam(learning_rate=1e-2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Adam().learning_rate = 1.0


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_follows_its_formula(decay):
    """Three steps of the recursion, written out in plain Python floats."""
    b1, b2, eps, rate = 0.8, 0.95, 1e-6, 0.05
    (p,) = parameters((1,))
    stepper = Adam(rate, (b1, b2), eps, decay).build([p])
    theta, m, v = float(p.detach()), 0.0, 0.0
    for k in range(1, 4):
        g = theta**3 + 1.0
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        theta = theta * (1 - rate * decay) - rate * (m / (1 - b1**k)) / (math.sqrt(v / (1 - b2**k)) + eps)
        set_gradients([p])
        stepper.step()
        assert float(p.detach()) == pytest.approx(theta, rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex128])
def test_adam_agrees_with_torch(dtype):
    mine, theirs = parameters((3, 2), (4,), dtype=dtype), parameters((3, 2), (4,), dtype=dtype)
    stepper, reference = Adam(0.02).build(mine), torch.optim.Adam(theirs, lr=0.02, foreach=False)
    for _ in range(20):
        set_gradients(mine)
        set_gradients(theirs)
        stepper.step()
        reference.step()
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5 if dtype == torch.float32 else 1e-12, atol=1e-7)


def test_parameters_without_gradient_stay():
    first, second = parameters((2,), (2,))
    before = second.detach().clone()
    for config in (Adam(), SGD(momentum=0.5)):
        stepper = config.build([first, second])
        set_gradients([first])
        stepper.step()
        assert torch.equal(second, before)


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_gradient_descent_on_a_parabola(momentum):
    """theta_k of L = lam theta^2 / 2 solves a linear recursion; without momentum theta_k = (1 - rate lam)^k theta_0."""
    lam, rate = torch.tensor([1.0, 3.0], dtype=torch.float64), 0.1
    p = nn.Parameter(torch.tensor([2.0, -1.0], dtype=torch.float64))
    stepper = SGD(rate, momentum).build([p])
    previous, current = p.detach().clone(), p.detach().clone()
    for _ in range(10):
        p.grad = lam * p.detach()
        stepper.step()
        previous, current = current, current - rate * lam * current + momentum * (current - previous)
    torch.testing.assert_close(p.detach(), current, rtol=1e-13, atol=0)
    if momentum == 0.0:
        torch.testing.assert_close(current, torch.tensor([2.0, -1.0]) * (1 - rate * lam) ** 10, rtol=1e-13, atol=0)


CONFIGS = [
    Adam(0.03),
    SGD(0.01, 0.9),
    TorchOptimizer("RAdam", 0.03, lambda p, rate: torch.optim.RAdam(p, lr=rate)),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.name)
def test_the_state_is_all_there_is(config):
    """Ten steps equal five, state saved and loaded into a new stepper, five more, bit for bit."""

    def steps(stepper: GradientStepper, group: list[nn.Parameter], count: int) -> None:
        for _ in range(count):
            set_gradients(group)
            stepper.step()

    straight, resumed = parameters((3, 2)), parameters((3, 2))
    steps(config.build(straight), straight, 10)
    first, second = config.build(resumed), config.build(resumed)
    steps(first, resumed, 5)
    second.load_state_dict(first.state_dict())
    steps(second, resumed, 5)
    assert torch.equal(straight[0], resumed[0])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.name)
def test_the_rate_can_be_set(config):
    (p,) = parameters((3,))
    before = p.detach().clone()
    stepper = config.build([p])
    stepper.set_rate(0.0)
    set_gradients([p])
    stepper.step()
    assert torch.equal(p, before)


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        (Constant(), 70, 1.0),
        (Exponential(0.5, 10), 0, 1.0),
        (Exponential(0.5, 10), 10, 0.5),
        (Exponential(0.5, 10), 5, math.sqrt(0.5)),
        (Cosine(), 0, 1.0),
        (Cosine(), 50, 0.5),
        (Cosine(0.2), 100, 0.2),
        (Cosine(0.2), 150, 0.2),
        (Warmup(4), 0, 0.25),
        (Warmup(4), 3, 1.0),
        (Warmup(20, Cosine()), 60, 0.5),
        (Warmup(200), 199, 1.0),
    ],
)
def test_schedules(schedule, step, expected):
    assert schedule.factor(step, 100) == pytest.approx(expected, abs=1e-15)
