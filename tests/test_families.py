"""Families of equations: solvers against closed forms on pairs of grids, residuals, single cases, one seed on all grids."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from pdekit.problems import (
    FAMILIES,
    AdvectionFamily,
    Antiderivative,
    BurgersFamily,
    DarcyFamily,
    Permeability,
    PoissonFamily,
    PoissonInput,
    family,
)

from pdekit.config import problem_given
from pdekit.discrete import batched, spectral
from pdekit.domain import Box
from pdekit.errors import (
    ConfigError,
    ConvergenceError,
    DivergenceError,
    IllPosedError,
    NotApplicableError,
    PlanError,
    ShapeError,
    UnknownNameError,
)
from pdekit.interpolant import Interpolant
from pdekit.jet import Jet
from pdekit.operator_problem import Family, Prescription
from pdekit.quantity import Axis, Quantity

SMALL = [
    Antiderivative(points=41),
    PoissonFamily(points=33, modes=4),
    PoissonFamily(dim=2, points=17, modes=4),
    PoissonFamily(PoissonInput.BOUNDARY, dim=2, points=17, modes=4),
    DarcyFamily(points=9, modes=4),
    DarcyFamily(Permeability.LOG_NORMAL, points=17, modes=2, deviation=0.3),
    BurgersFamily(points=64, modes=4),
    BurgersFamily(points=64, modes=4, times=33),
    AdvectionFamily(points=64, modes=4),
    AdvectionFamily(points=64, modes=4, times=33),
]


def label(value):
    return "-".join([value.name, *(str(v) for v in value.parameters().values())]) if isinstance(value, Family) else None


def generator(seed=11):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def rates(errors):
    """Observed orders on pairs of grids, each twice as fine as the one before."""
    return [math.log2(coarse / fine) for coarse, fine in itertools.pairwise(errors)]


# Classical solvers ---------------------------------------------------------------------------------------------------


def poisson_line(n):
    x = np.linspace(0, 1, n)
    u, f = np.exp(x) * np.cos(3 * x), np.exp(x) * (6 * np.sin(3 * x) + 8 * np.cos(3 * x))
    return np.abs(batched.poisson(f[None], u[None], (x[1],)) - u).max()


def poisson_rectangle(n):
    x, y = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 2, n), indexing="ij")
    u = np.exp(x) * np.sin(2 * y + x)
    f = 4 * u - 2 * np.exp(x) * np.cos(2 * y + x)
    return np.abs(batched.poisson(f[None], u[None], (1 / (n - 1), 2 / (n - 1))) - u).max()


def varying_diffusion(n):
    x, y = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n), indexing="ij")
    u, a = np.sin(math.pi * x) * np.sin(math.pi * y), 1 + 0.5 * np.sin(2 * x) * y
    f = 2 * math.pi**2 * a * u - math.pi * (
        np.cos(2 * x) * y * np.cos(math.pi * x) * np.sin(math.pi * y)
        + 0.5 * np.sin(2 * x) * np.sin(math.pi * x) * np.cos(math.pi * y)
    )
    cases, loads, spacing = np.stack([a, 7 * a]), np.stack([f, f]), (1 / (n - 1),) * 2
    found = batched.diffusion(cases, loads, spacing)
    assert np.allclose(found, batched.diffusion(cases, loads, spacing, smooth=True), rtol=1e-7, atol=1e-9)
    assert np.allclose(found[0], 7 * found[1], rtol=1e-7)  # batched cases do not mix
    return np.abs(found[0] - u).max()


@pytest.mark.parametrize(("error", "order"), [(poisson_line, 4), (poisson_rectangle, 4), (varying_diffusion, 2)])
def test_elliptic_solvers_converge_at_their_order(error, order):
    assert min(rates([error(n) for n in (9, 17, 33, 65)])) > order - 0.15


def cole_hopf(x, t, nu, k=2 * math.pi, c=1.5):
    """-2 nu phi_x / phi with phi = c + exp(-nu k^2 t) cos k x, which solves the heat equation."""
    decay = math.exp(-nu * k**2 * t)
    return 2 * nu * k * decay * np.sin(k * x) / (c + decay * np.cos(k * x))


def test_burgers_converges_at_order_four_in_time_and_spectrally_in_space():
    nu, x = 0.1, np.arange(64) / 64
    exact = np.stack([cole_hopf(x, t, nu) for t in (0.0, 0.5, 1.0)], axis=1)
    steps = (10, 20, 40)
    errors = [
        np.abs(spectral.burgers(exact[None, :, 0], np.linspace(0, 1, 3), nu, steps=s)[0] - exact).max() for s in steps
    ]
    assert min(rates(errors)) > 3.5
    assert errors[-1] < 1e-8
    coarse, fine = (
        np.abs(spectral.burgers(cole_hopf(np.arange(n) / n, 0.0, nu)[None], np.array([0.0, 1.0]), nu)[0, :, 1]
               - cole_hopf(np.arange(n) / n, 1.0, nu)).max()
        for n in (8, 16)
    )  # fmt: skip
    assert fine < coarse / 50


def test_burgers_keeps_the_mean_and_says_when_it_diverges():
    x = np.arange(128) / 128
    u = 3 + np.sin(2 * math.pi * x)
    found = spectral.burgers(u[None], np.array([0.0, 1.0]), 0.01)
    assert found[0, :, 1].mean() == pytest.approx(3.0, abs=1e-12)
    with pytest.raises(DivergenceError, match="take more steps"), np.errstate(all="ignore"):
        spectral.burgers(40 * u[None], np.linspace(0, 1, 3), 1e-4, steps=2)
    with pytest.raises(ConfigError, match="rising"):
        spectral.burgers(u[None], np.array([0.0, 1.0, 1.5]), 0.01)


def test_shifts_are_exact():
    x = np.arange(16) / 16
    wave = lambda x: np.sin(2 * math.pi * 3 * x) + np.cos(2 * math.pi * x)
    assert np.allclose(spectral.shifted(wave(x)[None], 0.37), wave(x - 0.37), atol=1e-14)


def test_diffusion_names_the_case():
    good = np.ones((3, 9, 9))
    good[1, 4, 4] = -1.0
    with pytest.raises(IllPosedError, match="case 1"):
        batched.diffusion(good, 1.0, (0.125, 0.125))
    rough = np.exp(40 * np.random.default_rng(1).standard_normal((1, 33, 33)))
    with pytest.raises(ConvergenceError, match=r"case 0 .* ranges over"):
        batched.diffusion(rough, 1.0, (1 / 32, 1 / 32))


def test_the_antiderivative_is_exact_for_a_wave():
    for points, bound in ((21, 2e-5), (41, 4e-7)):  # order 6
        family = Antiderivative(points=points)
        x = torch.linspace(0, 1, points, dtype=torch.float64)
        found = family.solve(torch.cos(6 * x)[None, :, None])[0, :, 0]
        assert float((found - torch.sin(6 * x) / 6).abs().max()) < bound


def test_boundary_data_are_put_around_the_square():
    """A harmonic polynomial of degree 3 from its boundary values: the compact differences are exact for it."""
    harmonic = lambda x, y: x**3 - 3 * x * y**2 + x * y
    family = PoissonFamily(PoissonInput.BOUNDARY, dim=2, points=9)
    line = torch.linspace(0, 1, 9, dtype=torch.float64)
    x, y = torch.meshgrid(line, line, indexing="ij")
    points = torch.stack([x, y], dim=-1)
    edge = torch.cat([points[:-1, 0], points[-1, :-1], points[1:, -1].flip(0), points[0, 1:].flip(0)])
    assert torch.allclose(family.located(edge)[:, 0], torch.arange(32, dtype=torch.float64) / 8)
    found = family.solve(harmonic(*edge.T)[None, :, None])
    assert torch.allclose(found[0, ..., 0], harmonic(x, y), atol=1e-13)


# Families ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", SMALL, ids=label)
def test_one_seed_gives_the_same_functions_at_every_resolution(family):
    fine = family.refined(2)
    assert fine == family.at(fine.points)
    coarse, better = (f.sample(3, generator()).numpy() for f in (family, fine))
    assert coarse.shape == (3, *family.input.shape)
    assert np.allclose(coarse, family.input.restricted(better, fine.input), rtol=0, atol=1e-12)


@pytest.mark.parametrize("family", SMALL, ids=label)
def test_data_are_close_to_those_of_a_finer_grid(family):
    drawn = family.draw(3, generator())
    outputs, finer = (family.solve_drawn(drawn, factor * family.refinement).numpy() for factor in (1, 2))
    assert outputs.shape == (3, *family.output.shape)
    jumps = isinstance(family, DarcyFamily) and family.permeability is Permeability.PIECEWISE
    assert family.output.relative_errors(outputs, finer).max() < (1e-2 if jumps else 3e-4)


@pytest.mark.parametrize("family", [f for f in SMALL if not isinstance(f, Antiderivative)], ids=label)
def test_residuals_on_the_grid_vanish_at_the_classical_solution(family):
    """They are the equations that are solved; those in time converge to them with the square of the time step."""
    evolution = isinstance(family, BurgersFamily | AdvectionFamily)
    if evolution and family.times == 1:
        with pytest.raises(NotApplicableError, match="times=33"):
            family.grid_residual(torch.zeros(1, *family.output.shape), torch.zeros(1, *family.input.shape))
        return
    inputs = family.sample(2, generator())
    if not evolution:
        outputs = family.solve(inputs)
        noise = torch.randn(outputs.shape, generator=generator(), dtype=torch.float64)
        changed = (outputs + 0.01 * outputs.abs().max() * noise).requires_grad_(True)
        wrong = family.grid_residual(changed, inputs)
        assert float(family.grid_residual(outputs, inputs).abs().max()) < 1e-7 * float(wrong.detach().abs().max())
        (slope,) = torch.autograd.grad((wrong**2).sum(), changed)
        assert float(slope.abs().max()) > 0
        return
    sizes = []
    for times in (129, 257):
        member = dataclasses.replace(family, times=times, end=0.25)
        sizes.append(float(member.grid_residual(member.solve(inputs), inputs).abs().mean()))
    assert rates(sizes)[0] > 1.8


def test_the_residual_of_the_antiderivative_has_order_four():
    sizes = []
    for points in (33, 65, 129):
        family = Antiderivative(points=points)
        inputs = family.sample(4, generator())
        sizes.append(float(family.grid_residual(family.solve(inputs), inputs).abs().mean()))
    assert min(rates(sizes)) > 3.7


def as_jet(family, functions, x):
    """Interpolated functions on the domain, as the jet a network would give."""
    from pdekit.interpolant import InterpolantSource

    source = InterpolantSource(functions, x, tuple(range(family.domain.dim)))
    count = len(functions.values)
    return Jet(x, source, names=family.domain.names, space_axes=family.domain.space_axes, outputs=("u",) * count)


POINTWISE = [
    (Antiderivative(points=100), 1e-6),
    (PoissonFamily(points=129, modes=4), 1e-4),
    (PoissonFamily(dim=2, points=65, modes=3), 1e-2),
    (DarcyFamily(Permeability.LOG_NORMAL, points=65, modes=2, deviation=0.5), 1e-1),
    (BurgersFamily(points=128, modes=3, times=201, end=0.2), 1e-2),
    (AdvectionFamily(points=128, modes=3, times=201), 1e-3),
]


@pytest.mark.parametrize(("family", "bound"), POINTWISE, ids=label)
def test_residuals_at_points_vanish_at_the_classical_solution(family, bound):
    """Columns are cases: a residual is formed for all of them at shared points."""
    inputs = family.sample(2, generator())
    outputs = family.solve(inputs)
    lower, upper = (torch.tensor(c, dtype=torch.float64) for c in (family.domain.lower, family.domain.upper))
    share = 0.2 + 0.6 * torch.rand(50, family.domain.dim, generator=generator(), dtype=torch.float64)
    x = lower + (upper - lower) * share
    given = family.given(inputs, x)
    residual = family.residual(as_jet(family, Interpolant(family.output, outputs), x), given)
    other = outputs.flip(2) if "t" in family.domain.names else 1.5 * outputs  # backwards in time
    wrong = family.residual(as_jet(family, Interpolant(family.output, other), x), given)
    assert residual.shape == (50, 2)
    assert float(residual.abs().max()) < bound * float(wrong.abs().max())


@pytest.mark.parametrize("family", SMALL, ids=label)
def test_a_case_is_an_ordinary_problem(family):
    values = family.sample(1, generator())[0]
    problem = family.case(values)
    assert problem.check().warnings == ()
    assert isinstance(problem.domain, Box)
    reference = problem.reference()
    assert problem.reference() is reference  # computed once
    assert reference.error < 0.2
    end = torch.tensor([problem.domain.upper], dtype=torch.float64) * 0.5
    assert reference(end).shape == (1, 1)


def test_a_case_is_solved_by_ordinary_solvers():
    from pdekit.discrete import Grid, solve_direct

    family = DarcyFamily(Permeability.LOG_NORMAL, points=33, modes=2)
    values = family.sample(1, generator())
    problem = family.case(values[0])
    u = solve_direct(problem.discretise(Grid((0.0, 0.0), (1.0, 1.0), (33, 33))))
    assert np.abs(u - family.solve(values)[0, ..., 0].numpy()).max() < 1e-2 * np.abs(u).max()


def test_boundary_inputs_have_values_and_no_derivatives():
    family = PoissonFamily(PoissonInput.BOUNDARY, dim=2, points=17, modes=2)
    inputs = family.sample(2, generator())
    x = torch.tensor([[0.25, 0.0], [1.0, 0.5], [0.0, 0.75]], dtype=torch.float64)
    given = family.given(inputs, x)
    s = torch.tensor([0.25, 1.5, 3.25], dtype=torch.float64)
    assert torch.allclose(given.value, inputs[:, (s * 16).long(), 0].T)
    assert family.prescribed[0].value is Prescription.INPUT
    with pytest.raises(PlanError, match="value alone"):
        _ = given.grad


def test_piecewise_coefficients_take_two_values_and_have_no_equation_at_points():
    family = DarcyFamily(points=17)
    a = family.sample(200, generator())
    assert set(a.unique().tolist()) == {3.0, 12.0}
    assert float((a == 12.0).double().mean()) == pytest.approx(0.5, abs=0.15)  # by symmetry; its deviation is 0.03
    x = torch.rand(4, 2, dtype=torch.float64)
    with pytest.raises(NotApplicableError, match="grid_residual"):
        family.residual(family.given(a, x), family.given(a, x))


# Names, errors, building blocks --------------------------------------------------------------------------------------


def test_families_are_found_by_name():
    assert family("darcy-family", permeability="log-normal", points=32) == DarcyFamily(
        Permeability.LOG_NORMAL, points=32
    )
    assert all(kind.name == name and kind.hard_because for name, kind in FAMILIES.items())
    with pytest.raises(UnknownNameError, match="burgers-family"):
        family("burgers")
    with pytest.raises(ConfigError, match="did you mean 'points'"):
        family("darcy-family", point=3)
    with pytest.raises(ConfigError, match="family of problems"):
        problem_given("darcy-family", {})


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Antiderivative(length_scale=-1.0),
        lambda: PoissonFamily(PoissonInput.BOUNDARY, dim=1),
        lambda: PoissonFamily(dim=3),
        lambda: DarcyFamily("piecewise"),
        lambda: DarcyFamily(points=2),
        lambda: BurgersFamily(viscosity=0.0),
        lambda: BurgersFamily(times=2),
        lambda: AdvectionFamily(speed=math.nan),
    ],
)
def test_impossible_families_are_refused(wrong):
    with pytest.raises(ConfigError, match="expected"):
        wrong()


def test_arrays_of_another_grid_are_refused():
    family = PoissonFamily(points=33)
    with pytest.raises(ShapeError, match=r"outputs of shape \(2, 17, 1\).*33"):
        family.grid_residual(torch.zeros(2, 17, 1), torch.zeros(2, 33, 1))
    with pytest.raises(ShapeError, match="2 inputs and 3 outputs"):
        family.grid_residual(torch.zeros(3, 33, 1), torch.zeros(2, 33, 1))
    with pytest.raises(ShapeError, match="nested"):
        family.output.restricted(np.zeros((1, 50, 1)), family.at(50).output)


@pytest.mark.parametrize("periodic", [True, False])
def test_interpolants_have_order_six(periodic):
    wave = lambda x: torch.sin(2 * math.pi * x[:, :1]) * torch.cos(4 * math.pi * x[:, 1:] + 0.3)
    x = torch.rand(200, 2, generator=generator(), dtype=torch.float64, requires_grad=True)
    exact = wave(x)
    (slope,) = torch.autograd.grad(exact.sum(), x)
    errors, slopes = [], []
    for n in (32, 64, 128):
        grid = Quantity((Axis("x", n, periodic=periodic), Axis("y", n, periodic=periodic)))
        function = Interpolant(grid, wave(torch.from_numpy(grid.points())).reshape(1, *grid.shape))
        found = function(x)
        (found_slope,) = torch.autograd.grad(found.sum(), x)
        found = found.detach()
        assert torch.allclose(function(x.detach(), (0, 1))[:, 0], found_slope[:, 1], atol=1e-10)
        errors.append(float((found - exact.detach()).abs().max()))
        slopes.append(float((found_slope - slope).abs().max()))
    assert np.mean(rates(errors)) > 5.5
    assert np.mean(rates(slopes)) > 4.5


def test_norms_are_those_of_functions():
    closed = Quantity((Axis("x", 201, 0.0, 2.0),))
    round_ = Quantity((Axis("x", 8, periodic=True), Axis("t", 101)))
    x = closed.axes[0].coordinates
    assert closed.norms(np.sin(math.pi * x)[None, :, None])[0] == pytest.approx(1.0, rel=1e-4)
    values = np.cos(2 * math.pi * round_.points()[:, 0]).reshape(1, *round_.shape)
    assert round_.norms(values)[0] == pytest.approx(math.sqrt(0.5), rel=1e-12)
