"""Bad input, groups A to D: the error's class, the built-in class it also is, its message, within a second.

Rows that the interface rules out have a test that shows it (at the end).
"""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch

from pdekit import errors
from pdekit.conditions import Dirichlet, Initial, Neumann, Periodic
from pdekit.domain import Box, Hypercube, Interval, Points, Rectangle
from pdekit.problem import Elliptic, Problem
from pdekit.sampling import Uniform, interior_points


def make(base, **members):
    """A problem class from its members, instantiated."""
    defaults = {"name": "case", "domain": Rectangle(), "conditions": (Dirichlet(),)}
    if base is Elliptic:
        defaults["source"] = lambda self, x: torch.zeros_like(x[:, 0:1])
    return type("Case", (base,), defaults | members)()


def check(**members):
    return lambda: make(Elliptic, **members).check()


def residual(function, **members):
    return lambda: make(Problem, residual=lambda self, u: function(u), **members).check()


def data(value):
    return check(conditions=(Dirichlet("boundary", value),))


def constant(value):
    return lambda self, x: torch.full_like(x[:, 0:1], value)


def holed(self, x):
    return torch.where(x[:, 0:1] < 0.5, math.nan, 1.0)


def changed(u):
    u.x[:, 0] += 1
    return u.laplacian


def drawn(u):
    return u.laplacian + torch.rand(len(u.x), 1, dtype=u.x.dtype, generator=GENERATOR)


GENERATOR = torch.Generator().manual_seed(1)
ANTISYMMETRIC = torch.tensor([[1.0, 0.5], [-0.5, 1.0]], dtype=torch.float64)
INDEFINITE = torch.tensor([[1.0, 2.0], [2.0, 1.0]], dtype=torch.float64)


def matrix(values):
    return lambda self, x: values.to(x).expand(len(x), 2, 2)


ROWS = [
    # A. Domain
    ("A1", lambda: Interval(1, 0), errors.DomainError, ValueError, r"'x' runs from 1 to 0, expected lower < upper"),
    ("A2", lambda: Interval(1, 1), errors.DomainError, ValueError, r"'x' runs from 1 to 1"),
    ("A3 nan", lambda: Rectangle((0, math.nan)), errors.DomainError, ValueError, r"lower bound of 'y' is nan"),
    ("A3 inf", lambda: Interval(0, math.inf), errors.DomainError, ValueError, r"upper bound of 'x' is inf"),
    ("A4 text", lambda: Interval("0", 1), errors.DomainError, TypeError, r"lower bound of 'x' is '0' of type str"),
    ("A4 none", lambda: Interval(0, None), errors.DomainError, TypeError, "upper bound of 'x' is None"),
    ("A4 bool", lambda: Interval(False, True), errors.DomainError, TypeError, "type bool"),
    ("A4 no sequence", lambda: Box(0, 1), errors.DomainError, TypeError, r"lower is 0, expected a sequence"),
    ("A5", lambda: Box((0,) * 3, (1,) * 3, ("x", "y")), errors.DomainError, ValueError, "got 2 names, 3 lower"),
    ("A5 bounds", lambda: Box((0, 0), (1,)), errors.DomainError, ValueError, "2 lower and 1 upper"),
    ("A5 empty", lambda: Box((), ()), errors.DomainError, ValueError, "no coordinates"),
    ("A6", lambda: Box((0, 0), (1, 1), ("x", "x")), errors.DomainError, ValueError, "'x' is used twice"),
    ("A6 time", lambda: Interval(0, 1).with_time(0, 1, "x"), errors.DomainError, ValueError, "'x' is used twice"),
    ("A6 type", lambda: Box((0,), (1,), (3,)), errors.DomainError, TypeError, "name 0 is 3"),
    ("A10", lambda: Interval(0, 1).with_time(2, 1), errors.DomainError, ValueError, "'t' runs from 2 to 1"),
    ("A10 last", lambda: Box((0, 0), (1, 1), ("t", "x"), "t"), errors.DomainError, ValueError, "put time last"),
    ("A dim", lambda: Hypercube(0), errors.DomainError, ValueError, "dim 0, expected a positive integer"),
    # B. Boundary and initial conditions
    ("B4", data(lambda x: x[:, 0]), errors.ShapeError, ValueError, r"dirichlet\(boundary\): got shape \(\d+,\), .*1\)"),
    ("B5", data(lambda x: x), errors.ShapeError, ValueError, r"got shape \(\d+, 2\), expected \(\d+, 1\)"),
    ("B6", data(lambda x: x[1:, 0:1]), errors.ShapeError, ValueError, r"got shape \(\d+, 1\), expected \(\d+, 1\)"),
    ("B7", data(lambda x: x[0]), errors.ShapeError, ValueError, r"slice columns as x\[:, 0:1\]"),
    ("B8", data(lambda x: x[:, 0:1] / 0), errors.NonFiniteError, FloatingPointError, r"dirichlet.*: \d+ of \d+ values"),
    ("B9 complex", data(lambda x: x[:, 0:1] * 1j), errors.DtypeError, TypeError, "complex128, expected a real"),
    ("B9 numpy", data(lambda x: np.sin(x[:, 0:1].numpy())), errors.DtypeError, TypeError, "ndarray"),
    ("B9 text", lambda: Dirichlet("left", "0"), errors.DtypeError, TypeError, "Dirichlet.value: got '0' of type str"),
    (
        "B10",
        check(conditions=(Dirichlet(component=3),)),
        errors.ComponentError,
        IndexError,
        "component 3, .* 1 names u",
    ),
    ("B11", check(conditions=(Dirichlet(component="v"),)), errors.UnknownNameError, LookupError, "'v', expected .*u"),
    ("B12", check(conditions=()), errors.IllPosedError, ValueError, "constants"),
    ("B13", check(conditions=(Neumann(),)), errors.IllPosedError, ValueError, "override `mean`"),
    (
        "B14",
        check(conditions=(Neumann("boundary", 1.0),), source=constant(2.0)),
        errors.IllPosedError,
        ValueError,
        "got 2 and 4, gap 6",
    ),
    (
        "B15",
        check(conditions=(Dirichlet(), Dirichlet("top", 1.0))),
        errors.ConflictError,
        ValueError,
        r"dirichlet\(boundary\) = 0 and dirichlet\(top\) = 1 at \[",
    ),
    (
        "B16",
        residual(lambda u: u.d("t") - u.laplacian, domain=Interval(0, 1).with_time(0, 1)),
        errors.IllPosedError,
        ValueError,
        "no initial value .* in 't'",
    ),
    ("B axis", check(conditions=(Periodic("z"),)), errors.UnknownNameError, LookupError, "'z-', expected one of"),
    ("B part", check(conditions=(Dirichlet("lef"),)), errors.UnknownNameError, LookupError, "did you mean 'left'"),
    ("B tuple", check(conditions=Dirichlet()), errors.ProblemError, ValueError, r"expected a tuple"),
    ("B kind", check(conditions=("u = 0",)), errors.ProblemError, ValueError, "got 'u = 0', expected Dirichlet"),
    ("B time", check(conditions=(Dirichlet(), Initial())), errors.ProblemError, ValueError, "with_time"),
    # C. Equation and coefficients
    ("C1", residual(lambda u: None), errors.EquationError, TypeError, "case: equation 0: the residual is a NoneType"),
    ("C1 empty", residual(lambda u: ()), errors.EquationError, TypeError, "no equation"),
    (
        "C2",
        residual(lambda u: u.laplacian - u.x[:, 0]),
        errors.ShapeError,
        ValueError,
        r"equation 0: got shape \(16, 16\), expected \(16, 1\)",
    ),
    ("C2 flat", residual(lambda u: u.laplacian[:, 0]), errors.ShapeError, ValueError, r"got shape \(16,\)"),
    (
        "C3",
        residual(lambda u: u.laplacian.detach()),
        errors.GraphError,
        RuntimeError,
        "loss does not depend on the net",
    ),
    ("C4", residual(lambda u: u.x[:, 0:1]), errors.GraphError, RuntimeError, "loss does not depend on the network"),
    (
        "C4 zero",
        residual(lambda u: 0 * u.value + 1),
        errors.GraphError,
        RuntimeError,
        "loss does not depend on the net",
    ),
    ("C5", check(source=holed), errors.NonFiniteError, FloatingPointError, r"case.source: \d+ of 256 .* first at \["),
    (
        "C5 residual",
        residual(lambda u: u.laplacian / (u.x[:, 0:1] - u.x[3, 0])),
        errors.NonFiniteError,
        FloatingPointError,
        r"equation 0: 1 of 16 values are not finite, the first at \[",
    ),
    (
        "C6",
        check(diffusion=lambda self, x: x[:, 0:1] - 0.5),
        errors.IllPosedError,
        ValueError,
        r"case.diffusion: got minimum -0.49\d* at \[0.00",
    ),
    ("C6 matrix", check(diffusion=matrix(INDEFINITE)), errors.IllPosedError, ValueError, "smallest eigenvalue -1 at"),
    ("C6 skew", check(diffusion=matrix(ANTISYMMETRIC)), errors.IllPosedError, ValueError, "not symmetric"),
    ("C7", check(diffusion=lambda self, x: x[:, 0]), errors.ShapeError, ValueError, r"case.diffusion: got .*\(256,\)"),
    ("C7 b", check(advection=lambda self, x: x[:, 0:1]), errors.ShapeError, ValueError, r"advection.*\(256, 2\)"),
    ("C7 c", check(reaction=lambda self, x: x), errors.ShapeError, ValueError, r"reaction.*expected \(256, 1\)"),
    ("C7 f", check(source=lambda self, x: 1.0), errors.ShapeError, ValueError, r"source: got float, expected a tensor"),
    (
        "C8",
        residual(lambda u: u.d("z")),
        errors.UnknownNameError,
        LookupError,
        "coordinate: got 'z', expected one of x",
    ),
    (
        "C10",
        residual(lambda u: np.sin(u.value.numpy())),
        errors.GraphError,
        RuntimeError,
        "numpy was called on a tensor",
    ),
    ("C11", residual(changed), errors.GraphError, RuntimeError, "changed the points in place"),
    (
        "C13",
        residual(lambda u: u.laplacian - torch.ones(1, 1, dtype=torch.float64)),
        errors.DtypeError,
        TypeError,
        "equation 0 is torch.float64 at float32 points",
    ),
    (
        "C13 source",
        check(source=lambda self, x: torch.zeros(len(x), 1, dtype=torch.float64)),
        errors.DtypeError,
        TypeError,
        "case.source: got torch.float64 values at float32",
    ),
    ("C16", residual(drawn), errors.NondeterminismError, ValueError, r"differ by up to 0\.\d+"),
    ("C exact", check(exact=lambda self, x: x), errors.ShapeError, ValueError, r"case.exact: got shape \(16, 2\)"),
    # D. Points (counts: tests/test_sampling.py)
    ("D6", lambda: Rectangle().contains(torch.zeros(3, 3)), errors.ShapeError, ValueError, r"expected \(n, 2\)"),
    (
        "D7",
        lambda: Points(torch.tensor([[0.0], [math.nan]]), torch.ones(2)),
        errors.NonFiniteError,
        ArithmeticError,
        "row 1",
    ),
    ("D8", lambda: Points(torch.zeros(4), torch.ones(4)), errors.ShapeError, ValueError, r"got x of shape \(4,\)"),
    ("D8 rows", lambda: Points(torch.zeros(2, 4), torch.ones(4)), errors.ShapeError, ValueError, r"expected \(2,\)"),
    (
        "D8 normal",
        lambda: Points(torch.zeros(4, 2), torch.ones(4), torch.zeros(4, 1)),
        errors.ShapeError,
        ValueError,
        r"normal of shape \(4, 1\), expected \(4, 2\)",
    ),
    ("D type", lambda: Points(np.zeros((4, 1)), torch.ones(4)), errors.DtypeError, TypeError, "x is of type ndarray"),
    ("D int", lambda: Points(torch.ones(4, 1).long(), torch.ones(4)), errors.DtypeError, TypeError, "torch.int64"),
]


@pytest.mark.parametrize(("act", "error", "base", "message"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_bad_input(act, error, base, message):
    start = time.perf_counter()
    with pytest.raises(error, match=message) as caught:
        act()
    assert time.perf_counter() - start < 1
    assert isinstance(caught.value, errors.PdekitError)
    assert isinstance(caught.value, base)


def test_errors_leave_the_cause():
    """C10: the original exception is kept."""
    with pytest.raises(errors.GraphError) as caught:
        make(Problem, residual=lambda self, u: np.sin(u.value.numpy())).check()
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_errors_of_users_pass_through():
    with pytest.raises(ZeroDivisionError):
        residual(lambda u: u.value * (1 / 0))()


# Ruled out by the interface ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [lambda x: x[:, 0] == 0.3, np.float64(0.3), None])
def test_boundary_parts_are_names_not_predicates(where):
    """B1, B3, B22, B23: a predicate that matches nothing, raises or returns another shape cannot be given."""
    with pytest.raises(errors.ConfigError, match="predicates are not taken, choose a part by name"):
        Dirichlet(where)


def test_periodic_faces_are_congruent():
    """B20: a box's opposite faces have the same size."""
    box = Box((0, 0, 0), (1, 2, 3))
    for axis in range(3):
        assert box.measure(box.part(axis, 0)) == box.measure(box.part(axis, 1))


def test_normals_of_a_box_are_defined_at_corners():
    """B18: a corner belongs to two faces and has each one's normal when it is reached from that face."""
    box, corner, weight = Rectangle(), torch.zeros(1, 1), torch.ones(1)
    assert box.placed(corner, weight, "left").normal.tolist() == [[-1, 0]]
    assert box.placed(corner, weight, "bottom").normal.tolist() == [[0, -1]]


def test_a_region_has_no_empty_boundary_parts():
    """B2: the number of boundary points is a sampler's, which refuses zero; a share is one point at least."""
    with pytest.raises(errors.SamplingError):
        Uniform(0)
    assert Uniform(1).scaled(1e-9, 1).n == 1


def test_points_come_from_the_domain():
    """D6: samplers cannot leave the domain."""
    points = interior_points(Interval(-3, 5), Uniform(1000), torch.Generator().manual_seed(2))
    assert bool(Interval(-3, 5).contains(points.x).all())
