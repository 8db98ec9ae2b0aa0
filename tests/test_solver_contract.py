"""What every solver promises, over one table of small cases."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
import torch
from pdekit.problems import Heat, Helmholtz, NewtonLaw, PoissonND, Variant
from solver_cases import ROWS, Row

import pdekit
from pdekit import problems, solvers
from pdekit.errors import NotApplicableError
from pdekit.solution import Solution, Status
from pdekit.solver import Setting, Solver, solve

SEED = 107  # not one of those the bands were measured with

each = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if row.slow else name for name, row in ROWS.items()]
)


@cache
def solved(name: str) -> Solution:
    row = ROWS[name]
    return solve(row.problem, row.solver, seed=SEED)


def points(row: Row) -> torch.Tensor:
    box = row.problem.domain
    return torch.tensor(box.lower) + torch.linspace(0, 1, 41, dtype=torch.float64)[:, None] * torch.tensor(box.lengths)


def values(row: Row, seed: int) -> torch.Tensor:
    return row.solver.run(row.problem, Setting(seed=seed)).field(points(row))


def test_every_solver_of_the_catalogue_has_a_row():
    assert {ROWS[name].solver.name for name in ROWS} == set(solvers.names())


@each
def test_the_error_is_within_its_band(name):
    row, solution = ROWS[name], solved(name)
    assert solution.measures.rel_l2 <= row.largest
    assert solution.status is Status.FINISHED and solution.success
    assert solution.trust.flags == ()
    assert solution.solver == row.solver.name
    assert solution.message


@each
def test_the_field_is_a_finite_column(name):
    row, solution = ROWS[name], solved(name)
    x = points(row).numpy()
    u = solution(x)
    assert u.shape == (41, 1)
    assert u.dtype == np.float64
    assert np.isfinite(u).all()
    assert solution.measures.max_error >= np.abs(u - row.problem.exact(points(row)).numpy()).max() * 0.3


@each
def test_measures_and_history(name):
    row, solution = ROWS[name], solved(name)
    for key in ("rel_l2", "max_error", *row.measures):
        assert getattr(solution.measures, key) is not None, key
    assert [column for column in row.columns if column not in solution.history] == []
    assert (len(solution.history) > 0) == bool(row.columns)
    assert solution.timings["total"] > 0
    assert all(seconds >= 0 for seconds in solution.timings.values())


@each
def test_the_report_is_json(name):
    table = json.loads(json.dumps(solved(name).to_json(), allow_nan=False))
    assert table["rel_l2"] == solved(name).measures.rel_l2
    assert table["success"] is True
    assert table["seed"] == SEED
    assert len(str(solved(name)).splitlines()) == 6


@each
def test_the_seed_fixes_every_number_and_nothing_global_does(name):
    row = ROWS[name]
    once = solved(name).field(points(row))
    before, also, dtype = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_default_dtype()
    assert torch.equal(values(row, SEED), once)
    assert torch.equal(values(row, SEED + 1), once) is not row.random
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], also)
    assert torch.get_default_dtype() is dtype


@pytest.mark.parametrize(
    "name", ["deep-ritz", "pinn", "polynomial", "random-features", "hybrid", "converse hybrid", "jacobi"]
)
def test_saved_and_loaded_bit_for_bit(name, tmp_path):
    row, solution = ROWS[name], solved(name)
    back = pdekit.load(solution.save(tmp_path / "run"))
    assert torch.equal(back.field(points(row)), solution.field(points(row)))
    assert type(back.field) is type(solution.field)
    assert (back.problem, back.status, back.measures) == (solution.problem, solution.status, solution.measures)
    assert back.history.columns == solution.history.columns


# Which solver takes which problem -------------------------------------------------------------------------------------

LINEAR_ON_GRIDS = {
    "poisson-four-modes",
    "poisson-four-modes-2d",
    "poisson-four-modes-3d",
    "poisson-sine",
    "poisson-mscale-1d",
    "poisson-two-frequency",
    "elliptic-two-scale",
    "elliptic-three-scale",
    "elliptic-multiscale-2d",
    "helmholtz",
}
ON_MESHES = {"poisson-porous", "poisson-boltzmann", "disk", "l-shape"}
ELLIPTIC_ON_BOXES = {*LINEAR_ON_GRIDS, "poisson-nd"}
ELLIPTIC = {*ELLIPTIC_ON_BOXES, *ON_MESHES}
EVERYTHING = {*ELLIPTIC, "p-laplace", "biharmonic", "heat", "newton-law"}
TAKES: dict[str, set[str]] = {
    "pinn": EVERYTHING,
    "siren": EVERYTHING,
    "polynomial": EVERYTHING,
    "random-features": EVERYTHING,
    "deep-ritz": {*ELLIPTIC, "p-laplace", "biharmonic"},
    "deep-nitsche": ELLIPTIC,
    "wan": ELLIPTIC_ON_BOXES,
    "dual-residual": {*LINEAR_ON_GRIDS, *ON_MESHES},
    "finite-difference": {*LINEAR_ON_GRIDS, "heat"},
    "finite-element": {*LINEAR_ON_GRIDS, *ON_MESHES},
    "hybrid": LINEAR_ON_GRIDS,
    "jacobi": LINEAR_ON_GRIDS,
    "gauss-seidel": LINEAR_ON_GRIDS,
    "cg": LINEAR_ON_GRIDS,
    "multigrid": LINEAR_ON_GRIDS,
    "deepxde": EVERYTHING,
}

TAKES |= dict.fromkeys(
    ("mscale", "fourier", "growing", "sd2", "phase"), TAKES["deep-ritz"]
)  # they train on the same energy


def takes(solver: Solver, problem: pdekit.Problem) -> bool:
    try:
        solver.require(problem)
    except NotApplicableError as error:
        assert problem.name in str(error) and ("expected" in str(error) or "need" in str(error)), error
        return False
    return True


@pytest.mark.parametrize("name", solvers.names())
def test_every_problem_is_taken_or_refused_by_name(name):
    solver = solvers.solver(name)
    assert {known for known in problems.names() if takes(solver, problems.problem(known))} == TAKES[name]


@pytest.mark.parametrize(
    ("name", "problem", "taken"),
    [
        ("finite-difference", PoissonND(3), True),
        ("finite-difference", PoissonND(4), False),
        ("jacobi", PoissonND(10, Variant.HARMONIC), False),
        ("finite-difference", Heat(3), True),
        ("finite-difference", Heat(4), False),
        ("hybrid", Heat(1), False),
        ("deep-ritz", NewtonLaw(), False),
        ("wan", Heat(1), False),
        ("dual-residual", PoissonND(3), True),
        ("dual-residual", PoissonND(4), False),
        ("deep-ritz", PoissonND(10, Variant.HARMONIC), True),
        ("cg", Helmholtz(2), True),
    ],
)
def test_dimension_and_kind_decide(name, problem, taken):
    assert takes(solvers.solver(name), problem) is taken
