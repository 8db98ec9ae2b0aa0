"""Formulations against independent computations: by hand, at exact solutions, by brute force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from pdekit.problems import Heat, NewtonLaw
from pdekit.solvers import (
    Enforcement,
    Nitsche,
    Ritz,
    StrongForm,
    WeakAdversarial,
    deep_nitsche,
    deep_ritz,
    pinn,
    wan,
)
from scipy.linalg import eigh
from solver_cases import LINE, exactly, gradient, interpolate, polynomials, prepared, tiny
from torch import Tensor
from trust_cases import Ring

from pdekit.conditions import Condition, Dirichlet, Neumann, Observations, Robin
from pdekit.domain import Box, Interval, Rectangle
from pdekit.nn import MLP, Polynomial, Spread
from pdekit.problem import Elliptic, Problem
from pdekit.sampling import GaussLegendre, interior_points

HARD, SOFT = Enforcement.HARD, Enforcement.SOFT


@dataclass(frozen=True)
class Mixed(Elliptic):
    """-div((1 + x) grad u) + 2 u = f on (0, 1) x (0, 2), u = x^2 y + y^2 + x: flux left, Robin on top, else Dirichlet."""

    name: ClassVar[str] = "mixed"
    domain: ClassVar[Box] = Rectangle((0.0, 0.0), (1.0, 2.0))

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (Neumann("left", -1.0), Dirichlet(("right", "bottom"), self.exact), Robin("top", 3.0, self.top))

    def diffusion(self, x: Tensor) -> Tensor:
        return 1 + x[:, :1]

    def reaction(self, x: Tensor) -> Tensor:
        return torch.full_like(x[:, :1], 2.0)

    def source(self, x: Tensor) -> Tensor:
        s, t = x[:, :1], x[:, 1:]
        return -(4 * s * t + 2 * t + 1) - 2 * (1 + s) + 2 * self.exact(x)

    def top(self, x: Tensor) -> Tensor:
        s, t = x[:, :1], x[:, 1:]
        return (1 + s) * (s**2 + 2 * t) + 3 * self.exact(x)

    def exact(self, x: Tensor) -> Tensor:
        s, t = x[:, :1], x[:, 1:]
        return s**2 * t + t**2 + s


@dataclass(frozen=True)
class Parabola(Elliptic):
    """-u'' = 2 on (0, 1), u = 1 at both ends: u = 1 + x (1 - x)."""

    name: ClassVar[str] = "parabola"
    domain: ClassVar[Box] = Interval(0.0, 1.0)
    conditions: ClassVar[tuple[Condition, ...]] = (Dirichlet("boundary", 1.0),)

    def source(self, x: Tensor) -> Tensor:
        return torch.full_like(x, 2.0)

    def exact(self, x: Tensor) -> Tensor:
        return 1 + x * (1 - x)


def scale(problem: Problem, loss: Tensor, by_hand: Tensor) -> float:
    """The size of the data that a loss was divided by, which must be the root mean square of the source."""
    found = float(by_hand.detach() / loss.detach())
    points = interior_points(problem.domain, GaussLegendre(8, 2), torch.Generator())
    expected = float((points.weight @ problem.source(points.x) ** 2 / points.weight.sum()).sqrt())
    assert found == pytest.approx(expected, rel=0.02)
    return found


def mean(batch: dict[str, Tensor], name: str, values: Tensor) -> Tensor:
    weight = batch[f"{name}.weight"]
    return (weight * values[:, 0]).sum() / weight.sum()


def derivative(u: Tensor, x: Tensor) -> Tensor:
    return torch.autograd.grad(u.sum(), x, create_graph=True)[0]


def same_gradients(expected: Tensor, loss: Tensor, parameters: list[Tensor]) -> None:
    """Two losses with the same gradient; one kernel may leave out what the other gives as zero."""
    by_hand, ours = (torch.autograd.grad(v, parameters, materialize_grads=True) for v in (expected, loss))
    torch.testing.assert_close(ours, by_hand, rtol=1e-9, atol=1e-11)


# Strong form ----------------------------------------------------------------------------------------------------------


def test_strong_form_by_hand():
    """The mean squared residual of a problem with all kinds of conditions, by nested autograd."""
    problem = Mixed()
    task, batch = prepared(problem, tiny(pinn(), points=50))
    terms = task.objective.losses("u", batch)
    parameters = list(task.ansatz.parameters())

    def at(name: str) -> tuple[Tensor, Tensor, Tensor]:
        x = batch[f"{name}.x"].clone().requires_grad_(True)
        u = task.ansatz(x)
        return x, u, derivative(u, x)

    x, u, du = at("interior")
    flux = problem.diffusion(x) * du
    divergence = derivative(flux[:, 0], x)[:, :1] + derivative(flux[:, 1], x)[:, 1:]
    residual = mean(batch, "interior", (-divergence + 2 * u - problem.source(x)) ** 2)
    by_hand = {"pde": residual / scale(problem, terms["pde"].sqrt(), residual.sqrt()) ** 2}
    x, u, du = at("neumann(left)")
    by_hand["neumann(left)"] = mean(batch, "neumann(left)", (-du[:, :1] + 1) ** 2)  # A = 1 and n = -1 there
    x, u, du = at("robin(top)")
    by_hand["robin(top)"] = mean(batch, "robin(top)", ((1 + x[:, :1]) * du[:, 1:] + 3 * u - problem.top(x)) ** 2)
    x, u, _ = at("dirichlet(right+bottom)")
    by_hand["dirichlet(right+bottom)"] = mean(batch, "dirichlet(right+bottom)", (u - problem.exact(x)) ** 2)

    assert terms.keys() == by_hand.keys() == task.weights.keys()
    assert task.weights["pde"] == 1.0
    assert {task.weights[name] for name in terms if name != "pde"} == {100.0}
    for name, term in terms.items():
        torch.testing.assert_close(term, by_hand[name], rtol=1e-10, atol=0.0)
        same_gradients(by_hand[name], term, parameters)


def test_strong_form_of_the_heat_equation_by_hand():
    problem = Heat(1)
    task, batch = prepared(problem, tiny(pinn(), points=50))
    terms = task.objective.losses("u", batch)
    x = batch["interior.x"].clone().requires_grad_(True)
    du = derivative(task.ansatz(x), x)
    residual = du[:, 1:] - problem.diffusivity * derivative(du[:, 0], x)[:, :1]
    by_hand = mean(batch, "interior", residual**2)
    # There is no source to measure the size of, so that only the ratio of the loss to its gradient is known.
    size = float(by_hand.detach() / terms["pde"].detach())
    assert size > 0
    same_gradients(by_hand / size, terms["pde"], list(task.ansatz.parameters()))
    start = batch["initial(u).x"]
    assert bool((start[:, 1] == 0).all())
    gap = task.ansatz(start) - problem.exact(start)
    torch.testing.assert_close(terms["initial(u)"], mean(batch, "initial(u)", gap**2), rtol=1e-10, atol=0.0)


def test_initial_velocity_by_hand():
    task, batch = prepared(NewtonLaw(), tiny(pinn()))
    terms = task.objective.losses("u", batch)
    x = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
    s = task.ansatz(x)
    torch.testing.assert_close(terms["initial(u)"], s.square().squeeze())
    torch.testing.assert_close(terms["initial(du/dt)"], derivative(s, x).square().squeeze())


def test_periodic_condition_by_hand():
    task, batch = prepared(Ring(), tiny(pinn()))
    term = task.objective.losses("u", batch)["periodic(x)"]
    ends = torch.tensor([Ring().domain.lower, Ring().domain.upper], dtype=torch.float64, requires_grad=True)
    u = task.ansatz(ends)
    slope = derivative(u, ends)
    torch.testing.assert_close(term, ((u[0] - u[1]) ** 2 + (slope[0] - slope[1]) ** 2).squeeze())


def observed(count: int) -> Observations:
    x = torch.linspace(0.1, 0.9, count, dtype=torch.float64)[:, None]
    return Observations(x, torch.sin(torch.pi * x))


@dataclass(frozen=True)
class Inverse(Problem):
    """-k u'' = 2 pi^2 sin pi x on (0, 1), u = 0 at both ends, u = sin pi x observed, k unknown: k = 2."""

    name: ClassVar[str] = "inverse"
    domain: ClassVar[Box] = Interval(0.0, 1.0)
    unknowns: ClassVar[dict[str, float]] = {"k": 1.0}

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (Dirichlet(), observed(9))

    def residual(self, u):
        return -u.coefficients["k"] * u.laplacian - 2 * torch.pi**2 * torch.sin(torch.pi * u.x)


def test_observations_by_hand():
    task, batch = prepared(Inverse(), tiny(pinn()))
    data = observed(9)
    term = task.objective.losses("u", batch)["observations(9)"]
    torch.testing.assert_close(term, (task.ansatz(data.x) - data.values).square().mean())
    assert any(name.endswith("k") for name, _ in task.ansatz.named_parameters())


# Energies -------------------------------------------------------------------------------------------------------------


def stationary(problem: Problem, solver, *, tolerance: float = 1e-10) -> None:
    """The gradient vanishes at the exact solution, and nowhere near it."""
    task, batch = exactly(problem, solver)
    _, at_solution = gradient(task, batch)
    assert float(at_solution.abs().max()) < tolerance
    with torch.no_grad():
        for p in task.ansatz.parameters():
            p.add_(0.01 * torch.linspace(1, 2, p.numel(), dtype=p.dtype).reshape(p.shape))
    _, nearby = gradient(task, batch)
    assert float(nearby.abs().max()) > 1e-4


@pytest.mark.parametrize("problem", [Parabola(), Mixed()], ids=lambda p: p.name)
def test_the_exact_solution_is_stationary_for_ritz_with_hard_conditions(problem):
    """Neumann and Robin data are part of the energy."""
    stationary(problem, polynomials(deep_ritz(), Ritz(), 4, HARD))


@pytest.mark.parametrize("penalty", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("problem", [Parabola(), Mixed()], ids=lambda p: p.name)
def test_the_exact_solution_is_stationary_for_nitsche_with_every_penalty(problem, penalty):
    stationary(problem, polynomials(deep_nitsche(), Nitsche(penalty), 4, SOFT))


@pytest.mark.parametrize("problem", [Parabola(), Mixed()], ids=lambda p: p.name)
def test_the_exact_solution_is_stationary_for_the_strong_form(problem):
    for conditions in (HARD, SOFT):
        stationary(problem, polynomials(pinn(), StrongForm(), 4, conditions), tolerance=1e-8)


@pytest.mark.parametrize("weight", [10.0, 1000.0])
def test_a_penalty_moves_the_minimiser_by_the_known_amount(weight):
    """E / (|D| s) + w mean (u - g)^2 is least where s w (u - g) = -u_n, here with u_n = -1 and two end points."""
    problem = Parabola()
    task, batch = prepared(problem, polynomials(deep_ritz(), Ritz(weight), 4, SOFT))
    shift = 1 / (weight * 2.0)  # the source is 2 everywhere
    interpolate(problem, task.ansatz, lambda x: problem.exact(x) + shift)
    _, moved = gradient(task, batch)
    assert float(moved.abs().max()) < 1e-10
    interpolate(problem, task.ansatz, problem.exact)
    _, unmoved = gradient(task, batch)
    assert float(unmoved.abs().max()) > 0.1


def test_energy_gradient_by_hand():
    problem = Mixed()
    task, batch = prepared(problem, tiny(deep_ritz(), points=100))
    terms = task.objective.losses("u", batch)
    x = batch["interior.x"].clone().requires_grad_(True)
    u = task.ansatz(x)
    du = derivative(u, x)
    bulk = 0.5 * problem.diffusion(x) * (du**2).sum(dim=1, keepdim=True) + u**2 - problem.source(x) * u
    measure = 2.0
    left, top = batch["neumann(left).x"], batch["robin(top).x"]
    edge = (batch["neumann(left).weight"][:, None] * task.ansatz(left)).sum()  # g = -1
    u = task.ansatz(top)
    edge = edge + (batch["robin(top).weight"][:, None] * (1.5 * u**2 - problem.top(top) * u)).sum()
    energy = mean(batch, "interior", bulk) + edge / measure
    by_hand = energy / scale(problem, terms["energy"], energy)
    assert set(terms) == {"energy"}
    torch.testing.assert_close(terms["energy"], by_hand, rtol=1e-10, atol=0.0)
    same_gradients(by_hand, terms["energy"], list(task.ansatz.parameters()))


@pytest.mark.parametrize("penalty", [3.0, 50.0])
def test_nitsche_energy_by_hand(penalty):
    """On an interval the boundary is two points; L is its length, and so is the measure."""
    problem = Parabola()
    task, batch = prepared(problem, tiny(deep_nitsche(), formulation=Nitsche(penalty)))
    terms = task.objective.losses("u", batch)
    x = batch["interior.x"].clone().requires_grad_(True)
    u = task.ansatz(x)
    energy = mean(batch, "interior", 0.5 * derivative(u, x) ** 2 - 2 * u)
    for end, normal in ((0.0, -1.0), (1.0, 1.0)):
        x = torch.tensor([[end]], dtype=torch.float64, requires_grad=True)
        u = task.ansatz(x)
        energy = energy + (-normal * derivative(u, x) * (u - 1) + 0.5 * penalty * (u - 1) ** 2).squeeze()
    assert set(terms) == {"energy"}
    by_hand = energy / scale(problem, terms["energy"], energy)
    same_gradients(by_hand, terms["energy"], list(task.ansatz.parameters()))
    torch.testing.assert_close(terms["energy"], energy / 2.0, rtol=1e-9, atol=0.0)  # the source is 2


# The weak form and its adversary ---------------------------------------------------------------------------------------

ADVERSARY = WeakAdversarial(MLP(8, 2, init=Spread(2.0, start=1.0)), tests=4)
EXACT_ADVERSARY = WeakAdversarial(Polynomial(3), tests=4)  # polynomials, which the points integrate exactly


@pytest.mark.parametrize("problem", [Parabola(), Mixed()], ids=lambda p: p.name)
def test_no_adversary_finds_anything_wrong_with_the_exact_solution(problem):
    task, batch = exactly(problem, polynomials(wan(), EXACT_ADVERSARY, 4, HARD))
    generator = torch.Generator().manual_seed(8)
    adversary = list(task.objective.players["phi"].parameters())
    for _ in range(5):
        with torch.no_grad():
            for parameter in adversary:
                parameter.copy_(torch.randn(parameter.shape, dtype=parameter.dtype, generator=generator))
        ratio, slope = gradient(task, batch)
        assert float(ratio) < 1e-20
        assert float(slope.abs().max()) < 1e-10
        interpolate(problem, task.ansatz, lambda x: problem.exact(x) + 0.01 * bump(x))
        assert float(gradient(task, batch)[0]) > 1e-9
        interpolate(problem, task.ansatz, problem.exact)


def bump(x: Tensor) -> Tensor:
    """x (1 - x), and y in the plane: zero wherever u is prescribed."""
    return x[:, :1] * (1 - x[:, :1]) * (x[:, 1:] if x.shape[1] == 2 else 1)


def weak_by_hand(problem: Mixed, task, batch) -> tuple[Tensor, Tensor]:
    """r (m,) and G (m, m), one test function at a time."""
    phi = task.objective.players["phi"]
    measure = problem.domain.measure()

    def at(name: str) -> tuple[Tensor, Tensor, Tensor, Tensor, list[Tensor]]:
        x = batch[f"{name}.x"].clone().requires_grad_(True)
        u, tests = task.ansatz(x), phi(x)
        return x, u, derivative(u, x), tests, [derivative(tests[:, i], x) for i in range(tests.shape[1])]

    x, u, du, tests, slopes = at("interior")
    w = batch["interior.weight"] / measure
    residual = []
    for i, slope in enumerate(slopes):
        density = problem.diffusion(x)[:, 0] * (du * slope).sum(dim=1)
        residual.append((w * (density + (2 * u - problem.source(x))[:, 0] * tests[:, i])).sum())
    gram = torch.stack([torch.stack([(w * (a * b).sum(dim=1)).sum() for b in slopes]) for a in slopes])
    r = torch.stack(residual)
    x, u, _, tests, _ = at("neumann(left)")
    r = r + (batch["neumann(left).weight"] / measure) @ tests  # -g = 1
    x, u, _, tests, _ = at("robin(top)")
    r = r + (batch["robin(top).weight"] / measure) @ ((3 * u - problem.top(x)) * tests)
    return r.detach(), gram.detach()


def test_the_weak_ratio_is_the_largest_over_the_span():
    problem = Mixed()
    task, batch = prepared(problem, polynomials(wan(), ADVERSARY, 4, HARD))
    sizes = []
    for bend in (0.3, 2.0):
        interpolate(problem, task.ansatz, lambda x, bend=bend: problem.exact(x) + bend * bump(x) * (1 + x[:, :1]))
        loss = task.objective.losses("u", batch)["weak"]
        r, gram = weak_by_hand(problem, task, batch)
        largest = torch.tensor(eigh(torch.outer(r, r).numpy(), gram.numpy(), eigvals_only=True)[-1])
        sizes.append(scale(problem, loss.sqrt(), largest.sqrt()))
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-6)
    random = np.random.default_rng(2)
    found = [(c @ r.numpy()) ** 2 / (c @ gram.numpy() @ c) for c in random.normal(size=(5000, len(r)))]
    assert 0.8 * float(largest) < max(found) <= float(largest) * (1 + 1e-6)


def test_the_players_pull_in_opposite_directions_and_leave_each_other_alone():
    problem = Mixed()
    task, batch = prepared(problem, polynomials(wan(), ADVERSARY, 3, HARD))
    losses = task.objective.losses
    u, phi = (list(task.objective.players[name].parameters()) for name in ("u", "phi"))
    assert list(task.objective.players) == ["u", "phi"]
    for player, others in (("u", phi), ("phi", u)):
        total = sum(losses(player, batch).values(), torch.zeros((), dtype=torch.float64))
        assert all(g is None for g in torch.autograd.grad(total, others, allow_unused=True))

    def ratio() -> float:
        return float(losses("u", batch)["weak"].detach())

    for player, parameters, sign in (("u", u, -1.0), ("phi", phi, 1.0)):
        before = ratio()
        slopes = torch.autograd.grad(sum(losses(player, batch).values()), parameters)
        size = sum(float((g**2).sum()) for g in slopes) ** 0.5
        with torch.no_grad():
            for p, g in zip(parameters, slopes, strict=True):
                p.sub_(1e-4 * g / size)
        assert sign * (ratio() - before) > 0


def test_the_weak_losses_match():
    """The adversary's loss is minus the logarithm of what the unknown minimises."""
    task, batch = prepared(LINE, polynomials(wan(), ADVERSARY, 3, HARD))
    weak, adversary = (float(sum(task.objective.losses(p, batch).values()).detach()) for p in ("u", "phi"))
    assert adversary == pytest.approx(-np.log(weak), rel=1e-9)
