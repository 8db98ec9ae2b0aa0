"""Grids and functions of grid values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdekit.discrete import DirichletFace, Grid, GridFunction, Interpolation, PeriodicFace, assemble
from pdekit.errors import (
    ConfigError,
    DomainError,
    DomainTypeError,
    ExtrapolationError,
    MemoryBudgetError,
    NonFiniteError,
    ShapeError,
)

LINEAR, CUBIC = Interpolation.LINEAR, Interpolation.CUBIC


def test_points_run_in_c_order_and_include_both_ends():
    grid = Grid((0.0, -1.0), (1.0, 3.0), (3, 5))
    assert (grid.dim, grid.size, grid.spacing) == (2, 15, (0.5, 1.0))
    points = grid.points().reshape(3, 5, 2)
    np.testing.assert_array_equal(points[2, 1], [1.0, 0.0])
    np.testing.assert_array_equal(points[1, 4], [0.5, 3.0])
    np.testing.assert_allclose(grid.midpoints(0).reshape(2, 5, 2)[1, 0], [0.75, -1.0])
    np.testing.assert_allclose(grid.midpoints(1).reshape(3, 4, 2)[1, 0], [0.5, -0.5])


@given(st.lists(st.integers(3, 6), min_size=1, max_size=4), st.floats(0.1, 10.0))
def test_weights_integrate_multilinear_functions(shape, length):
    dim = len(shape)
    grid = Grid((0.0,) * dim, (length,) * dim, tuple(shape))
    product = grid.points().prod(axis=1).reshape(grid.shape)
    assert np.sum(grid.weights()) == pytest.approx(length**dim)
    assert np.sum(grid.weights() * product) == pytest.approx((length**2 / 2.0) ** dim)


def test_refined_contains_the_grid_and_coarsened_undoes_it():
    grid = Grid((0.0, 1.0), (1.0, 2.0), (4, 7))
    np.testing.assert_allclose(grid.refined().points().reshape(7, 13, 2)[::2, ::2], grid.points().reshape(4, 7, 2))
    assert grid.refined().coarsened() == grid


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Grid((0.0,), (1.0,), (2,)), ConfigError, r"shape\[0\] is 2, expected an integer of at least 3"),
        (lambda: Grid((0.0,), (1.0,), (10.5,)), ConfigError, "10.5"),
        (lambda: Grid((0.0,), (1.0,), (True,)), ConfigError, "True"),
        (lambda: Grid((1.0,), (0.0,), (5,)), DomainError, "axis 0 runs from 1.0 to 0.0"),
        (lambda: Grid((1.0,), (1.0,), (5,)), DomainError, "expected lower < upper"),
        (lambda: Grid((0.0,), (float("inf"),), (5,)), DomainError, r"upper\[0\] is inf"),
        (lambda: Grid((float("nan"),), (1.0,), (5,)), DomainError, r"lower\[0\] is nan"),
        (lambda: Grid(("0",), (1.0,), (5,)), DomainTypeError, "'0'"),
        (lambda: Grid((None,), (1.0,), (5,)), DomainTypeError, "None"),
        (lambda: Grid((0.0, 0.0), (1.0, 1.0), (5,)), DomainError, "2 lower bounds, 2 upper bounds and 1 numbers"),
        (lambda: Grid((), (), ()), DomainError, "0 lower"),
        (lambda: Grid((0.0,), (1.0,), (4,)).coarsened(), ConfigError, "4 points, expected an odd number"),
        (lambda: Grid((0.0,) * 2, (1.0,) * 2, (10**6,) * 2).points(), MemoryBudgetError, "16,000,000,000,000 bytes"),
        (
            lambda: assemble(
                Grid((0.0,) * 2, (1.0,) * 2, (10**6,) * 2),
                source=1.0,
                faces={(a, s): DirichletFace() for a in (0, 1) for s in (0, 1)},
            ),
            MemoryBudgetError,
            "bytes",
        ),
    ],
)
def test_refusals(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_restrict_extend_with_periodic_copies():
    grid = Grid((0.0, 0.0), (1.0, 1.0), (5, 4))
    faces = {(0, 0): PeriodicFace(), (0, 1): PeriodicFace(), (1, 0): DirichletFace(2.0), (1, 1): DirichletFace(3.0)}
    system = assemble(grid, source=1.0, faces=faces)
    assert system.rhs.shape == (4 * 2,)
    vector = np.arange(8.0)
    full = system.extend(vector)
    np.testing.assert_array_equal(system.restrict(full), vector)
    np.testing.assert_array_equal(full[0], full[-1])
    np.testing.assert_array_equal(full[:, 0], 2.0)
    np.testing.assert_array_equal(full[:, -1], 3.0)
    for method, wrong in ((system.restrict, np.zeros((4, 5))), (system.extend, np.zeros(7))):
        with pytest.raises(ShapeError, match="expected"):
            method(wrong)


# Functions of grid values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [LINEAR, CUBIC])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_polynomials_of_the_degree_are_reproduced_with_their_gradient(dim, degree):
    grid = Grid((-1.0,) * dim, (1.0, 2.0, 0.5)[:dim], (6, 5, 7)[:dim])
    power = int(degree)

    def u(x):
        return np.prod(1.0 + x**power, axis=1)

    points = np.random.default_rng(8151).uniform(grid.lower, grid.upper, (200, dim))
    function = GridFunction(grid, u(grid.points()).reshape(grid.shape), degree)
    np.testing.assert_allclose(function(points), u(points), atol=1e-12)
    slope = power * points ** (power - 1) / (1.0 + points**power) * u(points)[:, None]
    np.testing.assert_allclose(function.gradient(points), slope, atol=1e-11)
    np.testing.assert_allclose(function(grid.points()), u(grid.points()), atol=1e-12)


@pytest.mark.parametrize(("degree", "rate"), [(LINEAR, 2), (CUBIC, 4)])
def test_interpolation_converges_at_its_order(degree, rate):
    points = np.random.default_rng(4093).random((500, 2))

    def error(n):
        grid = Grid((0.0, 0.0), (1.0, 1.0), (n, n))
        values = np.sin(3.0 * grid.points()).prod(axis=1).reshape(grid.shape)
        return np.abs(GridFunction(grid, values, degree)(points) - np.sin(3.0 * points).prod(axis=1)).max()

    errors = [error(n) for n in (9, 17, 33)]
    assert (np.log2(np.array(errors[:-1]) / errors[1:]) > rate - 0.4).all(), errors


@pytest.mark.parametrize(
    ("points", "error", "message"),
    [
        ([[0.5, 0.5], [1.5, 0.5]], ExtrapolationError, r"1 of 2 points are outside .* first \[1.5, 0.5\]"),
        ([[0.5, np.nan]], NonFiniteError, "point 0"),
        ([[0.5]], ShapeError, r"\(1, 1\), expected \(n, 2\)"),
        ([0.5, 0.5], ShapeError, r"\(2,\), expected \(n, 2\)"),
    ],
)
def test_evaluation_refusals(points, error, message):
    function = GridFunction(Grid((0.0, 0.0), (1.0, 1.0), (4, 4)), np.ones((4, 4)))
    with pytest.raises(error, match=message):
        function(np.array(points))


def test_empty_input_and_single_precision_boundary_points():
    grid = Grid((0.0, 0.1), (1.0, 0.3), (4, 4))
    function = GridFunction(grid, np.ones((4, 4)))
    assert function(np.zeros((0, 2))).shape == (0,)
    assert function.gradient(np.zeros((0, 2))).shape == (0, 2)
    assert function(np.float32([[1.0, 0.3]])) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("shape", "values", "degree", "error"),
    [
        ((4, 4), np.ones((4, 5)), CUBIC, ShapeError),
        ((4, 4), np.full((4, 4), np.inf), CUBIC, NonFiniteError),
        ((3, 4), np.ones((3, 4)), CUBIC, ConfigError),
    ],
)
def test_grid_functions_refuse_bad_values(shape, values, degree, error):
    with pytest.raises(error):
        GridFunction(Grid((0.0, 0.0), (1.0, 1.0), shape), values, degree)
