"""Shapes and set operations: measures against closed forms, sampling, normals, names, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pdekit.codec import encode
from pdekit.config import reader
from pdekit.domain import Box, Hypercube, Interval, Rectangle, Region
from pdekit.errors import DomainError, EmptyDomainError, NotApplicableError, PdekitError, ShapeError, UnknownNameError
from pdekit.geometry import Ball, Difference, Disk, Ellipse, Intersection, MeshRegion, Polygon, SpaceTime, Union
from pdekit.meshing import mesh
from pdekit.sampling import GaussLegendre, Grid, LatinHypercube, Sobol, Uniform, boundary_points, interior_points

SQUARE = Rectangle((-1, -1), (1, 1))
POROUS = Difference(
    SQUARE,
    (Disk((-0.5, -0.5), 0.3), Disk((0.5, 0.4), 0.15), Disk((0.9, -0.6), 0.3), Disk((0.55, 0.2), 0.2)),
)
L_SHAPE = Polygon(((0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)))
LENS = Intersection((Disk(), Disk((1, 0))))
CROSS = Intersection((Ellipse(axes=(2, 1)), Ellipse(axes=(1, 2))))
STAIRS = Union((Box((0, 0), (1, 1)), Box((0.5, 0.5), (2, 2)), Box((1, 0), (2, 0.5))))
TURNED = Ellipse((1, -2), (3, 0.5), 0.7)
MIXED = Difference(
    Union((Polygon(((0, 0), (3, 0), (0, 3))), Disk((3, 0), 1.0))),
    (Rectangle((0.5, 0.5), (1, 1.5)), Ellipse((2, 0), (0.3, 0.1), 0.4)),
)
PLANE = [Disk((1, 2), 0.5), TURNED, L_SHAPE, POROUS, LENS, CROSS, STAIRS, MIXED]
SOLID = [
    Ball((1, 0, 0), 2),
    Difference(Hypercube(3, -1, 1), (Ball(radius=0.5), Ball((1, 0, 0), 0.3))),
    Intersection((Ball(), Box((0, -2, -2), (2, 2, 2)))),
]
LINE = [Difference(Interval(0, 1), (Interval(0.4, 0.6, "x"),))]
plane = pytest.mark.parametrize("shape", PLANE, ids=lambda s: type(s).__name__)
every = pytest.mark.parametrize("shape", [*PLANE, *SOLID, *LINE], ids=lambda s: f"{type(s).__name__}{s.dim}")


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def lens_area(distance: float, r: float, s: float) -> float:
    """Common area of two discs."""
    a = (distance**2 + r**2 - s**2) / (2 * distance)
    b = distance - a
    return r**2 * math.acos(a / r) + s**2 * math.acos(b / s) - distance * math.sqrt(r**2 - a**2)


def segment_area(r: float, height: float) -> float:
    """The part of a disc beyond a line at this distance from the centre."""
    return r**2 * math.acos(height / r) - height * math.sqrt(r**2 - height**2)


def ellipse_length(a: float, b: float) -> float:
    from scipy.special import ellipe

    return 4 * a * float(ellipe(1 - (b / a) ** 2))


# Measures -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        (Disk((1, 2), 0.5), math.pi / 4),
        (TURNED, 1.5 * math.pi),
        (L_SHAPE, 3),
        (
            POROUS,
            4
            - math.pi * 0.3**2
            - (math.pi * (0.15**2 + 0.2**2) - lens_area(math.hypot(0.05, 0.2), 0.15, 0.2))
            - (math.pi * 0.3**2 - segment_area(0.3, 0.1)),
        ),
        (LENS, lens_area(1, 1, 1)),
        (CROSS, 8 * math.atan(0.5)),
        (STAIRS, 3.5),
        (Ball((1, 0, 0), 2), 32 / 3 * math.pi),
        (LINE[0], 0.8),
    ],
    ids=lambda value: type(value).__name__,
)
def test_volumes(shape, area):
    assert shape.measure() == pytest.approx(area, rel=1e-12)


@pytest.mark.parametrize(
    ("shape", "part", "length"),
    [
        (Disk((1, 2), 0.5), "circle", math.pi),
        (TURNED, "ellipse", ellipse_length(3, 0.5)),
        (Ellipse(axes=(0.02, 1)), "ellipse", ellipse_length(1, 0.02)),
        (L_SHAPE, "edge5", 1),
        (LENS, "circle.1", 2 * math.pi / 3),
        (LENS, "circle", 4 * math.pi / 3),
        (POROUS, "hole1", 0.6 * math.pi),
        (POROUS, "hole3", 2 * 0.3 * (math.pi - math.acos(1 / 3))),
        (POROUS, "right", 2 - 2 * math.sqrt(0.3**2 - 0.1**2)),
        (STAIRS, "right.2", 1.5),
        (LINE[0], "hole1.left", 1),
        (Ball((1, 0, 0), 2), "sphere", 16 * math.pi),
    ],
)
def test_areas_of_parts(shape, part, length):
    assert sum(shape.measure(p) for p in shape.resolve(part)) == pytest.approx(length, rel=1e-10)


def test_trimmed_surfaces_are_measured_to_a_thousandth():
    cube, half = SOLID[1:]
    assert cube.measure() == pytest.approx(8 - 4 / 3 * math.pi * 0.5**3 - 2 / 3 * math.pi * 0.3**3, rel=1e-3)
    assert cube.measure("hole2") == pytest.approx(2 * math.pi * 0.3**2, rel=1e-3)
    assert cube.measure("hole1") == pytest.approx(4 * math.pi * 0.5**2, rel=1e-12)
    assert cube.measure("right") == pytest.approx(4 - math.pi * 0.3**2, rel=1e-3)
    assert half.measure() == pytest.approx(2 / 3 * math.pi, rel=1e-3)
    assert half.measure("left") == pytest.approx(math.pi, rel=1e-3)


@every
def test_volume_agrees_with_counting(shape):
    """Quasi-random points of the bounding box, counted: an independent check of the inside and of the boundary."""
    lower, upper = (torch.tensor(c, dtype=torch.float64) for c in (shape.lower, shape.upper))
    unit, _ = Sobol(2**15).unit(shape.dim, seeded())
    share = float(shape.contains(lower + (upper - lower) * unit).double().mean())
    assert share * math.prod(shape.lengths) == pytest.approx(shape.measure(), rel=4e-3)


# Boundary -----------------------------------------------------------------------------------------------------------


@every
def test_normals_point_out_of_the_closed_region(shape):
    points = boundary_points(shape, "boundary", Uniform(400), seeded())
    step = 1e-6
    assert bool(shape.contains(points.x).all())
    assert bool(shape.contains(points.x - step * points.normal, 0.0).all())
    assert not bool(shape.contains(points.x + step * points.normal, 0.0).any())
    assert torch.allclose(points.normal.norm(dim=1), torch.ones(len(points), dtype=torch.float64))
    assert points.measure == pytest.approx(sum(shape.measure(part) for part in shape.parts))


@plane
def test_boundary_is_uniform_in_arc_length(shape):
    """Counts in 24 stretches of equal length, over all pieces: chi squared of 23 degrees, below its 1 - 1e-5 quantile."""
    points = boundary_points(shape, "boundary", Uniform(4800), seeded(11)).x.numpy()
    pieces = [piece.patch for piece in shape.outline]
    ends = np.concatenate([[0.0], np.cumsum([patch.measure for patch in pieces])])
    place = np.full(len(points), np.nan)
    for start, patch in zip(ends, pieces, strict=False):
        s = patch.parameter(points)
        near = np.linalg.norm(patch.point(np.clip(s, 0, 1)) - points, axis=1) < 1e-9
        place[near] = start + np.clip(s[near], 0, 1) * patch.measure
    counts, _ = np.histogram(place, bins=24, range=(0, ends[-1]))
    expected = len(points) / 24
    assert counts.sum() == len(points)
    assert ((counts - expected) ** 2 / expected).sum() < 71


@pytest.mark.parametrize("shape", [POROUS, MIXED, SOLID[1]], ids=lambda s: f"{type(s).__name__}{s.dim}")
@pytest.mark.parametrize("sampler", [Uniform(3000), Sobol(3000), LatinHypercube(3000)], ids=repr)
def test_each_part_gets_its_share(shape, sampler):
    """Within three standard errors of a multinomial draw; the shares are in fact rounded, not drawn."""
    points = boundary_points(shape, "boundary", sampler, seeded())
    total, n = sum(shape.measure(part) for part in shape.parts), len(points)
    drawn = {part: len(boundary_points(shape, part, sampler, seeded())) for part in shape.parts}
    assert all(count == 3000 for count in drawn.values())
    assert n == pytest.approx(3000, abs=len(shape.parts))
    for part in shape.parts:
        share = shape.measure(part) / total
        mine = int(torch.isclose(points.weight, points.weight.new_tensor(0)).sum())
        assert mine == 0
        own = boundary_points(shape, part, sampler.scaled(share, shape.dim - 1), seeded())
        assert abs(len(own) - n * share) <= 3 * math.sqrt(n * share * (1 - share))


@plane
def test_gauss_points_integrate_on_the_boundary(shape):
    """The flux of (x^3, y^3) through the boundary is the integral of 3 (x^2 + y^2), by another route."""
    flux = 0.0
    for piece in shape.outline:
        unit, weight = GaussLegendre(12, 8).unit(1, seeded())
        x, normal, _ = piece.patch.at(unit.numpy())
        flux += float(((x**3) * normal).sum(axis=1) @ weight.numpy()) * piece.patch.measure
    inside = interior_points(shape, Sobol(2**15), seeded())
    assert flux == pytest.approx(float((inside.weight * 3 * (inside.x**2).sum(dim=1)).sum()), rel=4e-3)


# Interior -----------------------------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("sampler", [Uniform(500), Sobol(512), LatinHypercube(500), Grid(30)], ids=repr)
def test_interior_points(shape, sampler):
    points = interior_points(shape, sampler, seeded())
    assert points.measure == pytest.approx(shape.measure())
    assert bool(shape.contains(points.x).all())
    wanted = sampler.count(shape.dim)
    assert len(points) == wanted if not isinstance(sampler, Grid) else len(points) == pytest.approx(wanted, rel=0.35)


@pytest.mark.parametrize("shape", [Disk((0.3, 0), 0.7), Ellipse((0, 0), (0.8, 0.2), 0.5)], ids=repr)
def test_gauss_rules_converge_fast_on_discs(shape):
    """Mean of a harmonic function is its value at the centre; exp(x) cos(y) on a disc, its even order terms on ellipses."""
    points = interior_points(shape, GaussLegendre(14), seeded())
    found = float((points.weight * torch.exp(points.x[:, 0]) * torch.cos(points.x[:, 1])).sum()) / shape.measure()
    finer = interior_points(shape, GaussLegendre(40), seeded())
    assert found == pytest.approx(
        float((finer.weight * torch.exp(finer.x[:, 0]) * torch.cos(finer.x[:, 1])).sum()) / shape.measure(), rel=1e-8
    )
    if isinstance(shape, Disk):
        assert found == pytest.approx(math.exp(0.3), rel=1e-8)


def test_a_few_points_of_a_thin_region():
    thin = Intersection((Rectangle(), Polygon(((0, 0), (1e-3, 0), (1, 0.999), (1, 1)))))
    for seed in range(20):
        assert len(interior_points(thin, Sobol(2), seeded(seed))) == 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@every
def test_boundary_points_are_contained_in_any_precision(shape, dtype):
    points = boundary_points(shape, "boundary", Sobol(256), seeded()).to(dtype)
    assert bool(shape.contains(points.x).all())
    assert not bool(shape.contains(points.x + 0.01 * points.normal).any())


# Names --------------------------------------------------------------------------------------------------------------


def test_parts_of_a_difference():
    shape = Difference(
        Rectangle(), (Disk((0.3, 0.3), 0.1), Rectangle((0.6, 0.6), (0.7, 0.7)), Disk((0.8, 0.2), 0.1, name="pump"))
    )
    box = tuple(f"hole2.{side}" for side in ("left", "right", "bottom", "top"))
    assert shape.parts == ("left", "right", "bottom", "top", "hole1", *box, "pump")
    assert shape.resolve("boundary") == shape.parts
    assert shape.resolve("hole2") == box
    assert shape.resolve("holes") == ("hole1", *box)
    assert shape.resolve(("top", "holes", "hole1")) == ("top", "hole1", *box)
    with pytest.raises(UnknownNameError, match="did you mean 'hole1'"):
        shape.resolve("hole11")


def test_parts_that_vanish_are_gone():
    covered = Difference(Rectangle(), (Rectangle((-1, -1), (0.5, 2)), Disk((0.2, 0.2), 0.1)))
    assert covered.parts == ("right", "bottom", "top", "hole1.right")
    assert (*covered.lower, *covered.upper) == pytest.approx((0.5, 0, 1, 1))


def test_edges_of_one_name_are_one_part():
    shape = Polygon(((0, 0), (1, 0), (1, 1), (0, 1)), ("wall", "out", "wall", "in"))
    assert shape.parts == ("wall", "out", "in")
    assert shape.measure("wall") == 2
    assert (boundary_points(shape, "wall", Sobol(64), seeded()).x[:, 1] == 0).sum() == 32


def test_clockwise_polygons_keep_their_edges():
    ring = L_SHAPE.vertices
    turned = Polygon(ring[::-1])
    assert turned.measure() == L_SHAPE.measure()
    x = boundary_points(turned, "edge1", Uniform(9), seeded())  # from (0, 2) to (1, 2)
    assert bool((x.x[:, 1] == 2).all())
    assert bool((x.normal == torch.tensor([0.0, 1.0], dtype=torch.float64)).all())


def test_nested_operations():
    shape = Difference(Union((POROUS, Rectangle((1, -1), (2, 1)))), (Disk((1, 0.5), 0.1),))
    # The porous square's own third hole sticks out of it into the second rectangle, which fills it there.
    assert shape.measure() == pytest.approx(POROUS.measure() + 2 - math.pi * 0.01)


def test_coinciding_boundaries_are_counted_once():
    same = Intersection((SQUARE, Rectangle((-1, -2), (3, 1)), SQUARE))
    assert same.measure() == 4
    assert sum(same.measure(part) for part in same.parts) == 8
    assert Union((Disk(), Disk())).measure() == pytest.approx(math.pi)
    touching = Difference(SQUARE, (Rectangle((-1, -1), (0, 1)),))
    assert touching.measure() == pytest.approx(2)
    assert touching.parts == ("right", "bottom", "top", "hole1.right")


def test_tangent_circles():
    inner = Difference(Disk(), (Disk((0.5, 0), 0.5),))
    assert inner.measure() == pytest.approx(0.75 * math.pi)
    assert sum(inner.measure(p) for p in inner.parts) == pytest.approx(3 * math.pi)


# Time ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "space", [POROUS, Disk(), SQUARE, MeshRegion(mesh(L_SHAPE, 0.5)), SOLID[1]], ids=lambda s: type(s).__name__
)
def test_time(space):
    region = SpaceTime(space, 1, 4)
    assert (region.names, region.time, region.parts) == ((*space.names, "t"), "t", space.parts)
    assert region.resolve(("boundary", "initial")) == (*space.parts, "initial")
    assert region.measure() == pytest.approx(3 * space.measure())
    inside = interior_points(region, Sobol(256), seeded())
    assert len(inside) == 256
    assert bool(region.contains(inside.x).all())
    assert inside.measure == pytest.approx(region.measure())
    assert 1 < float(inside.x[:, -1].min()) < 1.1 < 3.9 < float(inside.x[:, -1].max()) < 4
    border = boundary_points(region, "boundary", Sobol(256), seeded())
    assert border.measure == pytest.approx(3 * sum(space.measure(part) for part in space.parts))
    assert bool((border.normal[:, -1] == 0).all())
    assert bool(region.contains(border.x).all())
    assert not bool(region.contains(border.x + 1e-3 * border.normal).any())
    start = boundary_points(region, "initial", Uniform(100), seeded())
    assert start.measure == pytest.approx(space.measure())
    assert bool((start.x[:, -1] == 1).all()) and bool(region.contains(start.x).all())
    assert not bool(region.contains(start.x - 1e-3).any())


def test_impossible_times():
    with pytest.raises(DomainError, match="'t' runs from 2 to 1"):
        SpaceTime(Disk(), 2, 1)
    with pytest.raises(DomainError, match="'x' is used in space"):
        SpaceTime(Disk(), 0, 1, "x")
    with pytest.raises(NotApplicableError, match="expected none"):
        SpaceTime(SpaceTime(Disk(), 0, 1), 0, 1, "s")
    with pytest.raises(UnknownNameError, match="'finally'"):
        SpaceTime(Disk(), 0, 1).resolve("finally")


# Configuration ------------------------------------------------------------------------------------------------------


@every
def test_shapes_are_configuration(shape):
    table = encode(shape)
    assert reader().read(Region, table, "domain") == shape
    assert hash(reader().read(Region, table, "domain")) == hash(shape)


# What is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Disk(radius=0), DomainError, "disk: got radius 0, expected a positive length"),
        (lambda: Disk(radius=-1.5), DomainError, "-1.5"),
        (lambda: Disk(radius=math.nan), DomainError, "nan"),
        (lambda: Disk(radius="1"), TypeError, "'1'"),
        (lambda: Disk((0, 0, 0), 1), DomainError, "expected 2 numbers"),
        (lambda: Disk((0, math.inf)), DomainError, "finite"),
        (lambda: Ball(radius=True), TypeError, "True"),
        (lambda: Ellipse(axes=(1, -2)), DomainError, "positive"),
        (lambda: Polygon(((0, 0), (1, 1))), DomainError, "at least three"),
        (lambda: Polygon(((0, 0), (1, 0), (1, 1), (1, 0))), DomainError, "vertices 1 and 3"),
        (lambda: Polygon(((0, 0), (1, 1), (1, 0), (0, 1))), DomainError, r"edges 0-1 and 2-3 .* \(0.5, 0.5\)"),
        (lambda: Polygon(((0, 0), (2, 0), (1, 0))), DomainError, "edges 0-1"),
        (lambda: Polygon(((0, 0), (1, 0), (1, 1)), ("a", "b")), DomainError, "expected 3 non-empty strings"),
        (lambda: Difference(Rectangle(), (Disk((0.5, 0.5), 1),)), EmptyDomainError, "0 of 4096 points accepted"),
        (lambda: Difference(Rectangle(), (Rectangle(),)), EmptyDomainError, "0 of 4096"),
        (lambda: Intersection((Disk(), Disk((5, 0)))), EmptyDomainError, r"Disk\(centre=\(5.0, 0.0\)"),
        (lambda: Difference(Rectangle(), Disk()), TypeError, r"write \(shape,\)"),
        (lambda: Difference(Rectangle(), ()), DomainError, "at least 1"),
        (lambda: Union((Disk(),)), DomainError, "at least 2"),
        (lambda: Difference(Hypercube(3), (Disk(),)), DomainError, r"dimensions \[3, 2\]"),
        (lambda: Difference(Interval(0, 1).with_time(0, 1), (Disk(),)), NotApplicableError, "without time"),
        (lambda: Difference(Hypercube(4), (Hypercube(4),)), NotApplicableError, "at most three"),
        (lambda: Union((Disk(), 3)), NotApplicableError, "got 3"),
    ],
)
def test_impossible_shapes(make, error, message):
    with pytest.raises(error, match=message) as caught:
        make()
    assert isinstance(caught.value, PdekitError)


def test_points_of_another_dimension():
    with pytest.raises(ShapeError, match=r"difference: got points of shape \(3, 1\), expected \(n, 2\)"):
        POROUS.contains(torch.zeros(3, 1))
    with pytest.raises(ShapeError, match="unit points"):
        POROUS.placed(torch.zeros(3, 1), torch.ones(3), None)
