"""DeepXDE's geometries as shapes, and its import without side effects."""

from __future__ import annotations

import contextlib
import importlib
import io
import math
import os
import random
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import torch

from ..domain import Box, Interval, Region
from ..errors import NotApplicableError
from .csg import Difference, Intersection, Union
from .leaves import Ball, Disk, Ellipse, Polygon
from .space_time import SpaceTime

_BACKEND = "DDE_BACKEND"
_STAR_EDGES = 360


def deepxde_geometry() -> ModuleType:
    """The module `deepxde.geometry`, imported so that nothing is printed and no default of torch or generator is changed.

    Notes: about 5 s the first time. DeepXDE uses its PyTorch backend then.
    """
    with _guarded():
        return importlib.import_module("deepxde.geometry")


def from_deepxde(geometry: Any) -> Region:
    """A geometry of DeepXDE as a region of pdekit, whose points are uniform in arc length.

    Interval, Rectangle, Cuboid and Hypercube become boxes; GeometryXTime adds time. Disk, Ellipse, Triangle,
    Polygon, Sphere, and unions, intersections and differences of them become shapes; a difference of a difference, one
    with several holes. A star-shaped curve becomes a polygon of 360 edges.

    Args:
        geometry: an instance of a class of `deepxde.geometry`.

    Raises:
        NotApplicableError: another object, as a point cloud or a class of the user's.

    Notes:
        DeepXDE's own points on the boundary of a difference are not uniform: each operand gets half of them.
        Coordinates that DeepXDE rounded to single precision stay rounded.
    """
    known = sys.modules.get("deepxde.geometry")
    if known is None or not isinstance(geometry, known.Geometry | known.GeometryXTime):
        raise NotApplicableError(
            f"from_deepxde: got {type(geometry).__name__}, expected an instance of a class of deepxde.geometry"
        )
    if isinstance(geometry, known.GeometryXTime):
        space, time = from_deepxde(geometry.geometry), geometry.timedomain
        start, end = float(time.t0), float(time.t1)
        return space.with_time(start, end) if isinstance(space, Box) else SpaceTime(space, start, end)
    return _converted(geometry, known)


def _converted(g: Any, known: ModuleType) -> Region:  # noqa: PLR0911 (one per class)
    match g:
        case known.CSGDifference():
            return _difference(from_deepxde(g.geom1), from_deepxde(g.geom2))
        case known.CSGUnion():
            return Union((from_deepxde(g.geom1), from_deepxde(g.geom2)))
        case known.CSGIntersection():
            return Intersection((from_deepxde(g.geom1), from_deepxde(g.geom2)))
        case known.Interval():
            return Interval(float(g.l), float(g.r))
        case known.Hypercube():
            return Box(_floats(g.xmin), _floats(g.xmax))
        case known.Hypersphere() if len(g.center) == 2:
            return Disk(_pair(g.center), float(g.radius))
        case known.Hypersphere() if len(g.center) == 3:
            x, y, z = _floats(g.center)
            return Ball((x, y, z), float(g.radius))
        case known.Ellipse():
            return Ellipse(
                _pair(g.center), (float(g.semimajor), float(g.semiminor)), -float(g.angle)
            )  # clockwise there
        case known.Triangle():
            return Polygon((_pair(g.x1), _pair(g.x2), _pair(g.x3)))
        case known.Polygon():
            return Polygon(tuple(_pair(v) for v in g.vertices))
        case known.StarShaped():
            return _star(g)
    raise NotApplicableError(
        f"from_deepxde: got a {type(g).__name__}, expected a box, disc, ball, ellipse, triangle, polygon, star or a set "
        "operation on them; describe it as a Polygon or a mesh"
    )


def _difference(base: Region, hole: Region) -> Difference:
    """Holes side by side, as they would be written here."""
    if isinstance(base, Difference):
        return Difference(base.base, (*base.holes, hole))
    return Difference(base, hole.shapes if isinstance(hole, Union) else (hole,))


def _star(g: Any) -> Polygon:
    """r(angle) = radius + sum of a_n cos(n angle) + b_n sin(n angle), n = 1, 2, ..."""
    x, y = _pair(g.center)
    vertices = []
    for i in range(_STAR_EDGES):
        angle = 2 * math.pi * i / _STAR_EDGES
        waves = ((g.coeffs_cos, math.cos), (g.coeffs_sin, math.sin))
        r = g.radius + sum(c * f(n * angle) for cs, f in waves for n, c in enumerate(_floats(cs), start=1))
        vertices.append((float(x + r * math.cos(angle)), float(y + r * math.sin(angle))))
    return Polygon(tuple(vertices), ("star",) * _STAR_EDGES)


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(v) for v in np.ravel(values))


def _pair(values: Any) -> tuple[float, float]:
    x, y = _floats(values)
    return x, y


@contextlib.contextmanager
def _guarded() -> Iterator[None]:
    """Undo what the import of DeepXDE does to defaults, generators and the environment; keep it silent."""
    before = os.environ.get(_BACKEND)
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    numbers, arrays = random.getstate(), np.random.get_state()
    os.environ[_BACKEND] = "pytorch"
    try:
        with (
            torch.random.fork_rng(devices=[]),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_default_device(device)
        random.setstate(numbers)
        np.random.set_state(arrays)
        if before is None:
            del os.environ[_BACKEND]
        else:
            os.environ[_BACKEND] = before
