"""Hard conditions on shapes: exact on the boundary for every network, made from boundary data alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
import pytest
import torch

from pdekit.conditions import Dirichlet, Neumann
from pdekit.constraints import hard_constraint
from pdekit.domain import Box, Hypercube, Interval, Rectangle, Region
from pdekit.errors import NotApplicableError
from pdekit.geometry import Ball, Difference, Disk, Ellipse, Intersection, MeshRegion, Polygon, Union
from pdekit.kernels import ForwardKernel, Plan, ReverseKernel
from pdekit.meshing import mesh
from pdekit.nn import MLP, Frame, Sine
from pdekit.problem import Elliptic
from pdekit.sampling import Sobol, Uniform, boundary_points, interior_points
from pdekit.shape_constraints import Bow, Plane, Quadric, ShapeDistance

SQUARE = Rectangle((-1, -1), (1, 1))
POROUS = Difference(SQUARE, (Disk((-0.4, -0.4), 0.3), Disk((0.5, 0.3), 0.1), Ellipse((0, 0.6), (0.2, 0.1), 0.3)))
NOTCHED = Difference(SQUARE, (Disk((1, 0), 0.4), Disk((0.7, 0.3), 0.3)))
L_SHAPE = Polygon(((0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)))
LENS = Intersection((Disk(), Disk((1, 0))))
EIGHT = Union((Disk(), Disk((1, 0))))
STAIRS = Union((Box((0, 0), (1, 1)), Box((0.5, 0.5), (2, 2))))
SHELL = Difference(Hypercube(3, -1, 1), (Ball(radius=0.5),))
LINE = Difference(Interval(0, 1), (Interval(0.4, 0.6),))
SHAPES = [
    Disk((1, 0), 2),
    Ellipse((0, 1), (2, 0.5), 0.4),
    POROUS,
    NOTCHED,
    L_SHAPE,
    LENS,
    EIGHT,
    STAIRS,
    SHELL,
    LINE,
    Ball(),
]
every = pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{type(s).__name__}{s.dim}")


@final
@dataclass(frozen=True)
class Case(Elliptic):
    """-lap u = 0 with any domain and conditions."""

    domain: Region = SQUARE
    conditions: tuple = (Dirichlet(),)

    name = "case"

    def source(self, x):
        return torch.zeros_like(x[:, 0:1])


def waves(x):
    return torch.cos(x @ torch.arange(1.0, x.shape[1] + 1).to(x))[:, None]


def seeded(seed: int = 9) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def on_boundary_only(shape):
    """Data that are not a number inside the shape."""

    def value(x):
        inside = shape.signed_distance(x.double())[:, None] < -1e-6
        return torch.where(inside, torch.full_like(x[:, :1], math.nan), waves(x))

    return value


@every
def test_distance_vanishes_on_the_boundary_only(shape):
    distance = hard_constraint(Case(shape)).distance
    edge = boundary_points(shape, "boundary", Sobol(512), seeded()).x
    inside = interior_points(shape, Sobol(2048), seeded()).x
    assert float(distance(edge).abs().max()) < 1e-10
    values = distance(inside).abs()  # a disconnected shape may lie on both sides of a wall
    assert float(values.min()) > 0
    assert 0.5 < float(values.max()) < 2
    depth = -shape.signed_distance(inside) / max(shape.lengths)
    assert bool((values[depth > 0.05] > 1e-4).all())


@every
def test_lift_takes_the_data_and_reads_nothing_else(shape):
    parts = hard_constraint(Case(shape, (Dirichlet("boundary", on_boundary_only(shape)),)))
    edge = boundary_points(shape, "boundary", Sobol(512), seeded()).x
    assert float((parts.lift(edge) - waves(edge)).abs().max()) < 1e-6
    inside = parts.lift(interior_points(shape, Sobol(512), seeded()).x)
    assert bool(torch.isfinite(inside).all())
    assert float(inside.abs().max()) <= 1 + 1e-12  # a mean of the data
    assert hard_constraint(Case(shape)).lift is None


def test_walls_are_whole_where_that_is_possible():
    kinds = {
        shape: [type(wall) for wall in hard_constraint(Case(shape)).distance.walls]
        for shape in (POROUS, NOTCHED, L_SHAPE, LENS, EIGHT)
    }
    assert kinds[POROUS] == [Plane] * 4 + [Quadric] * 3
    assert kinds[NOTCHED] == [Plane] * 4 + [Quadric] * 2  # the right side in two pieces is one line
    assert sorted(k.__name__ for k in kinds[L_SHAPE]) == ["Plane"] * 4 + ["Stretch"] * 2
    assert kinds[LENS] == [Quadric] * 2
    assert kinds[EIGHT] == [Bow] * 3  # the second circle is also cut where its angle starts


def test_conditions_on_some_parts():
    """Zero on those, not on the others; pieces of one line with different conditions are told apart."""
    shape = Polygon(((0, 0), (1, 0), (2, 0), (2, 1), (0, 1)))
    parts = hard_constraint(Case(shape, (Dirichlet("edge1", 2.0), Neumann(("edge2", "edge3", "edge4", "edge5")))))
    for part in shape.parts:
        edge = boundary_points(shape, part, Uniform(64), seeded()).x
        assert (float(parts.distance(edge).abs().max()) < 1e-10) == (part == "edge1")
    assert float((parts.lift(boundary_points(shape, "edge1", Uniform(64), seeded()).x) - 2).abs().max()) < 1e-9
    jump = hard_constraint(
        Case(shape, (Dirichlet("edge1", 2.0), Dirichlet(("edge2", "edge3", "edge4", "edge5"), waves)))
    )
    for part, value in (("edge1", lambda x: torch.full_like(x[:, :1], 2.0)), ("edge2", waves)):
        edge = boundary_points(shape, part, Uniform(64), seeded()).x
        assert float((jump.lift(edge) - value(edge)).abs().max()) < 1e-6
    one = hard_constraint(Case(POROUS, (Dirichlet("holes", 1.0), Dirichlet(("left", "right", "bottom", "top"), 0.0))))
    assert float((one.lift(boundary_points(POROUS, "hole2", Uniform(9), seeded()).x) - 1).abs().max()) < 1e-9


@pytest.mark.parametrize("shape", [Disk(), POROUS, L_SHAPE, SHELL], ids=lambda s: f"{type(s).__name__}{s.dim}")
def test_derivatives_of_the_constrained_network(shape):
    """Propagated channels against nested automatic differentiation, values to fourth derivatives."""
    frame = Frame(shape.lower, shape.upper, 1, torch.float64)
    network = MLP(width=7, depth=2, activation=Sine()).build(frame, seeded())
    parts = hard_constraint(Case(shape, (Dirichlet("boundary", waves),)))
    constrained = parts.applied(network)
    x = interior_points(shape, Uniform(7), seeded()).x
    axes = tuple(range(shape.dim))
    plan = Plan(frozenset({(), (1,), (0, 0, 1), (1, 1, 1, 1)}), laplacian=axes)
    ours, reference = ForwardKernel()(constrained, x, plan), ReverseKernel()(constrained, x, plan)
    for partial in plan.partials:
        torch.testing.assert_close(ours.partial(partial), reference.partial(partial), rtol=1e-7, atol=1e-6)
    torch.testing.assert_close(ours.laplacian(axes), reference.laplacian(axes), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("order", [1, 2])
def test_lift_is_smooth_inside(order):
    """Finite differences of the lift agree with its derivatives, near holes too."""
    lift = hard_constraint(Case(POROUS, (Dirichlet("boundary", waves),))).lift
    x = interior_points(POROUS, Uniform(50), seeded()).x
    x = x[POROUS.signed_distance(x) < -0.02].requires_grad_(True)
    (slope,) = torch.autograd.grad(lift(x).sum(), x, create_graph=True)
    step = torch.tensor([1e-4, 0.0], dtype=torch.float64)
    with torch.no_grad():
        up, mid, down = lift(x + step)[:, 0], lift(x)[:, 0], lift(x - step)[:, 0]
    if order == 1:
        np.testing.assert_allclose(slope[:, 0].detach(), (up - down) / 2e-4, rtol=1e-3, atol=1e-4)
    else:
        (second,) = torch.autograd.grad(slope[:, 0].sum(), x)
        np.testing.assert_allclose(second[:, 0], (up - 2 * mid + down) / 1e-8, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        (MeshRegion(mesh(SQUARE, 1)), "need a box or shape, the domain is a MeshRegion"),
        (Union((Ball(), Ball((1, 0, 0)))), "crosses it elsewhere"),
    ],
)
def test_where_conditions_stay_soft(domain, message):
    with pytest.raises(NotApplicableError, match=message):
        hard_constraint(Case(domain))


def test_a_distance_is_a_product():
    distance = ShapeDistance(
        [Plane((0.0, 0.0), (1.0, 0.0), 2.0), Quadric((0.0, 0.0), ((1.0, 0.0), (0.0, 1.0)), False)], 3.0
    )
    x = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    assert float(distance(x)) == pytest.approx(3 * 0.25 * 0.5)
