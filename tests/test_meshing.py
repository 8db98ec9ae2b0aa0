"""Meshes of regions: boundaries kept, angles, measures of order h^2, grading, nesting; meshes as regions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from pdekit.domain import Box, Hypercube, Interval, Rectangle
from pdekit.errors import ConfigError, MemoryBudgetError, NotApplicableError, PdekitError, ShapeError, UnknownNameError
from pdekit.geometry import Ball, Difference, Disk, Ellipse, Intersection, MeshRegion, Polygon, Union
from pdekit.meshing import mesh, refined
from pdekit.sampling import LatinHypercube, Sobol, Uniform, boundary_points, interior_points

SQUARE = Rectangle((-1, -1), (1, 1))
POROUS = Difference(
    SQUARE,
    tuple(Disk((x, y), r) for x, y, r in ((-0.5, -0.5, 0.3), (0.5, 0.4, 0.05), (0.9, -0.6, 0.3), (0.1, 0.42, 0.15))),
)
L_SHAPE = Polygon(((0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)))
STAIRS = Union((Box((0, 0), (1, 1)), Box((0.5, 0.5), (2, 2)), Box((1, 0), (2, 0.5))))
LENS = Intersection((Disk(), Disk((1, 0))))
SLIT = Difference(SQUARE, (Polygon(((0, 0), (1, -0.01), (1, 0.01))),))
PLANE = [Disk((1, 2), 0.5), Ellipse(axes=(1, 0.2), angle=0.5), L_SHAPE, POROUS, STAIRS, LENS, SLIT, SQUARE]
LINE = Difference(Interval(0, 1), (Interval(0.4, 0.6),))
OTHER = [Ball((1, 0, 0), 2), Hypercube(3), Box((0, 0, 0), (1, 2, 0.5)), Interval(-1, 2), LINE]
plane = pytest.mark.parametrize("shape", PLANE, ids=lambda s: type(s).__name__)
every = pytest.mark.parametrize("shape", [*PLANE, *OTHER], ids=lambda s: f"{type(s).__name__}{s.dim}")


def seeded(seed: int = 4) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@plane
@pytest.mark.parametrize("size", [0.3, 0.15])
def test_triangles_are_good(shape, size):
    """20 degrees is what refinement by circumcentres guarantees (Ruppert); the slit and the lens have no sharper corner inside."""
    made = mesh(shape, size)
    assert made.smallest_angle > 18
    assert made.size < 1.6 * size
    assert set(made.parts) == set(shape.parts)
    refined_mesh = refined(shape, made)
    assert refined_mesh.smallest_angle > 15
    assert np.array_equal(refined_mesh.points[: len(made.points)], made.points)


@every
def test_boundary_points_lie_on_the_boundary_and_corners_are_kept(shape):
    made = refined(shape, mesh(shape, max(shape.lengths) / 6))
    for part in shape.parts:
        on = torch.from_numpy(made.points[np.unique(made.parts[part])])
        if not isinstance(shape, Box):
            assert float(shape.signed_distance(on).abs().max()) < 1e-10 * max(shape.lengths)
    if not isinstance(shape, Disk | Ellipse):
        assert np.allclose(made.points[np.unique(made.facets)].min(axis=0), shape.lower)
        assert np.allclose(made.points[np.unique(made.facets)].max(axis=0), shape.upper)


@every
def test_measures_converge(shape):
    """Polygons and boxes at once, curves by chords with order h^2."""
    made = mesh(shape, max(shape.lengths) / 8)
    for _ in range(1 if shape.dim == 3 else 2):
        coarse, made = made, refined(shape, made)
    for exact, before, after in (
        (shape.measure(), coarse.measure, made.measure),
        *((shape.measure(p), coarse.areas(p).sum(), made.areas(p).sum()) for p in shape.parts),
    ):
        if abs(exact - before) < 1e-12 * exact:
            assert after == pytest.approx(exact, rel=1e-12)
        else:
            assert math.log2(abs(exact - before) / abs(exact - after)) == pytest.approx(2, abs=0.1)


@plane
def test_boundary_edges_of_a_piece_are_equal_where_nothing_is_near(shape):
    made = mesh(shape, 0.1)
    for part in shape.parts:
        lengths = made.areas(part)
        assert lengths.max() <= 0.1 * (1 + 1e-9)
        if isinstance(shape, Disk | Ellipse):
            assert lengths.max() / lengths.min() < 1.2  # chords of equal arcs


def test_edges_follow_small_holes_and_gaps():
    small = Difference(SQUARE, (Disk((0, 0), 0.01),))
    made = mesh(small, 0.25)
    assert len(made.parts["hole1"]) == 16
    assert len(made.cells) < 1500  # graded: uniform cells as small as those at the hole would be 500,000
    near = Difference(SQUARE, (Disk((-0.31, 0), 0.3), Disk((0.31, 0), 0.3)))
    gap = mesh(near, 0.25)
    ends = gap.points[np.concatenate([gap.parts["hole1"], gap.parts["hole2"]])]
    between = (np.abs(ends.mean(axis=1)) < [0.1, 0.05]).all(axis=1)
    assert np.linalg.norm(ends[between, 1] - ends[between, 0], axis=1).max() < 0.05
    assert gap.smallest_angle > 15


def test_every_inner_edge_is_in_two_triangles():
    made = mesh(POROUS, 0.2)
    edges, points, cells = len(made.edges), len(made.points), len(made.cells)
    assert points - edges + cells == 1 - 3  # Euler: a piece with three holes; the fourth is cut by the border


def test_sharp_corners():
    corner = Polygon(((0, 0), (1, 0), (math.cos(0.1), math.sin(0.1))))
    assert mesh(corner, 0.3).smallest_angle == pytest.approx(math.degrees(0.1))
    with pytest.raises(NotApplicableError, match="too sharp"):
        mesh(Difference(Disk(), (Disk((0.5, 0), 0.5),)), 0.2)


def test_meshes_do_not_depend_on_chance():
    first, second = mesh(POROUS, 0.2), mesh(POROUS, 0.2)
    assert np.array_equal(first.points, second.points)
    assert np.array_equal(first.cells, second.cells)


@pytest.mark.parametrize(
    ("region", "size", "error", "message"),
    [
        (Disk(), 0, ConfigError, "size: got 0"),
        (Disk(), math.nan, ConfigError, "nan"),
        (Disk(), "0.1", ConfigError, "'0.1'"),
        (Disk(), 1e-5, MemoryBudgetError, "about 8e"),
        (Hypercube(4), 0.5, NotApplicableError, "at most two dimensions, or a box or ball"),
        (Difference(Hypercube(3), (Ball(radius=0.5),)), 0.5, NotApplicableError, "Gmsh"),
        (Interval(0, 1).with_time(0, 1), 0.1, NotApplicableError, "space only"),
    ],
)
def test_what_cannot_be_meshed(region, size, error, message):
    with pytest.raises(error, match=message) as caught:
        mesh(region, size)
    assert isinstance(caught.value, PdekitError)


# Meshes as regions --------------------------------------------------------------------------------------------------


@every
def test_a_mesh_is_a_region(shape):
    made = mesh(shape, max(shape.lengths) / 6)
    region = MeshRegion(made)
    assert region.resolve("boundary") == tuple(made.parts)
    assert region.measure() == pytest.approx(made.measure)
    inside = interior_points(region, Sobol(512), seeded())
    assert len(inside) == 512
    assert bool(region.contains(inside.x).all())
    assert inside.measure == pytest.approx(made.measure)
    border = boundary_points(region, "boundary", Uniform(300), seeded())
    assert border.measure == pytest.approx(sum(made.areas(part).sum() for part in made.parts))
    for dtype in (torch.float64, torch.float32):
        assert bool(region.contains(border.x.to(dtype)).all())
        beside = (
            border.x[border.x.norm(dim=1) > 0.05] + 1e-5 * border.normal[border.x.norm(dim=1) > 0.05]
        )  # not the slit's tip
        assert not bool(region.contains(beside.to(dtype)).any())
    assert not bool(region.contains(torch.full((1, shape.dim), math.nan, dtype=torch.float64)).any())


@pytest.mark.parametrize("sampler", [Uniform(4000), Sobol(4096), LatinHypercube(4000)], ids=repr)
def test_points_are_uniform_over_cells_of_any_size(sampler):
    """Counts by quadrant and by part against areas, within three standard errors of independent draws."""
    made = mesh(Difference(SQUARE, (Disk((0.5, 0.5), 0.05),)), 0.3)
    region, n = MeshRegion(made), sampler.count(2)
    x = interior_points(region, sampler, seeded()).x
    share = (1 - math.pi * 0.05**2) / made.measure
    assert abs(int((x > 0).all(dim=1).sum()) - n * share) < 3 * math.sqrt(n * share * (1 - share))
    inner = (x - 0.5).norm(dim=1) < 0.1
    share = math.pi * (0.1**2 - 0.05**2) / made.measure
    assert abs(int(inner.sum()) - n * share) < 3 * math.sqrt(n * share * (1 - share)) + 1
    total = sum(made.areas(part).sum() for part in made.parts)
    border = boundary_points(region, "boundary", sampler, seeded())
    for part in made.parts:
        mine = len(boundary_points(region, part, sampler.scaled(region.measure(part) / total, 1), seeded()))
        assert abs(mine - len(border) * region.measure(part) / total) < 1.5


def test_the_mesh_of_a_mesh_region_is_its_own():
    made = mesh(POROUS, 0.3)
    assert mesh(MeshRegion(made), made.size) is made
    assert mesh(MeshRegion(made), 0.6 * made.size).size == pytest.approx(made.size / 2)
    assert len(refined(MeshRegion(made), made).cells) == 4 * len(made.cells)


def test_names_and_shapes_are_checked():
    region = MeshRegion(mesh(POROUS, 0.5))
    assert region.resolve("holes") == ("hole1", "hole2", "hole3", "hole4")
    with pytest.raises(UnknownNameError, match="did you mean 'left'"):
        region.resolve("lef")
    with pytest.raises(ShapeError, match=r"expected \(n, 2\)"):
        region.contains(torch.zeros(3, 3))


def test_facets_of_a_disconnected_line():
    made = mesh(LINE, 0.25)
    assert [len(made.parts[part]) for part in LINE.parts] == [1, 1, 1, 1]
    ends = {part: float(made.points[made.parts[part]][0, 0, 0]) for part in made.parts}
    assert ends == {"left": 0, "right": 1, "hole1.left": 0.4, "hole1.right": 0.6}
    assert all(gap <= 0.25 for gap in made.volumes) and list(itertools.chain(*made.normals("hole1.left"))) == [1]
