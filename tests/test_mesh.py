"""Meshes: orientation, boundary, measures, refinement, and what is refused."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from pdekit.discrete import Mesh
from pdekit.errors import DomainError, ShapeError


def cube(dim: int) -> Mesh:
    """The unit cube cut into dim! simplices, one for each order of the coordinates (Kuhn)."""
    points = np.array(list(itertools.product([0.0, 1.0], repeat=dim)))
    paths = [np.cumsum([0, *(2 ** (dim - 1 - axis) for axis in order)]) for order in itertools.permutations(range(dim))]
    return Mesh.of(points, np.array(paths))


def sides(mesh: Mesh) -> dict[str, np.ndarray]:
    """Boundary facets by the face of the unit cube they lie on."""
    named = {}
    for axis, side in itertools.product(range(mesh.dim), (0, 1)):
        on = (mesh.points[mesh.facets][:, :, axis] == side).all(axis=1)
        named[f"{axis}{'-+'[side]}"] = mesh.facets[on]
    return named


each_dim = pytest.mark.parametrize("dim", [1, 2, 3])


@each_dim
def test_cells_are_oriented_and_fill_the_cube(dim):
    mesh = cube(dim)
    assert (mesh.volumes > 0).all()
    assert mesh.measure == pytest.approx(1)
    assert len(mesh.cells) == math.factorial(dim)
    assert mesh.size == pytest.approx(math.sqrt(dim))


@each_dim
def test_normals_point_out(dim):
    """Gauss: the integral of x . n over the boundary is d times the volume."""
    mesh = cube(dim).refined()
    flux = (mesh.points[mesh.facets].mean(axis=1) * mesh.normals("boundary")).sum(axis=1) @ mesh.areas("boundary")
    assert flux / dim == pytest.approx(1)
    assert np.allclose(np.linalg.norm(mesh.normals("boundary"), axis=1), 1)
    assert mesh.areas("boundary").sum() == pytest.approx(2 * dim)


@each_dim
def test_parts_keep_their_facets_when_refined(dim):
    mesh = cube(dim)
    named = Mesh(mesh.points, mesh.cells, sides(mesh)).refined().refined()
    assert len(named.cells) == len(mesh.cells) * 4**dim
    for name, (axis, side) in zip(named.parts, itertools.product(range(dim), (0, 1)), strict=True):
        assert (named.points[named.parts[name]][:, :, axis] == side).all()
        assert named.areas(name).sum() == pytest.approx(1)
        assert np.allclose(named.normals(name)[:, axis], 2 * side - 1)


@each_dim
def test_refinement_halves_and_keeps_the_points(dim):
    mesh = cube(dim)
    fine = mesh.refined().refined().refined()
    assert np.array_equal(fine.points[: len(mesh.points)], mesh.points)
    assert fine.measure == pytest.approx(1)
    assert len(np.unique(fine.points.round(9), axis=0)) == len(fine.points)
    if dim < 3:
        assert fine.size == pytest.approx(mesh.size / 8)
        assert fine.quality.min() == pytest.approx(mesh.quality.min())
    else:  # the inner octahedra are cut along the shortest diagonal: a bounded number of shapes
        assert fine.quality.min() > 0.6


def test_new_points_snap_onto_a_curved_boundary():
    """An octagon refined with snapping tends to the disc, area with order h^2; without it stays an octagon."""
    angles = np.arange(8) * math.pi / 4
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    cells = np.array([[0, 1 + i, 1 + (i + 1) % 8] for i in range(8)])
    mesh = Mesh.of(np.concatenate([np.zeros((1, 2)), ring]), cells)
    gaps = []
    for _ in range(4):
        mesh = mesh.refined(lambda x, part: x / np.linalg.norm(x, axis=1, keepdims=True))
        gaps.append(math.pi - mesh.measure)
    assert [math.log2(a / b) for a, b in itertools.pairwise(gaps)] == pytest.approx([2, 2, 2], abs=0.02)


def test_quality_of_known_simplices():
    regular = Mesh.of(np.array([[0, 0], [1, 0], [0.5, math.sqrt(0.75)]]), np.array([[0, 1, 2]]))
    assert regular.quality[0] == pytest.approx(1)
    assert regular.smallest_angle == pytest.approx(60)
    right = Mesh.of(np.array([[0.0, 0], [4, 0], [0, 3]]), np.array([[0, 1, 2]]))
    assert right.quality[0] == pytest.approx(2 * 1 / 2.5)
    assert right.smallest_angle == pytest.approx(math.degrees(math.atan(3 / 4)))
    solid = Mesh.of(np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]), np.array([[0, 1, 2, 3]]))
    assert solid.quality[0] == pytest.approx(1)
    with pytest.raises(ShapeError, match="quality"):
        _ = solid.smallest_angle


def test_meshes_are_printed_in_a_line():
    assert repr(cube(2)) == "Mesh(4 points, 2 triangle cells, parts boundary)"


def test_two_intervals_have_four_ends():
    mesh = Mesh.of(np.array([[0.0], [1], [2], [3]]), np.array([[0, 1], [3, 2]]))
    ends = mesh.points[mesh.parts["boundary"]][:, 0, 0]
    assert dict(zip(ends, mesh.normals("boundary")[:, 0], strict=True)) == {0: -1, 1: 1, 2: -1, 3: 1}


SQUARE = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
CELLS = np.array([[0, 1, 2], [0, 2, 3]])
ALL = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])


@pytest.mark.parametrize(
    ("points", "cells", "parts", "message"),
    [
        (np.where(SQUARE == 1, np.nan, SQUARE), CELLS, {"a": ALL}, "point 1 is"),
        (SQUARE, np.array([[0, 1, 4]]), {}, r"cell 0 has the corners \[0, 1, 4\], expected numbers from 0 to 3"),
        (SQUARE, np.array([[0, 1, 2], [0, 2, -1]]), {}, "cell 1 has the corners"),
        (SQUARE, np.array([[0, 1, 1]]), {}, "cell 0 .* has no volume"),
        (np.array([[0.0, 0], [1, 0], [2, 1e-15]]), np.array([[0, 1, 2]]), {}, "has no volume"),
        (SQUARE, CELLS[:, ::-1], {"a": ALL}, "cell 0 is inverted"),
        (SQUARE, CELLS, {"a": np.array([[0, 2]])}, "not on the boundary"),
        (SQUARE, CELLS, {"a": ALL, "b": ALL[:1]}, "in the parts 'a' and 'b'"),
        (SQUARE, CELLS, {"a": ALL[:3]}, "1 of 4 boundary facets are in no part"),
        (SQUARE, np.array([[0, 1, 2], [0, 2, 3], [1, 2, 0]]), {}, "belongs to 3 cells"),
    ],
)
def test_what_is_no_mesh(points, cells, parts, message):
    with pytest.raises(DomainError, match=message) as caught:
        Mesh(points, cells, parts)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("points", "cells"),
    [
        (np.zeros(3), CELLS),
        (np.zeros((3, 4)), CELLS),
        (SQUARE, np.empty((0, 3), int)),
        (SQUARE, CELLS.astype(float)),
        (SQUARE, np.array([[0, 1, 2, 3]])),
    ],
)
def test_shapes_that_do_not_fit(points, cells):
    with pytest.raises(ShapeError, match="mesh: got"):
        Mesh.of(points, cells)
