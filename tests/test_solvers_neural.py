"""Neural solvers as a whole: conditions, unknown coefficients, units of length, budgets, and input they must refuse."""

from __future__ import annotations

import dataclasses
import math
import warnings
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from pdekit.problems import Heat, PoissonSine
from pdekit.solvers import (
    Collocation,
    Enforcement,
    Law,
    Neural,
    Nitsche,
    Ritz,
    StrongForm,
    Training,
    WeakAdversarial,
    deep_nitsche,
    deep_ritz,
    pinn,
    wan,
)
from solver_cases import LINE, polynomials, tiny
from torch import Tensor, nn

import pdekit
from pdekit import solvers
from pdekit.conditions import Condition, Dirichlet, Observations
from pdekit.domain import Box, Interval
from pdekit.errors import (
    AliasingWarning,
    CheckpointError,
    ConfigError,
    DivergenceError,
    NotApplicableError,
    PrecisionWarning,
    ReferenceWarning,
    ShapeError,
    SmoothnessError,
)
from pdekit.field import NetworkField
from pdekit.nn import MLP, ReLU
from pdekit.optim import Adam, Constant
from pdekit.problem import Elliptic, Problem
from pdekit.recipe import Budget
from pdekit.solver import Setting, solve


@dataclass(frozen=True)
class Sized(Elliptic):
    """-u'' = (pi/L)^2 sin(pi (x - a)/L) on (a, a + L), zero at both ends: the same function of (x - a)/L for every L."""

    name: ClassVar[str] = "sized"

    length: float = 1.0
    start: float = 0.0

    @property
    def domain(self) -> Box:
        return Interval(self.start, self.start + self.length)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (Dirichlet(),)

    def source(self, x: Tensor) -> Tensor:
        return (math.pi / self.length) ** 2 * self.exact(x)

    def exact(self, x: Tensor) -> Tensor:
        return torch.sin(math.pi * ((x - self.start) / self.length))


@dataclass(frozen=True)
class Inverse(Problem):
    """-k u'' = 2 pi^2 sin pi x on (0, 1), zero at both ends, u = sin pi x observed at nine points; k = 2."""

    name: ClassVar[str] = "inverse"
    domain: ClassVar[Box] = Interval(0.0, 1.0)
    unknowns: ClassVar[dict[str, float]] = {"k": 1.0}

    @property
    def conditions(self) -> tuple[Condition, ...]:
        x = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)[:, None]
        return (Dirichlet(), Observations(x, self.exact(x)))

    def residual(self, u):
        return -u.coefficients["k"] * u.laplacian - 2 * math.pi**2 * self.exact(u.x)

    def exact(self, x: Tensor) -> Tensor:
        return torch.sin(math.pi * x)


def relative(problem: Problem, field, n: int = 501) -> float:
    box = problem.domain
    unit = torch.rand(n, box.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = torch.tensor(box.lower, dtype=torch.float64) + unit * torch.tensor(box.lengths, dtype=torch.float64)
    return float((field(x) - problem.exact(x)).norm() / problem.exact(x).norm())


# Solving --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preset", "form"),
    [(pinn(), StrongForm(1000.0)), (deep_ritz(), Ritz(1e5)), (deep_nitsche(), Nitsche(50.0))],
    ids=["pinn", "deep-ritz", "deep-nitsche"],
)
def test_hard_and_soft_conditions_give_the_same_solution(preset, form):
    """A polynomial of degree 6 holds cos pi x to 1e-5; a penalty of 1e5 moves the Ritz solution by 1e-5."""
    found = []
    for conditions in Enforcement:
        solver = polynomials(preset, form, 6, conditions)
        solver = dataclasses.replace(solver, training=Training(steps=1, optimizer=Adam(1e-3), polish=300))
        found.append(solver.run(LINE, Setting()).field)
        assert relative(LINE, found[-1]) < 5e-4
    x = torch.linspace(0, 1, 101, dtype=torch.float64)[:, None]
    assert float((found[0](x) - found[1](x)).abs().max()) < 1e-3


def test_hard_conditions_hold_exactly():
    field = tiny(deep_ritz(), steps=3).run(LINE, Setting()).field
    ends = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    assert torch.equal(field(ends), torch.tensor([[1.0], [-1.0]], dtype=torch.float64))


def test_heat_by_pinn():
    solver = dataclasses.replace(tiny(pinn(), steps=100, polish=150, points=300, width=16), conditions=Enforcement.HARD)
    assert relative(Heat(1), solver.run(Heat(1), Setting(seed=2)).field) < 0.1  # of six seeds the worst: 0.052


def test_an_unknown_coefficient_is_found():
    solver = dataclasses.replace(tiny(pinn(), steps=50, polish=250), formulation=StrongForm(1000.0))
    task = solver.prepare(Inverse(), Setting(seed=3))
    assert float(task.ansatz.unknowns["k"].detach()) == 1.0
    solver.train(task, Setting(seed=3)).restore_best()
    assert float(task.ansatz.unknowns["k"].detach()) == pytest.approx(2.0, rel=2e-3)
    assert relative(Inverse(), NetworkField(task.ansatz.function)) < 1e-3


def test_found_coefficients_reach_the_solution(tmp_path):
    """Reported, stored, and used in the residual; the starting values would leave one of the size of the data."""
    solver = dataclasses.replace(tiny(pinn(), steps=50, polish=250), formulation=StrongForm(1000.0))
    solution = solve(Inverse(), solver, seed=3)
    assert solution.coefficients["k"] == pytest.approx(2.0, rel=2e-3)
    assert solution.trust.residual_held_out < 0.05
    assert "found k = " in str(solution)
    assert solution.to_json()["coefficients"] == solution.coefficients
    restored = solver.restore(Inverse(), solution.field.tensors())
    assert restored.coefficients == solution.coefficients


@pytest.mark.parametrize("preset", [pinn(), deep_ritz(), deep_nitsche()], ids=lambda s: s.name)
@pytest.mark.parametrize("length", [1e-9, 1e6])
def test_a11_the_unit_of_length_does_not_matter(preset, length):
    """The same scaled steps, up to rounding, whatever the size of the domain."""
    solver = tiny(preset, steps=20)
    s = torch.linspace(0, 1, 33, dtype=torch.float64)[:, None]
    unit, scaled = (solver.run(Sized(size), Setting(seed=4)) for size in (1.0, length))
    torch.testing.assert_close(scaled.field(length * s), unit.field(s), rtol=0.0, atol=1e-7)
    assert scaled.history["loss"] == pytest.approx(unit.history["loss"], rel=1e-6)
    assert solve(Sized(length), tiny(preset, steps=20), seed=4).measures.rel_l2 == pytest.approx(
        relative(Sized(1.0), unit.field), rel=0.05
    )


def test_resampling_draws_new_points():
    solver = tiny(pinn(), steps=10)
    fixed = solver.run(LINE, Setting(seed=4)).history["loss"]
    solver = dataclasses.replace(solver, collocation=dataclasses.replace(solver.collocation, resample_every=1))
    assert solver.run(LINE, Setting(seed=4)).history["loss"][-1] != fixed[-1]


def test_the_best_recorded_state_is_kept():
    """With steps so long that the loss rises again before the end."""
    solver = dataclasses.replace(tiny(pinn()), training=Training(40, Adam(1.0), Constant(), polish=0, record_every=1))
    setting = Setting(seed=5)
    outcome = solver.run(LINE, setting)
    loss = outcome.history["loss"]
    assert loss[-1] > 1.2 * loss.min()
    task = solver.prepare(LINE, setting)
    task.ansatz.function.load_state_dict(outcome.field.network.state_dict())
    terms = task.objective.losses("u", task.objective.sample(task.generator))
    total = sum(task.weights[name] * float(term.detach()) for name, term in terms.items())
    assert total == pytest.approx(loss.min(), rel=1e-9)


# Budgets --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", [pinn(), deep_ritz(), wan()], ids=lambda s: s.name)
def test_a_budget_of_steps_is_kept(preset):
    outcome = tiny(preset, steps=40).run(LINE, Setting(budget=Budget(steps=7)))
    assert outcome.measures.steps == 7
    assert outcome.exhausted
    assert outcome.history["step"][-1] == 7


def test_a_budget_of_seconds_is_kept():
    outcome = tiny(pinn(), steps=100_000).run(LINE, Setting(budget=Budget(seconds=0.2)))
    assert outcome.exhausted
    assert 0.2 <= outcome.timings["train"] < 2.0


# What is refused ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Broken:
    """A network that was built wrongly."""

    make: object

    def build(self, frame, generator):
        return self.make(frame.inputs, frame.outputs, frame.dtype)


def with_network(make) -> Neural:
    return dataclasses.replace(tiny(pinn()), network=Broken(make))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda i, o, dtype: nn.Linear(i, o + 1, dtype=dtype), ("Broken", "(2, 2)", "(2, 1)", "sized")),
        (lambda i, o, dtype: nn.Linear(i + 1, o, dtype=dtype), ("Broken", "sized", "(2, 1)", "1 inputs", "('x',)")),
    ],
    ids=["E2", "E1"],
)
def test_networks_of_another_width(make, words):
    with pytest.raises(ShapeError) as caught:
        solve(Sized(), with_network(make))
    assert isinstance(caught.value, ValueError)
    assert [word for word in words if word not in str(caught.value)] == [], caught.value


@pytest.mark.parametrize("weight", [-1.0, 0.0, float("nan"), float("inf"), "1"])
@pytest.mark.parametrize(
    "form",
    [
        lambda w: StrongForm(boundary_weight=w),
        lambda w: Ritz(boundary_weight=w),
        lambda w: Nitsche(penalty=w),
        lambda w: WeakAdversarial(boundary_weight=w),
    ],
)
def test_e9_weights_that_are_no_weights(form, weight):
    with pytest.raises(ConfigError, match=r"(boundary_weight|penalty): got"):
        form(weight)


def test_e8_every_term_has_a_weight():
    """Weights are made by the formulation: one per term, in any dimension and with any conditions."""
    for preset in (pinn(), deep_ritz(), deep_nitsche(), wan()):
        for conditions in Enforcement:
            solver = dataclasses.replace(tiny(preset, points=16), conditions=conditions)
            task = solver.prepare(PoissonSine(), Setting())
            batch = task.objective.sample(task.generator)
            terms = {name for player in task.objective.players for name in task.objective.losses(player, batch)}
            assert terms == set(task.weights)


@pytest.mark.parametrize(
    "make",
    [
        lambda: MLP(width=1.5),
        lambda: MLP(width=True),
        lambda: MLP(depth=0),
        lambda: Collocation(points=True),
        lambda: Collocation(boundary_points=0),
        lambda: Training(polish=-1),
        lambda: WeakAdversarial(tests=0),
        lambda: WeakAdversarial(adversary_updates=0),
    ],
)
def test_e12_sizes_that_are_no_sizes(make):
    with pytest.raises(ValueError, match="got"):
        make()


def test_c9_relu_has_no_second_derivative():
    solver = dataclasses.replace(tiny(pinn()), network=MLP(8, 2, ReLU()))
    with pytest.raises(SmoothnessError, match=r"(?i)relu.*2") as caught:
        solve(Sized(), solver)
    assert isinstance(caught.value, ValueError)


def test_c9_relu_is_enough_for_an_energy():
    solver = dataclasses.replace(tiny(deep_ritz(), steps=2), network=MLP(8, 2, ReLU()))
    assert math.isfinite(solver.run(Sized(), Setting()).history["loss"][-1])


@dataclass(frozen=True)
class Fast(Sized):
    """Half waves by the hundred."""

    name: ClassVar[str] = "fast"

    def source(self, x: Tensor) -> Tensor:
        return torch.sin(100 * math.pi * x)

    def exact(self, x: Tensor) -> Tensor | None:
        return None


def test_c15_fixed_points_below_the_nyquist_number():
    with pytest.warns(AliasingWarning, match=r"k = 314.*N = 40"):
        tiny(pinn(), points=40, steps=1).prepare(Fast(), Setting())


@pytest.mark.parametrize("change", [{"points": 400}, {"points": 40, "resample_every": 1}])
def test_c15_enough_or_new_points_warn_of_nothing(change, recwarn):
    solver = tiny(pinn(), steps=1)
    dataclasses.replace(solver, collocation=dataclasses.replace(solver.collocation, **change)).prepare(
        Fast(), Setting()
    )
    assert not [w for w in recwarn if issubclass(w.category, AliasingWarning)]


def test_a12_single_precision_far_from_the_origin():
    with warnings.catch_warnings(), pytest.warns(PrecisionWarning, match="float32"):
        warnings.simplefilter("ignore", ReferenceWarning)  # one step solves nothing
        solve(Sized(1.0, 1e6), tiny(pinn(), steps=1), dtype=torch.float32)


@dataclass(frozen=True)
class Blowing(Sized):
    """With advection, so that there is no energy."""

    name: ClassVar[str] = "blowing"

    def advection(self, x: Tensor) -> Tensor:
        return torch.ones_like(x)

    def source(self, x: Tensor) -> Tensor:
        return torch.ones_like(x)

    def exact(self, x: Tensor) -> Tensor | None:
        return None


@pytest.mark.parametrize("preset", [deep_ritz(), deep_nitsche()], ids=lambda s: s.name)
def test_e16_energies_need_symmetry(preset):
    with pytest.raises(NotApplicableError, match=r"blowing.*advection") as caught:
        solve(Blowing(), tiny(preset))
    assert isinstance(caught.value, TypeError)


@dataclass(frozen=True)
class Unknown(Sized):
    """An elliptic problem that claims an unknown coefficient."""

    name: ClassVar[str] = "unknown"
    unknowns: ClassVar[dict[str, float]] = {"k": 1.0}


@pytest.mark.parametrize("name", [name for name in solvers.names() if name not in {"pinn", "siren"}])
def test_only_strong_forms_find_coefficients(name):
    """Energies fall without end as the coefficient does; grids and weak forms read known ones only."""
    with pytest.raises(NotApplicableError, match=r"unknown.*unknown coefficients.*pinn"):
        solvers.solver(name).require(Unknown())


def test_e16_weak_forms_do_not():
    tiny(wan(), steps=1).run(Blowing(), Setting())


def test_e19_a_far_too_long_step_diverges_and_goes_back():
    solver = tiny(pinn(), steps=50, learning_rate=1e6)
    with pytest.raises(DivergenceError) as caught:
        solver.run(LINE, Setting())
    error = caught.value
    assert isinstance(error, ArithmeticError)
    assert math.isfinite(error.best)
    assert not error.loss < 1e3 * error.best
    assert "learning rate" in str(error)


def test_weights_of_another_network(tmp_path):
    solution = solve(LINE, tiny(deep_ritz(), steps=2))
    with pytest.raises(CheckpointError, match=r"layer '.*shape \(10,\), expected \(11,\)"):
        pdekit.load(solution.save(tmp_path / "run"), solver=tiny(deep_ritz(), width=11))


def test_conditions_are_an_enumeration():
    with pytest.raises(ConfigError, match=r"conditions: got 'hard', expected one of"):
        dataclasses.replace(pinn(), conditions="hard")


def test_points_laws_give_the_points_asked_for():
    for law in Law:
        points = Collocation(points=100, law=law).interior(PoissonSine(), torch.Generator().manual_seed(0))
        assert len(points) >= 100
        assert points.measure == pytest.approx(1.0)
