"""Hard conditions: exact on the boundary for every network, made from boundary data alone."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import final

import pytest
import torch
from labels import stable
from pdekit.problems import Biharmonic, Heat, Helmholtz, NewtonLaw, PoissonFourModes3D, PoissonND, PoissonSine, Variant

from pdekit.conditions import Dirichlet, Initial, Neumann, Periodic, Robin, evaluate, label, place
from pdekit.constraints import AxisFactor, BoxDistance, HardParts, check_constraint, hard_constraint
from pdekit.domain import Box, Hypercube, Interval, Rectangle
from pdekit.errors import ConstraintError, NotApplicableError, PlanError
from pdekit.kernels import ForwardKernel, Plan, Recorder, ReverseKernel, Tabulated
from pdekit.nn import MLP, Frame, HardConstraint
from pdekit.probe import mismatch_of
from pdekit.problem import Elliptic, Problem
from pdekit.sampling import Uniform, boundary_points, interior_points


@final
@dataclass(frozen=True)
class Case(Elliptic):
    """-lap u = 0 with any domain and conditions."""

    domain: Box = Rectangle()  # noqa: RUF009 -- immutable
    conditions: tuple = ()
    outputs: tuple[str, ...] = ("u",)

    name = "case"

    def source(self, x):
        return torch.zeros_like(x[:, 0:1])


@final
@dataclass(frozen=True)
class Motion(Problem):
    """Any conditions in one space dimension and time, second order in time."""

    conditions: tuple = ()
    domain: Box = Interval(-1, 1).with_time(2, 5)  # noqa: RUF009 -- immutable

    name = "motion"

    def residual(self, u):
        return u.d("t", "t") - u.laplacian


@final
@dataclass(frozen=True)
class Plate(Problem):
    """d4u/dx4 = 0 on (0, 1) with any conditions."""

    conditions: tuple = ()
    domain: Box = Interval(0, 1)  # noqa: RUF009 -- immutable

    name = "plate"

    def residual(self, u):
        return u.d("x", "x", "x", "x")


def wave(x):
    return torch.sin(x.sum(dim=1, keepdim=True)) + x[:, 0:1] ** 2


def seeded(seed=11):
    return torch.Generator().manual_seed(seed)


def network(box, dtype=torch.float64):
    return MLP(width=8, depth=2).build(Frame(box.lower, box.upper, 1, dtype), seeded())


WAVES = (
    Dirichlet("boundary", lambda x: x[:, 0:1] * torch.sin(x[:, 1:2])),
    Initial(lambda x: x[:, 0:1] * torch.sin(torch.full_like(x[:, 0:1], 2.0))),
    Initial(lambda x: x[:, 0:1] * torch.cos(torch.full_like(x[:, 0:1], 2.0)), order=1),
)

PROBLEMS = [
    PoissonSine(),
    PoissonFourModes3D(),
    Helmholtz(),
    Helmholtz(dim=2),
    PoissonND(dim=4, variant=Variant.COSINE),
    Heat(dim=2),
    NewtonLaw(mass=2.0),
    Motion(WAVES),
    *(Case(Hypercube(d, -1, 2), (Dirichlet("boundary", wave),)) for d in range(1, 6)),
    Case(Rectangle(), (Dirichlet(("left", "top"), wave), Neumann("right"), Robin("bottom"))),
    Case(Rectangle(), (Dirichlet("right", 3.0), Periodic("y"), Neumann("left"))),
    Case(Rectangle(), (Dirichlet("left", 1.0), Dirichlet(("right", "bottom", "top"), lambda x: 1 + 0 * x[:, 0:1]))),
    Case(Hypercube(3, 1e6, 1e6 + 1), (Dirichlet("boundary", 2.0),)),
    Case(Interval(0, 1e-9), (Dirichlet("left", 1.0), Dirichlet("right", -1.0))),
]
each = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: f"{p.name}-{p.domain.dim}")


@each
def test_conditions_hold_for_every_network(problem):
    parts = hard_constraint(problem)
    trial = parts.applied(network(problem.domain))
    assert parts.covered == tuple(c for c in problem.conditions if isinstance(c, Dirichlet | Initial))
    for condition in parts.covered:
        points = boundary_points(problem.domain, place(condition), Uniform(40), seeded())
        scale = 1 + float(evaluate(label(condition), condition.value, points.x).abs().max())
        assert float(mismatch_of(problem, condition, points, trial).abs().max()) < 1e-12 * scale


@each
def test_distance_is_positive_inside_and_one_at_most(problem):
    parts = hard_constraint(problem)
    x = interior_points(problem.domain, Uniform(4000), seeded()).x
    distance = parts.distance(x)
    assert distance.shape == (4000, 1)
    assert float(distance.min()) > 0
    assert float(distance.max()) <= 1 + 1e-12
    if problem.domain.dim == 1:
        assert float(distance.max()) > 0.999


def test_distance_is_squared_where_value_and_flux_vanish():
    parts = hard_constraint(Biharmonic())
    assert parts.distance.powers == ((2, 2), (2, 2))
    assert parts.lift is None
    assert parts.covered == Biharmonic().conditions
    mixed = Plate((Dirichlet(), Neumann("left"), Neumann("right", 2.0)))
    with pytest.raises(NotApplicableError, match=r"neumann\(right\) lies where u is prescribed too"):
        hard_constraint(mixed)
    beam = hard_constraint(Plate((Dirichlet(), Neumann("left"))))
    assert beam.distance.powers == ((2, 1),)
    assert [label(c) for c in beam.covered] == ["dirichlet(boundary)", "neumann(left)"]


def test_zero_data_need_no_lift():
    assert hard_constraint(PoissonSine()).lift is None
    assert hard_constraint(NewtonLaw()).lift is None
    assert hard_constraint(PoissonND(dim=3)).lift is not None


@pytest.mark.parametrize("dim", [1, 2, 3, 4])
def test_lift_reads_the_data_on_their_face_only(dim):
    """3^axes - 1 evaluations per point at most, each on the face the data belong to."""
    box, calls = Hypercube(dim), []

    def on(axis, side):
        def data(x):
            assert bool((x[:, axis] == side).all())
            calls.append(len(x))
            return wave(x)

        return data

    conditions = tuple(Dirichlet(box.part(axis, side), on(axis, side)) for axis in range(dim) for side in (0, 1))
    lift = hard_constraint(Case(box, conditions)).lift
    calls.clear()
    x = interior_points(box, Uniform(7), seeded()).x
    lift(x)
    assert sum(calls) == 7 * (3**dim - 1)


def test_lift_reproduces_products_of_linear_functions():
    """Transfinite interpolation is exact for functions linear in each variable."""

    def trilinear(x):
        return (1 + x[:, 0:1]) * (2 - x[:, 1:2]) * (3 + x[:, 2:3])

    lift = hard_constraint(Case(Hypercube(3, -1, 2), (Dirichlet("boundary", trilinear),))).lift
    x = interior_points(Hypercube(3, -1, 2), Uniform(50), seeded()).x
    torch.testing.assert_close(lift(x), trilinear(x), rtol=1e-13, atol=1e-13)


def test_distance_vanishes_to_second_order_under_an_initial_velocity():
    parts = hard_constraint(Motion(WAVES))
    x = torch.tensor([[0.3, 2.0]], dtype=torch.float64)
    source = Recorder(parts.distance, x)
    value, slope, curvature = (float(source.partial(axes).detach()) for axes in ((), (1,), (1, 1)))
    assert value == slope == 0
    assert curvature == pytest.approx(2 / 9 * (1 - 0.3**2))


@pytest.mark.parametrize("p", [0, 1, 2, 3])
@pytest.mark.parametrize("q", [0, 1, 2])
def test_axis_factor_against_nested_autograd(p, q):
    if p == q == 0:
        return
    factor, x = AxisFactor(-1.0, 3.0, p, q), torch.linspace(-1, 3, 9, dtype=torch.float64)[:, None]
    source = Recorder(factor, x)
    for order in range(5):
        torch.testing.assert_close(factor.derivative(x, order), source.partial((0,) * order), rtol=1e-12, atol=1e-12)
    fine = factor(torch.linspace(-1, 3, 4001, dtype=torch.float64)[:, None])
    assert float(fine.max()) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("problem", [PoissonSine(), Heat(dim=2), NewtonLaw(), Motion(WAVES)], ids=lambda p: p.name)
def test_forward_propagation_agrees_with_autograd(problem):
    box = problem.domain
    constrained = hard_constraint(problem).applied(network(box))
    x = interior_points(box, Uniform(10), seeded()).x
    axes = range(box.dim)
    partials = {axes_ for k in range(4) for axes_ in itertools.combinations_with_replacement(axes, k)}
    plan = Plan(frozenset(partials), tuple(axes))
    fast, slow = ForwardKernel()(constrained, x, plan), ReverseKernel()(constrained, x, plan)
    for multi_index in partials:
        torch.testing.assert_close(fast.partial(multi_index), slow.partial(multi_index), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(fast.laplacian(tuple(axes)), slow.laplacian(tuple(axes)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("problem", [Helmholtz(dim=2), Motion(WAVES)], ids=lambda p: p.name)
def test_tabulated_parts_give_the_same(problem):
    """Values, derivatives and parameter gradients, with the lift differentiated once."""
    box, parts = problem.domain, hard_constraint(problem)
    free = network(box)
    x = interior_points(box, Uniform(10), seeded()).x
    plan = Plan(frozenset({(), (0,), (1, 1)}), (0, 1))
    table = HardConstraint(free, Tabulated(parts.distance, x, plan), Tabulated(parts.lift, x, plan))
    gradients = []
    for constrained in (parts.applied(free), table):
        source = ForwardKernel()(constrained, x, plan)
        values = torch.cat([source.partial(()), source.partial((0,)), source.partial((1, 1)), source.laplacian((0, 1))])
        gradients.append([values, *torch.autograd.grad(values.square().sum(), list(free.parameters()))])
    for expected, found in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    with pytest.raises(PlanError, match="made for another plan"):
        ForwardKernel()(table, x, Plan(frozenset({()})))
    with pytest.raises(PlanError, match="got 9 points, expected the 10"):
        ForwardKernel()(table, x[:9], plan)


@pytest.mark.parametrize("problem", [PoissonSine(), Helmholtz(dim=2), Heat()], ids=lambda p: p.name)
def test_float32_and_gradients(problem):
    box = problem.domain
    constrained = hard_constraint(problem).applied(network(box, torch.float32))
    x = interior_points(box, Uniform(10), seeded()).x.float()
    values = constrained(x)
    assert values.dtype == torch.float32
    values.sum().backward()
    assert all(p.grad is not None and bool(p.grad.abs().max() > 0) for p in constrained.parameters())


@pytest.mark.parametrize(
    ("problem", "error", "message"),
    [
        (Case(Hypercube(6), (Dirichlet("boundary", wave),)), NotApplicableError, "at most 5 axes"),
        (Case(Rectangle(), (Dirichlet(),), ("u", "p")), NotApplicableError, "one unknown function"),
        (Case(Rectangle(), (Neumann(),)), NotApplicableError, "no Dirichlet or initial condition"),
        (Motion((Initial(0.0, order=1),)), NotApplicableError, "the initial value"),
        (
            Case(Rectangle(), (Dirichlet("left", 1.0), Dirichlet("top", 2.0))),
            ConstraintError,
            r"violates dirichlet\(left\) by up to .* at .*soft conditions",
        ),
        (Motion((Dirichlet("boundary", 1.0), Initial(0.0))), ConstraintError, "disagree where faces meet"),
        (Motion((Dirichlet("left", lambda x: x[:, 1:2] - 2), Initial(), Initial(order=1))), ConstraintError, "du/dt"),
    ],
    ids=stable,
)
def test_refusals(problem, error, message):
    with pytest.raises(error, match=message):
        hard_constraint(problem)


def test_zero_data_on_many_axes_are_accepted():
    parts = hard_constraint(Case(Hypercube(10), (Dirichlet(),)))
    assert parts.lift is None


class Constant(torch.nn.Module):
    """The same number everywhere."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return torch.full_like(x[:, 0:1], self.value)


BOX = Rectangle()
DISTANCE = BoxDistance(BOX.lower, BOX.upper, [(1, 1), (1, 1)])


@pytest.mark.parametrize(
    ("parts", "violation"),
    [
        (HardParts(DISTANCE, None, (Dirichlet("boundary", 0.25),)), r"up to 0.25 "),
        (HardParts(DISTANCE, Constant(0.5), (Dirichlet("boundary", 0.25),)), r"up to 0.25 "),
        (HardParts(BoxDistance((0, 0), (1, 1), [(1, 1), (1, 0)]), None, (Dirichlet(),)), "up to"),
        (HardParts(DISTANCE, None, (Dirichlet(), Neumann("left", 1.0))), r"neumann\(left\)"),
        (HardParts(DISTANCE, None, (Periodic("x"),)), "cannot be hard"),
    ],
    ids=["no lift", "wrong lift", "face left out", "flux not met", "periodic"],
)
def test_wrong_constraints_are_found(parts, violation):
    """Row B21 of the bad inputs: the message gives the largest violation."""
    with pytest.raises(ConstraintError, match=violation) as caught:
        check_constraint(Case(BOX, parts.covered), parts)
    assert isinstance(caught.value, ValueError)


def test_hand_made_constraint_passes():
    check_constraint(Case(BOX, ()), HardParts(DISTANCE, Constant(0.25), (Dirichlet("boundary", 0.25),)))


def test_a_hand_made_flux_constraint_passes():
    """Distance to second order: value and normal derivative are both prescribed."""
    square = BoxDistance((0.0, 0.0), (1.0, 1.0), [(2, 0), (0, 0)])
    check_constraint(Case(BOX, ()), HardParts(square, Constant(0.25), (Dirichlet("left", 0.25), Neumann("left"))))
