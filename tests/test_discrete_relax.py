"""Relaxation: sweeps against dense algebra, exact counts, the reduction laws, Krylov and multigrid."""

from __future__ import annotations

import numpy as np
import pytest

from pdekit.discrete import (
    Chebyshev,
    DirichletFace,
    GaussSeidel,
    Grid,
    Jacobi,
    Multigrid,
    NeumannFace,
    PeriodicFace,
    RobinFace,
    assemble,
    cg,
    exact_sweeps,
    from_sine_coefficients,
    multigrid_cycle,
    predicted_sweeps,
    relative_eigenvalues,
    relax,
    sine_coefficients,
    solve_direct,
)
from pdekit.discrete.multigrid import geometric_applies
from pdekit.errors import ConfigError, ConvergenceError, NonFiniteError, NotApplicableError, ShapeError

BOOK_COUNTS = [(1e-2, 196_552), (1e-3, 313_202), (1e-4, 429_852), (1e-6, 663_151)]


def four_modes(x):
    return np.sin(x[:, 0]) + 4 * np.sin(4 * x[:, 0]) - 8 * np.sin(8 * x[:, 0]) + 16 * np.sin(24 * x[:, 0])


def walls(dim, value=0.0):
    return {(a, s): DirichletFace(value) for a in range(dim) for s in (0, 1)}


def book_system(n=1001):
    return assemble(Grid((-1.0,), (1.0,), (n,)), source=four_modes, faces=walls(1))


def systems():
    plane, box = Grid((0.0, 0.0), (1.0, 1.4), (9, 12)), Grid((0.0,) * 3, (1.0, 1.0, 2.0), (6, 5, 7))
    wide = Grid((0.0,) * 3, (1.0,) * 3, (4, 140, 150))  # its layers are cut into several blocks

    def boundary(x):
        return np.sin(3.0 * x.sum(axis=1))

    def wind(x):
        return np.tile([3.0, -2.0, 1.0][: x.shape[1]], (len(x), 1))

    yield "line", assemble(Grid((0.0,), (1.0,), (17,)), source=1.0, faces=walls(1, boundary))
    yield "plane", assemble(plane, source=1.0, faces=walls(2, boundary))
    yield "plane-wind", assemble(plane, source=1.0, faces=walls(2, boundary), advection=wind, reaction=1.0)
    yield (
        "box",
        assemble(box, source=1.0, faces=walls(3, boundary), diffusion=lambda x: np.tile([1.0, 2.0, 1.0], (len(x), 1))),
    )
    yield "box-cube", assemble(Grid((0.0,) * 3, (1.0,) * 3, (6, 6, 6)), source=1.0, faces=walls(3, boundary))
    yield "layers", assemble(wide, source=1.0, faces=walls(3, boundary))
    yield "variable", assemble(plane, source=1.0, faces=walls(2, boundary), diffusion=lambda x: 1.0 + x[:, 0])
    mixed = walls(2, boundary) | {(0, 1): NeumannFace(1.0), (1, 0): RobinFace(2.0, 1.0)}
    yield "mixed", assemble(plane, source=1.0, faces=mixed)
    periodic = walls(2, 0.5) | {(0, 0): PeriodicFace(), (0, 1): PeriodicFace()}
    yield "periodic", assemble(plane, source=1.0, faces=periodic)


SYSTEMS = dict(systems())
SMALL = [name for name in SYSTEMS if name != "layers"]


def rough(system):
    return np.cos(np.arange(system.grid.size) ** 2 * 0.7).reshape(system.grid.shape)


@pytest.mark.parametrize("omega", [1.0, 0.7])
@pytest.mark.parametrize("name", SYSTEMS)
def test_jacobi_sweeps_equal_the_formula(name, omega):
    system = SYSTEMS[name]
    u = system.restrict(rough(system))
    for _ in range(3):
        u = u + omega * (system.rhs - system.matrix @ u) / system.matrix.diagonal()
    swept = Jacobi(omega).prepare(system).sweep(rough(system), 3)
    np.testing.assert_allclose(swept, system.extend(u), atol=1e-13)


@pytest.mark.parametrize("omega", [1.0, 0.6, 1.7])
@pytest.mark.parametrize("name", SMALL)
def test_gauss_seidel_sweeps_equal_triangular_solves(name, omega):
    system = SYSTEMS[name]
    dense = system.matrix.toarray()
    diagonal = np.diag(np.diag(dense))
    left = diagonal / omega + np.tril(dense, -1)
    u = system.restrict(rough(system))
    for _ in range(3):
        u = u + np.linalg.solve(left, system.rhs - dense @ u)
    swept = GaussSeidel(omega).prepare(system).sweep(rough(system), 3)
    np.testing.assert_allclose(swept, system.extend(u), atol=1e-11)


METHODS = [Jacobi(), Jacobi(2 / 3), GaussSeidel(), GaussSeidel(1.5), Chebyshev(4), Chebyshev(7, 0.01, 2.0)]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
@pytest.mark.parametrize("name", ["line", "plane", "box"])
def test_reduction_law_is_the_spectrum_of_the_sweep(name, method):
    system = SYSTEMS[name]
    sweeper, n = method.prepare(system), system.rhs.size
    origin = sweeper.sweep(system.extend(np.zeros(n)), 1)
    error_matrix = np.column_stack(
        [system.restrict(sweeper.sweep(system.extend(row), 1) - origin) for row in np.eye(n)]
    )
    radius = np.abs(np.linalg.eigvals(error_matrix)).max()
    assert radius == pytest.approx(np.abs(method.reduction(relative_eigenvalues(system))).max(), rel=1e-6)


@pytest.mark.parametrize("method", [Jacobi(), Jacobi(0.7), Chebyshev(5)], ids=lambda m: m.name)
@pytest.mark.parametrize("mode", [1, 6, 15])
def test_reduction_of_a_single_sine_mode(method, mode):
    system = assemble(Grid((0.0,), (1.0,), (17,)), source=0.0, faces=walls(1))
    wave = np.sin(mode * np.pi * system.grid.axes[0])
    factor = method.reduction(relative_eigenvalues(system))[mode - 1]
    np.testing.assert_allclose(method.prepare(system).sweep(wave, 3), factor**3 * wave, atol=1e-14)


@pytest.mark.parametrize("name", SMALL)
def test_multigrid_cycles_reduce_the_error_tenfold(name):
    system = SYSTEMS[name]
    target = solve_direct(system)
    start = system.extend(system.restrict(rough(system)))
    after = Multigrid().prepare(system).sweep(start, 4)
    assert np.abs(after - target).max() < 1e-3 * np.abs(start - target).max()


@pytest.mark.parametrize(
    ("shape", "reaction", "factor"),
    [
        ((33,), 0.0, 0.1),
        ((257,), 50.0, 0.1),
        ((17, 33), 0.0, 0.2),
        ((65, 65), 5.0, 0.2),
        ((17, 17, 17), 0.0, 0.3),
        ((33, 33, 33), 9.0, 0.3),
    ],
)
def test_geometric_cycles_do_not_slow_down_on_finer_grids(shape, reaction, factor):
    dim = len(shape)
    upper = tuple((n - 1) / 16 for n in shape)
    system = assemble(Grid((0.0,) * dim, upper, shape), source=1.0, faces=walls(dim, 1.0), reaction=reaction)
    assert geometric_applies(system.star, shape)
    target = solve_direct(system)
    start = system.extend(system.restrict(rough(system)))
    sweeper = Multigrid().prepare(system)
    before, after = sweeper.sweep(start, 4), sweeper.sweep(start, 5)
    assert np.abs(after - target).max() < factor * np.abs(before - target).max()
    cycle, (x, y) = multigrid_cycle(system), np.random.default_rng(3301).standard_normal((2, system.rhs.size))
    assert x @ cycle(y) == pytest.approx(y @ cycle(x), rel=1e-10)  # a preconditioner of cg must be symmetric


@pytest.mark.parametrize(
    ("shape", "upper", "reaction"),
    [
        ((12, 17), (1.0, 1.0), 0.0),
        ((5, 5), (1.0, 1.0), 0.0),
        ((17, 17), (1.0, 4.0), 0.0),
        ((17, 17), (1.0, 1.0), -10.0),
    ],
)
def test_geometric_cycles_are_refused_where_they_are_weak(shape, upper, reaction):
    system = assemble(Grid((0.0, 0.0), upper, shape), source=1.0, faces=walls(2), reaction=reaction)
    assert not geometric_applies(system.star, shape)


# Counting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_target", [True, False])
@pytest.mark.parametrize("method", [*METHODS, Multigrid()], ids=lambda m: m.name)
def test_first_sweep_within_tolerance_is_found_exactly(method, with_target):
    system = assemble(
        Grid((-1.0,), (1.0,), (21,)), source=four_modes, faces=walls(1, 0.5), diffusion=lambda x: 1 + x[:, 0] ** 2
    )
    target = solve_direct(system)
    result = relax(
        system, method, np.zeros(21), max_sweeps=5_000, tolerance=1e-5, target=target if with_target else None
    )
    assert result.converged
    sweeper, u, count = method.prepare(system), system.extend(np.zeros(19)), 0

    def unmet(u):
        if with_target:
            return np.abs(u - target).max() > 1e-5
        return np.abs(system.residual(u) / system.diagonal).max() > 1e-5 * np.abs(system.rhs / system.diagonal).max()

    while unmet(u):
        u, count = sweeper.sweep(u, 1), count + 1
    assert result.sweeps == count
    np.testing.assert_array_equal(result.u, u)


@pytest.mark.parametrize(("tolerance", "sweeps"), BOOK_COUNTS)
def test_book_experiment_counts_by_modes(tolerance, sweeps):
    system = book_system()
    error = -solve_direct(system)
    factors = Jacobi().reduction(relative_eigenvalues(system))
    assert exact_sweeps(system, Jacobi(), error, tolerance) == sweeps
    assert predicted_sweeps(sine_coefficients(error[1:-1]), factors, tolerance) == pytest.approx(sweeps, abs=2)


@pytest.mark.slow
@pytest.mark.parametrize(("tolerance", "sweeps"), BOOK_COUNTS)
def test_book_experiment_counts_by_sweeping(tolerance, sweeps):
    system = book_system()
    target = solve_direct(system)
    result = relax(system, Jacobi(), np.zeros(1001), max_sweeps=10**6, tolerance=tolerance, target=target)
    assert result.sweeps == sweeps
    assert result.seconds / sweeps < 2e-5


def test_book_experiment_discretisation_error():
    system = book_system()
    x = system.grid.axes[0]

    def particular(x):
        return np.sin(x) + np.sin(4 * x) / 4 - np.sin(8 * x) / 8 + np.sin(24 * x) / 36

    exact = particular(x) - particular(1.0) * (1 + x) / 2 - particular(-1.0) * (1 - x) / 2
    assert np.abs(solve_direct(system) - exact).max() == pytest.approx(1.40e-5, rel=0.005)


@pytest.mark.parametrize("shape", [(41,), (13, 17), (7, 9, 8)])
def test_exact_sweeps_equal_swept_ones(shape):
    dim = len(shape)
    system = assemble(Grid((0.0,) * dim, (1.0, 1.3, 0.8)[:dim], shape), source=1.0, faces=walls(dim))
    target = solve_direct(system)
    for method in (Jacobi(), Jacobi(0.8)):
        result = relax(system, method, rough(system), max_sweeps=10**5, tolerance=1e-7, target=target)
        start = system.extend(system.restrict(rough(system)))
        assert exact_sweeps(system, method, start - target, 1e-7) == result.sweeps
        coefficients = sine_coefficients((start - target)[system.grid.interior])
        bound = predicted_sweeps(coefficients, method.reduction(relative_eigenvalues(system)), 1e-7)
        assert result.sweeps <= bound <= 1.3 * result.sweeps


def test_history_probe_and_limits():
    system = book_system(101)
    target, seen = solve_direct(system), []

    def probe(sweep, u):
        seen.append(sweep)
        return {"middle": float(u[50])}

    result = relax(
        system, Jacobi(), np.zeros(101), max_sweeps=250, tolerance=1e-9, target=target, every=100, probe=probe
    )
    assert (result.sweeps, result.converged) == (250, False)
    assert [sample.sweep for sample in result.history] == seen == [0, 100, 200, 250]
    errors = [sample.error for sample in result.history]
    assert errors == sorted(errors, reverse=True)
    assert result.history[-1].probed == {"middle": result.u[50]}
    timed = relax(
        system, Jacobi(), np.zeros(101), max_sweeps=10**9, tolerance=1e-300, target=target + 1.0, max_seconds=0.05
    )
    assert not timed.converged
    assert 0.05 <= timed.seconds < 2.0
    at_once = relax(system, Jacobi(), target, max_sweeps=10, tolerance=1e-9, target=target)
    assert (at_once.sweeps, at_once.converged, len(at_once.history)) == (0, True, 1)


def test_known_values_replace_those_of_the_start():
    system = assemble(Grid((0.0,), (1.0,), (9,)), source=0.0, faces=walls(1, 2.0))
    for method in [*METHODS, Multigrid()]:
        u = relax(system, method, np.full(9, -7.0), max_sweeps=1, tolerance=0.0).u
        assert u[0] == u[-1] == 2.0


# Krylov -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preconditioned", [False, True])
@pytest.mark.parametrize("name", [n for n in SMALL if n != "plane-wind"])
def test_conjugate_gradients(name, preconditioned):
    system = SYSTEMS[name]
    cycle = multigrid_cycle(system) if preconditioned else None
    result = cg(system, rough(system), tolerance=1e-12, preconditioner=cycle)
    assert result.converged
    np.testing.assert_allclose(result.u, solve_direct(system), atol=1e-9)
    assert result.sweeps <= (15 if preconditioned else system.rhs.size + 10)  # at most n in exact arithmetic


def test_conjugate_gradients_stop_at_their_limits():
    system = book_system(401)
    few = cg(system, np.zeros(401), tolerance=1e-12, max_iterations=7)
    assert (few.sweeps, few.converged, [s.sweep for s in few.history]) == (7, False, list(range(8)))
    relative = np.linalg.norm(system.residual(few.u)) / np.linalg.norm(system.rhs)
    assert relative == pytest.approx(few.history[-1].error, rel=1e-9)
    assert cg(system, np.zeros(401), tolerance=0.0, max_seconds=0.0).sweeps == 0
    target = solve_direct(system)
    assert np.abs(cg(system, np.zeros(401), tolerance=1e-6, target=target).u - target).max() <= 1e-6


@pytest.mark.parametrize("face", [NeumannFace(), PeriodicFace()])
def test_free_constant_in_iterations(face):
    faces = {(a, s): face for a in (0, 1) for s in (0, 1)}
    system = assemble(Grid((0.0, 0.0), (1.0, 1.0), (17, 17)), source=lambda x: np.cos(2 * np.pi * x[:, 0]), faces=faces)
    target = solve_direct(system)
    np.testing.assert_allclose(cg(system, np.ones((17, 17)), tolerance=1e-12).u, target, atol=1e-10)
    cycled = relax(system, Multigrid(), np.ones((17, 17)), max_sweeps=40, tolerance=1e-9, target=target)
    assert cycled.converged
    with pytest.raises(NotApplicableError, match="free up to a constant"):
        relax(system, Jacobi(), target, max_sweeps=1, tolerance=1.0)


# Refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "method", "error", "message"),
    [
        ({"order": 4}, Jacobi(), ConvergenceError, r"spectral radius of the iteration is 1\.1"),
        ({"reaction": -40.0}, Jacobi(), ConvergenceError, "spectral radius"),
        ({"reaction": -40.0}, GaussSeidel(), ConvergenceError, "grows by"),
        ({"reaction": -40.0}, Chebyshev(), ConvergenceError, "grows by"),
        ({}, Jacobi(1.1), ConvergenceError, "smaller omega"),
        ({"reaction": -128.0}, Jacobi(), NotApplicableError, "7 zeros on its diagonal"),
        ({"reaction": -128.0}, GaussSeidel(), NotApplicableError, "zeros"),
    ],
)
def test_relaxation_refuses_what_it_cannot_solve(data, method, error, message):
    n = 41 if "order" in data else 9
    system = assemble(Grid((0.0,), (1.0,), (n,)), source=1.0, faces=walls(1), **data)
    with pytest.raises(error, match=message):
        relax(system, method, np.ones(n), max_sweeps=10_000, tolerance=1e-8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Jacobi(0.0), "omega is 0.0"),
        (lambda: Jacobi("1"), "omega is '1'"),
        (lambda: Jacobi(float("nan")), "omega is nan"),
        (lambda: GaussSeidel(2.0), "less than 2"),
        (lambda: Chebyshev(0), "degree is 0"),
        (lambda: Chebyshev(3, 2.0, 1.0), "lower < upper"),
        (lambda: relax(SYSTEMS["line"], Jacobi(), np.zeros(17), max_sweeps=-1, tolerance=1.0), "max_sweeps is -1"),
        (lambda: relax(SYSTEMS["line"], Jacobi(), np.zeros(17), max_sweeps=1, tolerance=-1.0), "tolerance is -1.0"),
        (lambda: relax(SYSTEMS["line"], Jacobi(), np.zeros(17), max_sweeps=1, tolerance=1.0, every=0), "every is 0"),
    ],
)
def test_impossible_options(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_bad_arrays():
    system = SYSTEMS["line"]
    with pytest.raises(ShapeError, match=r"\(15,\), expected the grid's \(17,\)"):
        relax(system, Jacobi(), np.zeros(15), max_sweeps=1, tolerance=1.0)
    with pytest.raises(NonFiniteError, match="start is NaN"):
        relax(system, Jacobi(), np.full(17, np.nan), max_sweeps=1, tolerance=1.0)
    with pytest.raises(NotApplicableError, match="not symmetric"):
        cg(SYSTEMS["plane-wind"], rough(SYSTEMS["plane-wind"]))
    indefinite = assemble(Grid((0.0,), (1.0,), (9,)), source=1.0, faces=walls(1), reaction=-40.0)
    with pytest.raises(NotApplicableError, match="positive definite"):
        cg(indefinite, np.zeros(9))
    with pytest.raises(NotApplicableError, match="sine modes"):
        relative_eigenvalues(SYSTEMS["variable"])


@pytest.mark.parametrize("shape", [(8,), (5, 6), (4, 5, 6)])
def test_sine_transform_round_trip_and_normalisation(shape):
    values = np.cos(np.arange(np.prod(shape)) ** 2 * 0.7).reshape(shape)
    np.testing.assert_allclose(from_sine_coefficients(sine_coefficients(values)), values, atol=1e-14)
    single = np.zeros(shape)
    single[(1,) * len(shape)] = 1.0  # mode 2 along every axis
    expected = np.ones(shape)
    for axis, n in enumerate(shape):
        wave = np.sin(2 * np.pi * np.arange(1, n + 1) / (n + 1))
        expected = expected * wave.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    np.testing.assert_allclose(from_sine_coefficients(single), expected, atol=1e-14)
