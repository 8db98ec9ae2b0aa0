"""Boxes, their parts and measures, and points."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pdekit.domain import Box, Hypercube, Interval, Points, Rectangle, check_inside, default_names
from pdekit.errors import DomainError, ShapeError, UnknownNameError


@pytest.mark.parametrize(
    ("box", "names", "parts", "space", "time"),
    [
        (Interval(0, 1), ("x",), ("left", "right"), (0,), None),
        (Rectangle(), ("x", "y"), ("left", "right", "bottom", "top"), (0, 1), None),
        (Interval(0, 1).with_time(0, 2), ("x", "t"), ("left", "right"), (0,), 1),
        (Box((0,), (1,), ("t",), "t"), ("t",), (), (), 0),
        (
            Hypercube(4),
            ("x1", "x2", "x3", "x4"),
            ("left", "right", "bottom", "top", "front", "back", "x4-", "x4+"),
            (0, 1, 2, 3),
            None,
        ),
    ],
    ids=repr,
)
def test_names_and_parts(box, names, parts, space, time):
    assert (box.names, box.parts, box.space_axes, box.time_axis) == (names, parts, space, time)
    assert box.dim == len(names)
    assert box.resolve("boundary") == parts


def test_every_face_answers_to_its_names():
    box = Rectangle((0, 0), (2, 3)).with_time(0, 5)
    assert [box.face(name) for name in ("left", "x-", "top", "y+", "initial", "t-", "final")] == [
        (0, 0),
        (0, 0),
        (1, 1),
        (1, 1),
        (2, 0),
        (2, 0),
        (2, 1),
    ]
    assert box.resolve(("top", "x-", "y+")) == ("top", "left")
    assert all(box.face(box.part(axis, side)) == (axis, side) for axis in range(3) for side in (0, 1))


def test_measures():
    box = Rectangle((0, 0), (2, 3)).with_time(0, 5)
    assert box.measure() == 30
    assert [box.measure(part) for part in ("left", "top", "initial")] == [15, 10, 6]
    assert Interval(0, 7).measure("left") == 1


def test_an_unknown_part_is_answered_with_the_closest():
    with pytest.raises(UnknownNameError, match="did you mean 'left'"):
        Rectangle().resolve("lef")
    with pytest.raises(UnknownNameError, match="initial"):
        Rectangle().resolve(("left", "initial"))


def test_equality_and_printed_form():
    assert Rectangle() == Box((0, 0), (1, 1)) == Box(np.zeros(2), np.ones(2))
    assert hash(Rectangle()) == hash(Hypercube(2))
    assert repr(Interval(0, 1).with_time(0, 2)) == "Box((0.0, 0.0), (1.0, 2.0), ('x', 't'), time='t')"


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(1, 4), st.integers(0, 2**31))
def test_placed_points_lie_inside_and_on_their_faces(lower, length, dim, seed):
    box = Hypercube(dim, lower, lower + length)
    unit = torch.rand(5, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    weight = torch.full((5,), 0.2, dtype=torch.float64)
    inside = box.placed(unit, weight)
    assert bool(box.contains(inside.x).all())
    assert inside.measure == pytest.approx(box.measure())
    for part in box.parts:
        axis, side = box.face(part)
        edge = box.placed(unit[:, 1:], weight, part)
        assert bool((edge.x[:, axis] == (box.lower, box.upper)[side][axis]).all())
        assert edge.measure == pytest.approx(box.measure(part))
        assert float((edge.normal[:, axis] - (2 * side - 1)).abs().max()) == 0
        assert bool((edge.normal.norm(dim=1) == 1).all())


def test_time_has_no_normal():
    box = Interval(0, 1).with_time(0, 1)
    points = box.placed(torch.rand(3, 1), torch.ones(3) / 3, "initial")
    assert bool((points.normal == 0).all())
    assert bool((points.x[:, 1] == 0).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_contains(dtype):
    box = Box((1e6, 0), (1e6 + 1, 1e-9))
    corner = torch.tensor([box.lower, box.upper], dtype=dtype)
    assert bool(box.contains(corner).all())
    assert not bool(box.contains(torch.tensor([[1e6, 2e-9], [1e6 + 3, 0], [math.nan, 0]], dtype=dtype)).any())
    with pytest.raises(ShapeError, match=r"expected \(n, 2\)"):
        box.contains(torch.zeros(3, dtype=dtype))


def test_points_outside_are_counted():
    check_inside("data", Rectangle(), torch.tensor([[0.0, 1.0]]))
    with pytest.raises(DomainError, match=r"data: 2 of 3 points lie outside the domain, the first at \[2.0, 0.0\]"):
        check_inside("data", Rectangle(), torch.tensor([[0.0, 1.0], [2.0, 0.0], [0.0, -1.0]]))


def test_joined_points_add_up():
    box, unit, weight = Rectangle((0, 0), (1, 2)), torch.rand(4, 1), torch.ones(4) / 4
    joined = Points.joined([box.placed(unit, weight, part) for part in box.parts])
    assert len(joined) == 16
    assert joined.measure == pytest.approx(6)
    assert joined.normal is not None
    interior = box.placed(torch.rand(4, 2), weight)
    assert Points.joined([interior, box.placed(unit, weight, "left")]).normal is None


def test_points_change_type():
    points = Rectangle().placed(torch.rand(4, 1), torch.ones(4) / 4, "left").to(torch.float64)
    assert points.x.dtype == points.weight.dtype == points.normal.dtype == torch.float64


def test_with_time_twice():
    with pytest.raises(DomainError, match="already"):
        Interval(0, 1).with_time(0, 1).with_time(0, 1)


@pytest.mark.parametrize("dim", [1, 3, 4, 12])
def test_default_names_are_distinct(dim):
    assert len(set(default_names(dim, "t"))) == dim
