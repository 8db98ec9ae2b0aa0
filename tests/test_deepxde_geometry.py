"""DeepXDE's geometries as shapes: the same inside, boundaries uniform in arc length, an import that leaves no trace."""

from __future__ import annotations

import math
import os
import random

import numpy as np
import pytest
import torch

from pdekit.domain import Box, Interval
from pdekit.errors import NotApplicableError
from pdekit.geometry import Ball, Difference, Disk, Ellipse, Polygon, SpaceTime, Union, deepxde_geometry, from_deepxde
from pdekit.sampling import Uniform, boundary_points


@pytest.fixture(scope="module")
def dde():
    return deepxde_geometry()


def test_import_leaves_no_trace(capfd):
    """Holds for the first import; later ones find the module."""
    torch.manual_seed(11)
    before = (torch.get_default_dtype(), torch.get_default_device(), os.environ.get("DDE_BACKEND"))
    state, numbers, arrays = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    module = deepxde_geometry()
    assert module.__name__ == "deepxde.geometry"
    assert (torch.get_default_dtype(), torch.get_default_device(), os.environ.get("DDE_BACKEND")) == before
    assert torch.equal(torch.get_rng_state(), state)
    assert random.getstate() == numbers
    assert (np.random.get_state()[1] == arrays).all()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda d: d.Interval(-1, 2), Interval(-1, 2)),
        (lambda d: d.Rectangle([0, 0], [1, 2]), Box((0, 0), (1, 2))),
        (lambda d: d.Cuboid([0, 0, 0], [1, 2, 3]), Box((0, 0, 0), (1, 2, 3))),
        (lambda d: d.Hypercube([0] * 4, [1] * 4), Box((0,) * 4, (1,) * 4)),
        (lambda d: d.Disk([1, 0], 0.5), Disk((1, 0), 0.5)),
        (lambda d: d.Sphere([0, 0, 1], 2), Ball((0, 0, 1), 2)),
        (lambda d: d.Ellipse([0, 0], 2, 1, 0.5), Ellipse((0, 0), (2, 1), -0.5)),
        (lambda d: d.Triangle([0, 0], [1, 0], [0, 1]), Polygon(((0, 0), (1, 0), (0, 1)))),
        (
            lambda d: d.CSGDifference(
                d.CSGDifference(d.Rectangle([0, 0], [1, 1]), d.Disk([0, 0], 0.5)), d.Disk([1, 1], 0.5)
            ),
            Difference(Box((0, 0), (1, 1)), (Disk((0, 0), 0.5), Disk((1, 1), 0.5))),
        ),
        (
            lambda d: d.CSGDifference(
                d.Rectangle([0, 0], [2, 2]), d.CSGUnion(d.Disk([0, 0], 0.5), d.Disk([1, 1], 0.5))
            ),
            Difference(Box((0, 0), (2, 2)), (Disk((0, 0), 0.5), Disk((1, 1), 0.5))),
        ),
        (lambda d: d.CSGUnion(d.Disk([0, 0], 1), d.Disk([1, 0], 1)), Union((Disk(), Disk((1, 0))))),
        (lambda d: d.GeometryXTime(d.Interval(0, 1), d.TimeDomain(0, 2)), Interval(0, 1).with_time(0, 2)),
        (lambda d: d.GeometryXTime(d.Disk([0, 0], 1), d.TimeDomain(1, 2)), SpaceTime(Disk(), 1, 2)),
    ],
    ids=lambda value: "" if callable(value) else type(value).__name__,
)
def test_classes(dde, make, expected):
    assert from_deepxde(make(dde)) == expected


@pytest.mark.parametrize(
    "make",
    [
        lambda d: d.CSGDifference(d.Rectangle([-1, -1], [1, 1]), d.Ellipse([0, 0], 0.7, 0.2, 0.6)),
        lambda d: d.CSGIntersection(d.Disk([0, 0], 1), d.Polygon([[0, -2], [2, 0], [0, 2], [-0.5, 0]])),
        lambda d: d.StarShaped([0.2, 0.1], 0.5, [0.05, 0.02], [0.0, -0.03]),
    ],
    ids=["ellipse", "polygon", "star"],
)
def test_inside_and_boundary_agree(dde, make):
    geometry = make(dde)
    shape = from_deepxde(geometry)
    x = np.random.default_rng(8).uniform(-1.2, 1.2, (4000, 2))
    ours, theirs = shape.contains(torch.from_numpy(x)).numpy(), geometry.inside(x)
    near = shape.signed_distance(torch.from_numpy(x)).abs().numpy() < 1e-4  # single precision, edges of the star
    assert (ours == theirs)[~near].all()
    assert near.sum() < 10
    points = geometry.random_boundary_points(50)
    assert float(shape.signed_distance(torch.from_numpy(points.astype(float))).abs().max()) < 1e-4


def test_shares_are_those_of_arc_length_where_deepxde_has_halves(dde):
    """A hole with 24 % of the perimeter gets half of DeepXDE's points, and 24 % of ours."""
    geometry = dde.CSGDifference(dde.Rectangle([-1, -1], [1, 1]), dde.Disk([0, 0], 0.4))
    share = 0.8 * math.pi / (8 + 0.8 * math.pi)
    ours = boundary_points(from_deepxde(geometry), "boundary", Uniform(1000), torch.Generator().manual_seed(2)).x
    assert float((ours.norm(dim=1) < 0.41).double().mean()) == pytest.approx(share, abs=0.001)
    theirs = geometry.random_boundary_points(1000)
    assert (np.linalg.norm(theirs, axis=1) < 0.41).mean() > 0.4


def test_what_is_not_converted(dde):
    with pytest.raises(NotApplicableError, match="got a PointCloud"):
        from_deepxde(dde.PointCloud(np.zeros((3, 2))))
    with pytest.raises(NotApplicableError, match="got Disk, expected an instance of a class of"):
        from_deepxde(Disk())
