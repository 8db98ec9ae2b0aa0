"""Orders of accuracy against manufactured solutions whose data come from automatic differentiation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from pdekit.discrete import (
    DirichletFace,
    Grid,
    NeumannFace,
    PeriodicFace,
    RobinFace,
    assemble,
    relative_eigenvalues,
    solve_direct,
)
from pdekit.discrete.coefficients import Coefficients
from pdekit.discrete.second_order import second_order
from pdekit.errors import (
    ConfigError,
    ConflictError,
    IllPosedError,
    NonFiniteError,
    NotApplicableError,
    ProblemError,
    ShapeError,
    SingularSystemError,
)

TAU = 2.0 * np.pi
Function = Callable[[Tensor], Tensor]


def scalar(x: Tensor) -> Tensor:
    return 1.0 + 0.5 * torch.sin(TAU * x.sum(1) + 0.2)


def diagonal(x: Tensor) -> Tensor:
    return torch.stack([1.0 + 0.3 * torch.cos(TAU * x[:, 0]) * (1 + i) for i in range(x.shape[1])], 1)


def full(x: Tensor) -> Tensor:
    one = torch.eye(x.shape[1], dtype=x.dtype)
    return (1.5 + 0.5 * torch.sin(TAU * x[:, 0]))[:, None, None] * one + 0.4 * torch.cos(TAU * x.sum(1))[
        :, None, None
    ] * (1 - one)


def wind(x: Tensor) -> Tensor:
    return torch.stack([1.0 + torch.cos(TAU * x[:, 0]) for _ in range(x.shape[1])], 1)


def reaction(x: Tensor) -> Tensor:
    return 1.0 + torch.cos(TAU * x[:, 0])


def helmholtz(x: Tensor) -> Tensor:
    return torch.full_like(x[:, 0], -30.0)


@dataclass(frozen=True)
class Manufactured:
    """u with coefficients; source and fluxes by autograd."""

    periodic: bool
    a: Function | None = None
    b: Function | None = None
    c: Function | None = None

    def u_torch(self, x: Tensor) -> Tensor:
        value = torch.ones(len(x), dtype=x.dtype)
        for i, k in enumerate((2.6, 1.8, 1.4)[: x.shape[1]]):
            value = value * (torch.sin(TAU * x[:, i] + 0.3) if self.periodic else 0.5 + torch.sin(k * x[:, i] + 0.3))
        return value

    def u(self, x: np.ndarray) -> np.ndarray:
        return self.u_torch(torch.as_tensor(x)).numpy()

    def _fluxes(self, points: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        x = torch.as_tensor(points).clone().requires_grad_(True)
        (grad,) = torch.autograd.grad(self.u_torch(x).sum(), x, create_graph=True)
        a = torch.ones_like(x[:, 0]) if self.a is None else self.a(x)
        flux = torch.einsum("nij,nj->ni", a, grad) if a.ndim == 3 else (a if a.ndim == 2 else a[:, None]) * grad
        return x, grad, flux

    def flux(self, axis: int, side: int) -> Callable[[np.ndarray], np.ndarray]:
        return lambda x: (1 if side else -1) * self._fluxes(x)[2][:, axis].detach().numpy()

    def source(self, points: np.ndarray) -> np.ndarray:
        x, grad, flux = self._fluxes(points)
        f = -sum(torch.autograd.grad(flux[:, i].sum(), x, retain_graph=True)[0][:, i] for i in range(x.shape[1]))
        f = f if self.b is None else f + (self.b(x) * grad).sum(1)
        f = f if self.c is None else f + self.c(x) * self.u_torch(x)
        return f.detach().numpy()

    def error(self, dim: int, n: int, kinds: tuple[str, str], order: int) -> float:
        def face(axis: int, side: int):
            flux = self.flux(axis, side)
            robin = RobinFace(lambda x: 1.5 + x[:, 0], lambda x: flux(x) + (1.5 + x[:, 0]) * self.u(x))
            table = {
                "dirichlet": DirichletFace(self.u),
                "neumann": NeumannFace(flux),
                "robin": robin,
                "periodic": PeriodicFace(),
            }
            return table[kinds[side]]

        faces = {(axis, side): face(axis, side) for axis in range(dim) for side in (0, 1)}
        if self.periodic:
            grid = Grid((0.0,) * dim, (1.0,) * dim, (n,) * dim)
        else:
            grid = Grid((0.0,) * dim, (1.0, 1.2, 0.9)[:dim], (n, n + 2, n - 1)[:dim])

        def plain(g: Function | None):
            return None if g is None else lambda x: g(torch.as_tensor(x)).numpy()

        system = assemble(
            grid,
            source=self.source,
            faces=faces,
            diffusion=plain(self.a),
            advection=plain(self.b),
            reaction=plain(self.c),
            order=order,
        )
        assert system.symmetric or self.b is not None or order == 4
        solution, exact = solve_direct(system), self.u(grid.points()).reshape(grid.shape)
        return float(np.abs(solution - system.centred(exact)).max())


D, N, R, P = "dirichlet", "neumann", "robin", "periodic"
SIZES = {1: (33, 65, 129), 2: (17, 33, 65), 3: (9, 13)}
ORDER_2 = [
    (dim, kinds, a, b, c)
    for dim in (1, 2, 3)
    for kinds in ((D, D), (D, N), (R, N), (N, N), (P, P))
    for a, b, c in ((None, None, None), (scalar, None, reaction), (diagonal, wind, None), (full, None, None))
    if not (a is full and (dim == 1 or N in kinds))
]
ORDER_4 = [
    (dim, kinds, a, b, c)
    for dim in (1, 2, 3)
    for kinds in ((D, D), (P, P))
    for a, b, c in ((None, None, None), (scalar, None, reaction), (diagonal, wind, None))
]


def observed(errors: list[float], sizes: tuple[int, ...]) -> np.ndarray:
    return -np.diff(np.log(errors)) / np.diff(np.log(np.array(sizes) - 1))


def label(value: object) -> str:
    return "-".join(value) if isinstance(value, tuple) else getattr(value, "__name__", str(value))


@pytest.mark.parametrize(("dim", "kinds", "a", "b", "c"), ORDER_2, ids=label)
def test_order_2_on_every_pair_of_grids(dim, kinds, a, b, c):
    case = Manufactured(kinds == (P, P), a, b, c)
    errors = [case.error(dim, n, kinds, 2) for n in SIZES[dim]]
    rates = observed(errors, SIZES[dim])
    assert (rates > {1: 1.9, 2: 1.85, 3: 1.6}[dim]).all(), (errors, rates)
    assert errors[-1] < {1: 2e-3, 2: 1e-2, 3: 2e-1}[dim]


@pytest.mark.parametrize(("dim", "kinds", "a", "b", "c"), ORDER_4, ids=label)
def test_order_4_on_every_pair_of_grids(dim, kinds, a, b, c):
    case = Manufactured(kinds == (P, P), a, b, c)
    errors = [case.error(dim, n, kinds, 4) for n in SIZES[dim]]
    rates = observed(errors, SIZES[dim])
    assert (rates > 3.4).all(), (errors, rates)
    assert errors[-1] < {1: 1e-6, 2: 1e-5, 3: 2e-3}[dim]


@pytest.mark.parametrize("order", [2, 4])
def test_indefinite_helmholtz_keeps_the_order(order):
    case = Manufactured(periodic=False, c=helmholtz)
    errors = [case.error(2, n, (D, D), order) for n in (17, 33, 65)]
    assert (observed(errors, (17, 33, 65)) > order - 0.6).all(), errors


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize(
    ("kinds", "order"), [((D, D), 2), ((D, D), 4), ((D, N), 2), ((R, N), 2), ((N, R), 2)], ids=label
)
def test_linear_functions_are_exact(dim, kinds, order):
    slope = np.array([1.3, -0.7, 0.4])[:dim]

    def u(x):
        return 0.3 + x @ slope

    def face(axis, side):
        flux = float((1 if side else -1) * slope[axis] * 2.0)
        return {D: DirichletFace(u), N: NeumannFace(flux), R: RobinFace(1.5, lambda x: flux + 1.5 * u(x))}[kinds[side]]

    grid = Grid((0.2,) * dim, (1.0, 1.3, 1.1)[:dim], (8, 9, 7)[:dim])
    system = assemble(
        grid,
        source=lambda x: 0.8 * slope.sum() + 3.0 * u(x),
        faces={(a, s): face(a, s) for a in range(dim) for s in (0, 1)},
        diffusion=2.0,
        advection=lambda x: np.full_like(x, 0.8),
        reaction=3.0,
        order=order,
    )
    assert np.abs(solve_direct(system).ravel() - u(grid.points())).max() < 1e-12


@pytest.mark.parametrize(("order", "degree"), [(2, 3), (4, 5)])
def test_polynomials_of_the_stencil_degree_are_exact(order, degree):
    # the second difference of order p is exact on degree p + 1
    grid = Grid((-1.0,), (2.0,), (9,))
    walls = {(0, s): DirichletFace(lambda x: x[:, 0] ** degree) for s in (0, 1)}
    system = assemble(grid, source=lambda x: -degree * (degree - 1) * x[:, 0] ** (degree - 2), faces=walls, order=order)
    assert np.abs(solve_direct(system) - grid.axes[0] ** degree).max() < 1e-11


def test_star_equals_the_general_assembly():
    grid = Grid((0.0, 0.0), (1.0, 2.0), (6, 9))
    walls = {(a, s): DirichletFace(lambda x: np.exp(x[:, 0] - x[:, 1])) for a in (0, 1) for s in (0, 1)}
    data = dict(
        source=1.0,
        diffusion=lambda x: np.full(len(x), 2.0),
        advection=lambda x: np.tile([1.0, -3.0], (len(x), 1)),
        reaction=-4.0,
    )
    system = assemble(grid, faces=walls, **data)
    assert system.star is not None
    matrix, load = second_order(grid, Coefficients(**data), walls)
    rows = system.unknown.ravel()
    np.testing.assert_allclose(system.matrix.toarray(), matrix[rows][:, rows].toarray(), atol=1e-12)
    np.testing.assert_allclose(system.rhs, (load - matrix @ system.known.ravel())[rows], atol=1e-10)
    np.testing.assert_allclose(system.apply(system.rhs), system.matrix @ system.rhs, rtol=1e-13, atol=1e-10)


@pytest.mark.parametrize("shape", [(12,), (7, 10), (5, 6, 7)])
def test_star_eigenvalues_against_a_dense_solver(shape):
    dim = len(shape)
    walls = {(a, s): DirichletFace() for a in range(dim) for s in (0, 1)}
    system = assemble(Grid((0.0,) * dim, (1.0, 1.5, 0.7)[:dim], shape), source=0.0, faces=walls, reaction=-2.0)
    dense = np.linalg.eigvalsh(system.matrix.toarray()) / system.star.centre
    np.testing.assert_allclose(np.sort(relative_eigenvalues(system).ravel()), dense, atol=1e-12)


def test_coefficient_with_the_period_of_the_grid_is_not_taken_for_a_constant():
    grid = Grid((0.0,), (1.0,), (11,))
    walls = {(0, s): DirichletFace() for s in (0, 1)}
    system = assemble(grid, source=1.0, faces=walls, diffusion=lambda x: 2.0 + np.cos(TAU * 10.0 * x[:, 0]))
    assert system.star is None
    np.testing.assert_allclose(system.diagonal, 200.0)  # A = 1 at the half points


@pytest.mark.parametrize("kind", [N, P])
def test_free_constant_is_fixed_to_mean_zero(kind):
    grid = Grid((0.0, 0.0), (1.0, 1.0), (17, 21))
    faces = {(a, s): NeumannFace() if kind == N else PeriodicFace() for a in (0, 1) for s in (0, 1)}
    system = assemble(grid, source=lambda x: np.cos(TAU * x[:, 0]), faces=faces)
    assert system.null_space
    u = solve_direct(system)
    assert abs(np.sum(grid.weights() * u)) < 1e-13
    assert np.abs(system.balanced().residual(u)).max() < 1e-9


def test_a_tiny_reaction_is_not_taken_for_none():
    grid = Grid((0.0,), (1.0,), (1001,))
    flat = {(0, 0): NeumannFace(), (0, 1): NeumannFace()}
    system = assemble(grid, source=1e-7, faces=flat, reaction=1e-7)
    assert not system.null_space
    np.testing.assert_allclose(solve_direct(system), 1.0, rtol=1e-3)  # conditioned like 1e13
    robin = assemble(grid, source=0.0, faces=flat | {(0, 1): RobinFace(0.0)})
    assert robin.null_space


def test_a_small_domain_gives_the_scaled_result():
    def solved(size):
        grid = Grid((0.0, 0.0), (size, size), (9, 9))
        faces = {(a, s): DirichletFace(lambda x: x[:, 0] / size) for a in (0, 1) for s in (0, 1)} | {
            (1, 1): NeumannFace(2.0 / size)
        }
        return solve_direct(assemble(grid, source=lambda x: np.exp(x[:, 0] / size) / size**2, faces=faces))

    np.testing.assert_allclose(solved(1e-9), solved(1.0), rtol=1e-10)


def test_incompatible_neumann_data_name_both_integrals():
    faces = {(0, 0): NeumannFace(0.5), (0, 1): NeumannFace(0.25)}
    system = assemble(Grid((0.0,), (2.0,), (41,)), source=1.0, faces=faces)
    with pytest.raises(IllPosedError, match=r"source integrates to 2 .* flux to 0.75"):
        solve_direct(system)
    balanced = assemble(Grid((0.0,), (2.0,), (41,)), source=-0.375, faces=faces)
    assert np.isfinite(solve_direct(balanced)).all()


def test_incompatible_periodic_advection_is_found_by_its_solver():
    faces = {(0, 0): PeriodicFace(), (0, 1): PeriodicFace()}
    grid = Grid((0.0,), (1.0,), (33,))

    def drift(x):
        return np.ones_like(x)

    def wave(x):
        return np.sin(TAU * x[:, 0])

    u = solve_direct(assemble(grid, source=wave, faces=faces, advection=drift))
    assert abs(np.sum(grid.weights() * u)) < 1e-13
    with pytest.raises(IllPosedError, match="misses the range"):
        solve_direct(assemble(grid, source=lambda x: wave(x) + 1.0, faces=faces, advection=drift))


def test_singular_helmholtz_is_refused_by_both_direct_solvers():
    grid = Grid((0.0,), (1.0,), (21,))
    resonance = (
        -((2.0 / grid.spacing[0]) ** 2) * np.sin(1.5 * np.pi * grid.spacing[0]) ** 2
    )  # third discrete eigenvalue
    walls = {(0, s): DirichletFace() for s in (0, 1)}
    constant = assemble(grid, source=1.0, faces=walls, reaction=resonance)
    general = assemble(grid, source=1.0, faces=walls, reaction=lambda x: resonance + 1e-13 * x[:, 0])
    assert constant.star is not None
    assert general.star is None
    for system in (constant, general):
        with pytest.raises(SingularSystemError):
            solve_direct(system)


WALLS = {(0, 0): DirichletFace(), (0, 1): DirichletFace()}
SQUARE = {(a, s): DirichletFace() for a in (0, 1) for s in (0, 1)}
LINE, PLANE = Grid((0.0,), (1.0,), (9,)), Grid((0.0, 0.0), (1.0, 1.0), (9, 9))
BAD = [
    (LINE, dict(source=1.0, faces=WALLS, order=3), ConfigError, "order is 3"),
    (Grid((0.0,), (1.0,), (6,)), dict(source=1.0, faces=WALLS, order=4), ConfigError, "at least 7 points"),
    (LINE, dict(source=1.0, faces={(0, 0): DirichletFace()}), IllPosedError, r"face \(0, 1\) has no condition"),
    (LINE, dict(source=1.0, faces=WALLS | {(1, 0): DirichletFace()}), ProblemError, r"face \(1, 0\)"),
    (LINE, dict(source=1.0, faces=WALLS | {(0, 1): PeriodicFace()}), ProblemError, "is periodic"),
    (LINE, dict(source=1.0, faces=WALLS, diffusion=lambda x: x[:, 0] - 0.5), IllPosedError, r"-0.5 at \[0.0\]"),
    (LINE, dict(source=1.0, faces=WALLS, diffusion=-1.0), IllPosedError, "positive"),
    (
        PLANE,
        dict(source=1.0, faces=SQUARE, diffusion=lambda x: np.tile([[1.0, 2.0], [2.0, 1.0]], (len(x), 1, 1))),
        IllPosedError,
        "-1 at",
    ),
    (LINE, dict(source=lambda x: x, faces=WALLS), ShapeError, r"\(9, 1\) at 9 points, expected \(9,\)"),
    (PLANE, dict(source=lambda x: x[0], faces=SQUARE), ShapeError, r"x\[:, 0\]"),
    (PLANE, dict(source=1.0, faces=SQUARE, advection=lambda x: x[:, 0]), ShapeError, "advection"),
    (
        LINE,
        dict(source=lambda x: np.where(x[:, 0] > 0.7, np.nan, 1.0), faces=WALLS),
        NonFiniteError,
        r"source: got NaN .* 3 of 9 .*0.75",
    ),
    (LINE, dict(source=1.0, faces=WALLS | {(0, 1): DirichletFace(np.inf)}), NonFiniteError, r"face \(0, 1\)"),
    (
        PLANE,
        dict(source=1.0, faces=SQUARE | {(1, 1): DirichletFace(1.0)}),
        ConflictError,
        r"\(0, 0\) and \(1, 1\) give 0 and 1 at \[0.0, 1.0\]",
    ),
    (LINE, dict(source=1.0, faces=WALLS | {(0, 1): NeumannFace()}, order=4), NotApplicableError, "NeumannFace"),
    (LINE, dict(source=1.0, faces=WALLS | {(0, 1): RobinFace(1.0)}, order=4), NotApplicableError, "RobinFace"),
    (
        PLANE,
        dict(source=1.0, faces=SQUARE, order=4, diffusion=lambda x: np.tile(np.eye(2), (len(x), 1, 1))),
        NotApplicableError,
        "full diffusion matrix",
    ),
    (
        PLANE,
        dict(
            source=1.0, faces=SQUARE | {(1, 1): NeumannFace()}, diffusion=lambda x: np.tile(np.eye(2), (len(x), 1, 1))
        ),
        NotApplicableError,
        "full diffusion matrix",
    ),
]


@pytest.mark.parametrize(("grid", "data", "error", "message"), BAD)
def test_refusals(grid, data, error, message):
    with pytest.raises(error, match=message):
        assemble(grid, **data)


def test_non_finite_right_hand_side_is_refused():
    system = assemble(LINE, source=1.0, faces=WALLS)
    system.rhs[3] = np.nan
    with pytest.raises(NonFiniteError, match="1 of 7"):
        solve_direct(system)


@pytest.mark.slow
def test_129_cubed_is_solved_in_seconds():
    dim = 3
    walls = {(a, s): DirichletFace() for a in range(dim) for s in (0, 1)}
    system = assemble(
        Grid((0.0,) * dim, (1.0,) * dim, (129,) * dim), source=lambda x: np.sin(3.0 * x[:, 0]) * x[:, 2], faces=walls
    )
    u = solve_direct(system)
    assert np.abs(system.residual(u)).max() < 1e-12 * np.abs(u).max() * system.star.centre
