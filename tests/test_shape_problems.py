"""Problems on shapes and meshes: the check, the picture, evaluation inside and out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from fakes import solved

from pdekit.conditions import Condition, Dirichlet, Initial, Neumann, Observations, Periodic, Robin
from pdekit.domain import Rectangle, Region
from pdekit.errors import ConflictError, IllPosedError, PdekitError, UnknownNameError
from pdekit.geometry import Ball, Difference, Disk, MeshRegion, Polygon, SpaceTime
from pdekit.meshing import mesh
from pdekit.plot import plot_error, plot_field
from pdekit.plot_problem import plot_problem
from pdekit.problem import Elliptic, Parabolic

PLATE = Difference(Rectangle(), (Disk((0.5, 0.5), 0.2), Disk((0.9, 0.1), 0.2, name="notch")))
SIDES = ("left", "right", "bottom", "top")


@dataclass(frozen=True)
class Quadratic(Elliptic):
    """-lap u = -2d, u = |x|^2."""

    domain: Region = PLATE
    conditions: tuple[Condition, ...] = ()

    def source(self, x):
        return torch.full_like(x[:, :1], -2.0 * x.shape[1])

    def exact(self, x):
        return (x**2).sum(dim=1, keepdim=True)


def squared(x):
    return (x**2).sum(dim=1, keepdim=True)


def slope(x):
    """Flux through a hole around (0.5, 0.5), whose outward normal points to its centre."""
    return 2 * (x * (0.5 - x)).sum(dim=1, keepdim=True) / 0.2


@pytest.mark.parametrize(
    "problem",
    [
        Quadratic(PLATE, (Dirichlet("boundary", squared),)),
        Quadratic(PLATE, (Dirichlet((*SIDES, "notch"), squared), Neumann("hole1", slope))),
        Quadratic(Disk((1, 0), 2), (Dirichlet("circle", squared),)),
        Quadratic(Disk(radius=2), (Robin("circle", 1.0, 8.0),)),
        Quadratic(Ball(radius=2), (Dirichlet("boundary", 4.0),)),
        Quadratic(Polygon(((0, 0), (1, 0), (0, 1))), (Dirichlet("boundary", squared),)),
        Quadratic(MeshRegion(mesh(PLATE, 0.3)), (Dirichlet(SIDES, squared), Dirichlet(("notch", "hole1"), squared))),
    ],
    ids=lambda p: f"{type(p.domain).__name__}-{len(p.conditions)}",
)
def test_sound_problems_pass(problem):
    """Sources, exact solutions, fluxes along outward normals and coverage agree."""
    assert not problem.check().warnings


@pytest.mark.parametrize(
    ("conditions", "error", "message"),
    [
        ((Dirichlet(SIDES, squared),), IllPosedError, "no condition on 'hole1', 'notch'"),
        ((), IllPosedError, "no boundary condition"),
        ((Dirichlet("boundary", squared), Neumann("holes")), ConflictError, "'hole1' has two conditions"),
        ((Dirichlet((*SIDES, "hole1"), squared), Dirichlet("hole2")), UnknownNameError, "did you mean 'holes'"),
        ((Dirichlet("boundary", squared), Periodic("x")), UnknownNameError, "'x-'"),
        ((Neumann("boundary", 1.0),), IllPosedError, "to cancel"),
        ((Dirichlet((*SIDES, "notch"), squared), Neumann("hole1", lambda x: -slope(x))), PdekitError, "neumann"),
        (
            (Dirichlet("boundary", squared), Observations(torch.full((1, 2), 0.5), torch.ones(1, 1))),
            PdekitError,
            "outside",
        ),
    ],
)
def test_unsound_problems_are_refused(conditions, error, message):
    with pytest.raises(error, match=message):
        Quadratic(PLATE, conditions).check()


def test_fluxes_that_balance_still_leave_constants():
    """The source is -4 everywhere: flux 4 |PLATE| / |boundary| keeps it, and the mean is free."""
    perimeter = sum(PLATE.measure(part) for part in PLATE.parts)

    @dataclass(frozen=True)
    class Unknown(Quadratic):
        def exact(self, x):
            return None

    with pytest.raises(IllPosedError, match="constants in the kernel"):
        Unknown(PLATE, (Neumann("boundary", 4 * PLATE.measure() / perimeter),)).check()


@pytest.mark.parametrize("domain", [PLATE, MeshRegion(mesh(PLATE, 0.3))], ids=lambda d: type(d).__name__)
def test_pictures_show_the_boundary(domain):
    """Lines along every part; each condition in the legend."""
    axes = plot_problem(Quadratic(domain, (Dirichlet(SIDES, squared), Neumann("hole1"))))
    drawn = sum(float(np.linalg.norm(np.diff(line.get_xydata(), axis=0), axis=1).sum()) for line in axes.lines)
    assert drawn == pytest.approx(sum(PLATE.measure(part) for part in PLATE.parts), rel=0.02)
    texts = " ".join(text.get_text() for text in axes.get_legend().get_texts())
    assert "Neumann: hole1" in texts
    assert "no condition: notch" in texts


@pytest.mark.parametrize("draw", [plot_field, plot_error], ids=lambda f: f.__name__)
def test_fields_are_blank_in_holes(draw):
    made = dataclasses.replace(solved(Rectangle()), problem=Quadratic(PLATE, (Dirichlet("boundary", squared),)))
    values = np.ma.filled(draw(made).collections[0].get_array().astype(float), np.nan)
    assert np.isnan(values).mean() == pytest.approx(1 - PLATE.measure(), abs=0.01)


@dataclass(frozen=True)
class Cooling(Parabolic):
    """u = exp(-t) (1 + |x|^2) on a disc with a hole."""

    domain: Region = SpaceTime(Difference(Disk(), (Disk((0.3, 0), 0.2),)), 0, 1)  # noqa: RUF009 -- immutable
    conditions: tuple[Condition, ...] = ()

    def source(self, x):
        return -self.exact(x) - 4 * torch.exp(-x[:, 2:])

    def exact(self, x):
        return torch.exp(-x[:, 2:]) * (1 + squared(x[:, :2]))


def test_shapes_with_time():
    cooling = Cooling()
    ends = (Dirichlet("boundary", cooling.exact), Initial(cooling.exact))
    assert not dataclasses.replace(cooling, conditions=ends).check().warnings
    with pytest.raises(IllPosedError, match="no initial value"):
        dataclasses.replace(cooling, conditions=ends[:1]).check()
    with pytest.raises(IllPosedError, match="no condition on 'hole1'"):
        dataclasses.replace(cooling, conditions=(Dirichlet("circle", cooling.exact), ends[1])).check()
