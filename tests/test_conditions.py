"""Jets and conditions: what they read, how they are checked, what they leave over."""

from __future__ import annotations

import math

import pytest
import torch
from labels import stable

from pdekit.conditions import (
    Dirichlet,
    Initial,
    Neumann,
    Observations,
    Periodic,
    Robin,
    evaluate,
    label,
    mismatch,
    place,
)
from pdekit.errors import ConfigError, DtypeError, NonFiniteError, ProblemError, ShapeError, UnknownNameError
from pdekit.jet import Jet, column
from pdekit.kernels import Plan, Recorder

X = torch.rand(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def fields(x):
    """u = x^2 y + t, p = sin(x) t."""
    return torch.cat([x[:, 0:1] ** 2 * x[:, 1:2] + x[:, 2:3], torch.sin(x[:, 0:1]) * x[:, 2:3]], dim=1)


def jet(memo=None):
    source = Recorder(fields, X)
    return Jet(X, source, names=("x", "y", "t"), space_axes=(0, 1), outputs=("u", "p"), memo=memo), source


def test_jet_reads_values_and_derivatives():
    u, _ = jet()
    x, y, t = X.T[:, :, None]
    torch.testing.assert_close(u.value, fields(X))
    torch.testing.assert_close(u["u"].laplacian, 2 * y)
    torch.testing.assert_close(u["p"].laplacian, -torch.sin(x) * t)
    torch.testing.assert_close(u["u"].grad, torch.cat([2 * x * y, x**2], dim=1)[:, None, :])
    torch.testing.assert_close(u["p"].d("t", "x"), torch.cos(x))
    torch.testing.assert_close(u.d("t")[:, 0:1], torch.ones(6, 1, dtype=torch.float64))
    torch.testing.assert_close(u["u"].d("x", "y", "x"), torch.full_like(x, 2.0))
    assert u.coordinate("y").shape == (6, 1)
    assert u.grad.shape == (6, 2, 2)
    assert u["p"].value.shape == u["p"].laplacian.shape == (6, 1)


def test_a_recorded_jet_yields_the_plan():
    u, source = jet()
    _ = u["u"].value, u["p"].d("t"), u.laplacian
    assert source.plan() == Plan(frozenset({(), (2,)}), (0, 1))


def test_jet_keeps_data_for_its_points():
    calls, memo = [], {}

    def data(x):
        calls.append(len(x))
        return x[:, 0:1]

    u, _ = jet(memo)
    assert u.data("f", data) is u["p"].data("f", data)
    assert jet(memo)[0].data("f", data) is memo["f"]
    assert calls == [6]


@pytest.mark.parametrize("read", [lambda u: u.d("q"), lambda u: u.coordinate("q"), lambda u: u["q"]])
def test_unknown_names_are_answered_with_choices(read):
    with pytest.raises(UnknownNameError, match="got 'q', expected one of"):
        read(jet()[0])


@pytest.mark.parametrize("values", [torch.zeros(6), torch.zeros(6, 2), torch.zeros(6, 6), 0.0, None], ids=str)
def test_columns_are_columns(values):
    with pytest.raises(ShapeError, match=r"g: got .*expected .*\(6, 1\)"):
        column("g", values, 6)


def normal_flux(u):
    return u.grad[:, 0, 0:1]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Dirichlet("left", 2.0), lambda u, x, y, t: u - 2),
        (Dirichlet("left", lambda x: x[:, 1:2]), lambda u, x, y, t: u - y),
        (Neumann("left", 3), lambda u, x, y, t: 2 * x * y - 3),
        (Robin("left", 0.5, 1.0), lambda u, x, y, t: 2 * x * y + 0.5 * u - 1),
        (Initial(lambda x: x[:, 0:1]), lambda u, x, y, t: u - x),
        (Initial(4.0, order=1), lambda u, x, y, t: torch.full_like(u, -3.0)),
    ],
    ids=lambda value: label(value) if not callable(value) else "",
)
def test_mismatch(condition, expected):
    u = jet()[0]["u"]
    torch.testing.assert_close(mismatch(condition, u, "t", normal_flux), expected(u.value, *X.T[:, :, None]))


def test_an_initial_velocity_needs_time():
    with pytest.raises(ProblemError, match="with_time"):
        mismatch(Initial(0.0, order=1), jet()[0]["u"], None, normal_flux)


@pytest.mark.parametrize(
    ("condition", "text", "where"),
    [
        (Dirichlet(), "dirichlet(boundary)", "boundary"),
        (Neumann(("left", "x4+"), component="p"), "neumann(left+x4+):p", ("left", "x4+")),
        (Robin("top"), "robin(top)", "top"),
        (Initial(), "initial(u)", "initial"),
        (Initial(order=1), "initial(du/dt)", "initial"),
    ],
)
def test_labels_and_places(condition, text, where):
    assert label(condition) == text
    assert place(condition) == where


def test_labels_of_the_rest():
    assert label(Periodic("y")) == "periodic(y)"
    assert label(Observations(torch.zeros(3, 2), torch.zeros(3, 1))) == "observations(3)"


@pytest.mark.parametrize("value", [1, 2.5, lambda x: x[:, 0:1], lambda x: x[:, 0:1].float()])
def test_data_are_columns_of_the_points_type(value):
    values = evaluate("g", value, X)
    assert values.shape == (6, 1)
    assert values.dtype == torch.float64


BAD_VALUES = [
    ("row bug", lambda x: x[0], ShapeError, ValueError, r"got shape \(3,\), expected \(6, 1\).*x\[:, 0:1\]"),
    ("vector", lambda x: x[:, 0], ShapeError, ValueError, r"got shape \(6,\), expected \(6, 1\)"),
    ("two columns", lambda x: x[:, 0:2], ShapeError, ValueError, r"got shape \(6, 2\), expected \(6, 1\)"),
    ("short", lambda x: x[1:, 0:1], ShapeError, ValueError, r"got shape \(5, 1\), expected \(6, 1\)"),
    ("nan", lambda x: torch.where(x[:, 0:1] < 2, math.nan, 0.0), NonFiniteError, FloatingPointError, "6 of 6"),
    ("inf", lambda x: 1 / (x[:, 0:1] - x[0, 0]), NonFiniteError, FloatingPointError, "1 of 6 .* first at"),
    ("complex", lambda x: x[:, 0:1] * 1j, DtypeError, TypeError, "complex"),
    ("numpy", lambda x: x[:, 0:1].numpy(), DtypeError, TypeError, "ndarray"),
    ("number", lambda x: 1.0, DtypeError, TypeError, "float"),
]


@pytest.mark.parametrize(
    ("value", "error", "base", "message"), [c[1:] for c in BAD_VALUES], ids=[c[0] for c in BAD_VALUES]
)
def test_bad_values(value, error, base, message):
    with pytest.raises(error, match=f"g: .*{message}") as caught:
        evaluate("g", value, X)
    assert isinstance(caught.value, base)


@pytest.mark.parametrize("kind", [Dirichlet, Neumann, Robin])
@pytest.mark.parametrize(
    ("arguments", "error", "base"),
    [
        ({"value": "0"}, DtypeError, TypeError),
        ({"value": 1j}, DtypeError, TypeError),
        ({"value": None}, DtypeError, TypeError),
        ({"value": math.nan}, NonFiniteError, FloatingPointError),
        ({"where": lambda x: x[:, 0] == 0}, ConfigError, TypeError),
        ({"where": ()}, ConfigError, ValueError),
        ({"where": ("left", 3)}, ConfigError, ValueError),
    ],
    ids=stable,
)
def test_impossible_conditions(kind, arguments, error, base):
    with pytest.raises(error, match=kind.__name__) as caught:
        kind(**arguments)
    assert isinstance(caught.value, base)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: Robin(alpha=math.inf), NonFiniteError, "Robin.alpha"),
        (lambda: Initial(order=2), ConfigError, "Initial.order: got 2"),
        (lambda: Observations(torch.zeros(3), torch.zeros(3, 1)), ShapeError, r"got shape \(3,\), expected \(n, d\)"),
        (lambda: Observations(torch.zeros(3, 1), torch.zeros(3)), ShapeError, r"expected \(3, 1\)"),
        (lambda: Observations(torch.zeros(3, 1), torch.zeros(2, 1)), ShapeError, r"got shape \(2, 1\)"),
        (lambda: Observations(torch.tensor([[0.0], [math.nan]]), torch.zeros(2, 1)), NonFiniteError, "x: row 1"),
        (lambda: Observations(torch.zeros(2, 1), torch.tensor([[math.inf], [0.0]])), NonFiniteError, "values: row 0"),
        (lambda: Observations([[0.0]], torch.zeros(1, 1)), DtypeError, "got list, expected a tensor"),
    ],
)
def test_other_impossible_conditions(build, error, message):
    with pytest.raises(error, match=message):
        build()
