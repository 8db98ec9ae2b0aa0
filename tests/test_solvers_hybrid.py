"""Hybrids: forecasts against actual sweeps, the hand-over, the defect, cycles, the coarse solve, budgets and resumption."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from pdekit.problems import EllipticTwoScale, Heat, NewtonLaw, PoissonFourModes, PoissonFourModes2D, PoissonSine
from pdekit.solvers import (
    CoarseSolve,
    FiniteDifference,
    Hybrid,
    Neural,
    PolynomialFit,
    deep_ritz,
    hybrid,
    jacobi,
    pinn,
    polynomial,
)
from pdekit.solvers.defect import defect_of
from pdekit.solvers.forecast import PREDICTED, Costs, Forecast, HandOverRule
from solver_cases import LINE, tiny
from test_solvers_forms import Mixed
from trust_cases import error_of, perturbed

from pdekit.discrete import GaussSeidel, Jacobi, Multigrid, exact_sweeps, relax, solve_direct
from pdekit.discretise import space_grid
from pdekit.errors import ConfigError, DivergenceError, NotApplicableError
from pdekit.field import GridField, SumField
from pdekit.problem import Elliptic
from pdekit.recipe import Budget
from pdekit.record import Record
from pdekit.rundir import RunDirectory
from pdekit.solver import Outcome, Setting, solve
from pdekit.study import HybridStudy, Role


def first(steps: int = 200, width: int = 24) -> Neural:
    """A small network as a hybrid's first solver."""
    return tiny(hybrid().first, steps=steps, width=width, points=128)


def smooth_error(problem: Elliptic, points: int, seed: int, modes: int = 6) -> np.ndarray:
    """A random sum of the smoothest modes, grid-shaped and zero on the boundary."""
    grid = space_grid(problem, points)
    random = np.random.default_rng(seed)
    s = (grid.points() - grid.lower) / (np.array(grid.upper) - grid.lower)
    total = np.zeros(grid.size)
    for k in np.ndindex((modes,) * grid.dim):
        wave = np.sin(np.pi * (np.array(k) + 1) * s).prod(axis=1)
        total += random.normal() / (1 + sum(k)) * wave
    return total.reshape(grid.shape)


# Forecast -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("problem", "points"), [(PoissonFourModes(), 65), (PoissonSine(1), 25), (LINE, 33)])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tolerance", [1e-2, 1e-6])
def test_forecasts_are_what_jacobi_takes(problem, points, seed, tolerance):
    system = problem.discretise(space_grid(problem, points))
    target = solve_direct(system)
    start = target + smooth_error(problem, points, seed)
    forecast = Forecast(system, Jacobi(), tolerance).sweeps(start)
    actual = relax(system, Jacobi(), start, max_sweeps=10**6, tolerance=tolerance, target=target).sweeps
    assert abs(forecast - actual) <= 0.01 * actual + 1


def test_forecast_modes_are_the_error():
    problem = PoissonFourModes2D()
    system = problem.discretise(space_grid(problem, 33))
    error = smooth_error(problem, 33, 5, modes=4)
    modes = Forecast(system, Jacobi(), 1e-3).modes(solve_direct(system) - error)
    wanted = np.zeros_like(modes)
    coefficients = np.random.default_rng(5)
    for k in np.ndindex(4, 4):
        wanted[k] = coefficients.normal() / (1 + sum(k))
    np.testing.assert_allclose(modes, wanted, atol=1e-10)


def test_nothing_is_left_to_do_at_the_solution():
    system = LINE.discretise(space_grid(LINE, 33))
    assert Forecast(system, Jacobi(), 1e-6).sweeps(solve_direct(system)) == 0


def test_forecasts_of_large_grids_are_bounds():
    """Beyond 10^5 points the sum over the modes stands for the largest error."""
    problem = PoissonSine(1)
    system = problem.discretise(space_grid(problem, 321))
    error = smooth_error(problem, 321, 1, modes=3)
    forecast = Forecast(system, Jacobi(), 1e-3).sweeps(solve_direct(system) + error)
    actual = exact_sweeps(system, Jacobi(), error, 1e-3)
    assert 0.99 * actual <= forecast <= 1.2 * actual


@pytest.mark.parametrize("problem", [EllipticTwoScale(0.5), Mixed()], ids=lambda p: p.name)
def test_forecasts_elsewhere_are_of_the_right_order(problem):
    """Variable coefficients and other faces have no sine modes; the estimate takes those of the Laplacian."""
    system = problem.discretise(space_grid(problem, 33))
    target = solve_direct(system)
    start = system.extend(np.zeros_like(system.rhs))
    forecast = Forecast(system, Jacobi(), 1e-3).sweeps(start)
    actual = relax(system, Jacobi(), start, max_sweeps=10**6, tolerance=1e-3, target=target).sweeps
    assert 0.1 * actual < forecast < 10 * actual


# The hand-over --------------------------------------------------------------------------------------------------------


def history(predicted: list[float], every: int = 10) -> Record:
    record = Record()
    for i, value in enumerate(predicted):
        record.append({"step": i * every, PREDICTED: value})
    return record


EVEN = Costs(step=1.0, sweep=1.0)


@pytest.mark.parametrize(
    ("predicted", "words"),
    [
        ([1000.0, 500.0, 90.0], "at most 100"),
        ([1e6, 1e5, 1e4, 1e3], None),
        ([1e6, 1e5, math.nan, math.nan], None),
        ([math.nan, math.nan], None),
        ([5000.0] * 3, None),
        ([200.0] + [400.0] * 100, "predicted sweeps of step 0"),
        ([1e4, 150.0] + [1e3] * 100, "150 predicted sweeps of step 10"),
    ],
    ids=["local work", "falling", "not measured lately", "never measured", "waiting", "rising", "past the best"],
)
def test_the_rule_on_made_up_histories(predicted, words):
    found = HandOverRule(100, EVEN).reason(history(predicted))
    assert (found is None) if words is None else (words in found)


def test_cheap_steps_are_taken_for_longer():
    """What counts is the time: the same forecasts with steps that cost next to nothing do not end the training."""
    flat = history([400.0] * 300)
    assert HandOverRule(100, EVEN).reason(flat) is not None
    assert HandOverRule(100, Costs(step=1e-3, sweep=1.0)).reason(flat) is None


def test_costs_grow_with_the_sizes():
    grid, finer = (space_grid(PoissonSine(1), n) for n in (33, 129))
    small, large = Costs.of(grid, 100, 1000), Costs.of(finer, 1000, 10_000)
    assert 0 < small.step < large.step
    assert 0 < small.sweep < large.sweep


# The defect -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", [LINE, PoissonSine(2), EllipticTwoScale(0.5), Mixed()], ids=lambda p: p.name)
def test_the_defect_s_solution_is_what_is_missing(problem):
    system = problem.discretise(space_grid(problem, 33))
    target = solve_direct(system)
    guess = target + 0.3 * smooth_error(problem, 33, 2)
    values, defect = defect_of(problem, system, guess, 0.25)
    correction = solve_direct(defect.discretise(system.grid))
    np.testing.assert_allclose(values + 0.25 * correction, target, atol=1e-9)
    assert np.abs(correction).max() == pytest.approx(np.abs(target - values).max() / 0.25, rel=1e-9)


def test_the_defect_has_the_forms_of_its_problem():
    problem = Mixed()
    system = problem.discretise(space_grid(problem, 17))
    _, defect = defect_of(problem, system, system.extend(np.zeros_like(system.rhs)), 1.0)
    assert [type(c) for c in defect.conditions] == [type(c) for c in problem.conditions]
    assert all(c.value == 0.0 for c in defect.conditions)
    deep_ritz().require(defect)
    assert defect.domain == problem.domain


# Solving --------------------------------------------------------------------------------------------------------------


def test_the_state_with_the_best_forecast_is_handed_over():
    solution = solve(PoissonFourModes(), Hybrid(first(), points=201), seed=3)
    measures, history = solution.measures, solution.history
    assert measures.max_error_discrete <= 1e-4
    assert measures.cycles == 1
    assert 0 <= measures.hand_over_step <= measures.steps <= 200
    chosen = history["step"] == measures.hand_over_step
    assert history[PREDICTED][chosen][0] == np.nanmin(history[PREDICTED])
    assert abs(measures.sweeps - history[PREDICTED][chosen][0]) <= 0.01 * measures.sweeps + 1
    assert f"step {measures.hand_over_step}" in solution.message


def test_network_then_jacobi_takes_fewer_sweeps_than_jacobi():
    """Of ten seeds the worst left 0.44 of the sweeps, the median 0.1."""
    network = tiny(hybrid().first, steps=300, width=50, points=256, learning_rate=3e-3)
    outcome = Hybrid(network, points=201, hand_over=300).run(PoissonFourModes(), Setting(seed=3))
    alone = dataclasses.replace(jacobi(), points=201).run(PoissonFourModes(), Setting()).measures.sweeps
    assert outcome.measures.sweeps < 0.8 * alone


@pytest.mark.slow
def test_the_book_s_experiment():
    """Jacobi alone takes 429,852 sweeps."""
    measures = solve(PoissonFourModes(), hybrid(), seed=7).measures
    assert measures.max_error_discrete <= 1e-4
    assert measures.sweeps <= 5000


@pytest.mark.parametrize("cycles", [2, 3])
def test_each_cycle_aims_at_a_tenth(cycles):
    outcome = Hybrid(first(100), points=101, cycles=cycles).run(PoissonFourModes(), Setting(seed=1))
    assert outcome.measures.cycles == cycles
    assert np.abs(outcome.field.values - outcome.target).max() <= 1e-4 * 10.0 ** (1 - cycles)
    assert set(outcome.history["cycle"]) == set(range(cycles))
    assert (np.diff(outcome.history["step"]) >= 0).all()
    assert (np.diff(outcome.history["seconds"]) >= 0).all()


def test_training_on_the_defect_takes_the_smooth_error():
    """Of ten seeds the worst left 0.084 of the error after a training and took 0.37 of the sweeps."""
    problem = PoissonFourModes()
    one, three = (
        Hybrid(first(), points=101, tolerance=tolerance, cycles=cycles, hand_over=150).run(problem, Setting(seed=1))
        for tolerance, cycles in ((1e-6, 1), (1e-4, 3))
    )
    assert np.abs(three.field.values - three.target).max() <= 1e-6
    assert three.measures.sweeps < 0.7 * one.measures.sweeps
    for cycle in (1, 2):
        errors = [row["max_error"] for row in three.history if row["cycle"] == cycle and not math.isnan(row["loss"])]
        assert errors[-1] < 0.2 * errors[0]


def test_a_hand_over_that_is_asked_for():
    outcome = Hybrid(first(), points=101, hand_over=30).run(PoissonFourModes(), Setting())
    assert outcome.measures.hand_over_step == outcome.measures.steps == 30
    assert "as asked" in outcome.message


@pytest.mark.parametrize(
    ("problem", "start"), [(PoissonFourModes(), FiniteDifference(26)), (LINE, PolynomialFit()), (LINE, polynomial())]
)
def test_other_solvers_may_begin(problem, start):
    outcome = Hybrid(start, points=101).run(problem, Setting())
    cold = dataclasses.replace(jacobi(), points=101).run(problem, Setting()).measures.sweeps
    assert np.abs(outcome.field.values - outcome.target).max() <= 1e-4
    assert outcome.measures.hand_over_step is None
    assert outcome.measures.steps == 0
    assert outcome.measures.sweeps < 0.6 * cold


@pytest.mark.parametrize("then", [GaussSeidel(), Jacobi(2 / 3), Multigrid()], ids=lambda r: r.name)
@pytest.mark.parametrize(
    "problem", [PoissonFourModes(), PoissonSine(1), EllipticTwoScale(0.1), Mixed()], ids=lambda p: p.name
)
def test_other_relaxations_and_problems(problem, then):
    """Constant and variable coefficients, one and two dimensions, all kinds of faces."""
    outcome = Hybrid(first(40, 10), then, points=33, tolerance=1e-3).run(problem, Setting(seed=2))
    assert np.abs(outcome.field.values - outcome.target).max() <= 1e-3
    assert not outcome.exhausted


def test_variable_coefficients():
    solution = solve(EllipticTwoScale(0.1), Hybrid(first(), points=201, tolerance=1e-5), seed=1)
    assert solution.measures.max_error_discrete <= 1e-5
    assert solution.success


def test_sweeps_that_do_not_suffice_are_told():
    outcome = Hybrid(first(20), points=101, max_sweeps=5, cycles=2).run(PoissonFourModes(), Setting())
    assert outcome.exhausted
    assert outcome.measures.cycles == 1
    assert outcome.measures.sweeps == 5
    assert "did not suffice" in outcome.message


# The converse ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", [LINE, PoissonSine(1), Mixed(), EllipticTwoScale(0.5)], ids=lambda p: p.name)
def test_a_coarse_solve_takes_the_smooth_error(problem):
    """The error that is left is that of the grid on the correction: of second order in its spacing."""
    before = perturbed(problem, error_of(problem, 1.0, smooth=0.1, oscillating=0.0))
    outcome = Outcome(field=before, history=Record(), message="frozen")
    corrected = CoarseSolve(33).corrected(problem, outcome)
    assert isinstance(corrected.field, SumField)
    grid = space_grid(problem, 50)
    x = torch.from_numpy(grid.points())
    left, had = (float((field(x) - problem.exact(x)).abs().max()) for field in (corrected.field, before))
    assert left < had / 5
    assert "33" in corrected.message
    assert corrected.measures.cycles == 1


def test_a_coarse_solve_keeps_the_oscillations():
    """On a grid of 3 points per wave, which alone could not follow them."""
    problem = PoissonSine(8)
    before = perturbed(problem, error_of(problem, 1.0, smooth=0.1, oscillating=0.0))
    corrected = CoarseSolve(13).corrected(problem, Outcome(field=before, history=Record(), message=""))
    x = torch.rand(500, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    alone = FiniteDifference(13).run(problem, Setting()).field
    with_network, without = (float((field(x) - problem.exact(x)).abs().max()) for field in (corrected.field, alone))
    assert with_network < without / 20


def test_a_coarse_solve_needs_a_strong_residual():
    with pytest.raises(NotApplicableError, match="strong residual"):
        Hybrid(FiniteDifference(9), CoarseSolve(9)).run(LINE, Setting())


# Study ----------------------------------------------------------------------------------------------------------------


def test_the_study():
    solver = Hybrid(first(120), points=65)
    solution = solve(PoissonFourModes(), solver, study=True, seed=1)
    study = solution.study
    assert isinstance(study, HybridStudy)
    assert study.x.shape == study.reference.shape == (65,)
    assert study.wavenumbers.shape == study.magnitude.shape
    assert (np.diff(study.wavenumbers) > 0).all()
    peaks = len(study.peaks)
    assert peaks >= 2
    assert study.delta_network.shape == (len(study.steps), peaks)
    assert study.delta_relaxation.shape == (len(study.sweeps), peaks)
    assert [trace.role for trace in study.traces] == list(Role)
    assert study.steps[-1] == 120  # the network alone is trained to the end
    assert [h.automatic for h in study.hand_overs].count(True) == 1
    assert all(h.reached for h in study.hand_overs)
    automatic = next(h for h in study.hand_overs if h.automatic)
    assert automatic.step == solution.measures.hand_over_step
    assert automatic.sweeps == solution.measures.sweeps
    assert solve(PoissonFourModes(), solver, seed=1).study is None


def test_frequencies_in_opposite_orders():
    """Jacobi takes the high mode first; delta is 1 where nothing is known."""
    study = solve(PoissonFourModes(), Hybrid(first(40), points=65), study=True, seed=1).study
    low, high = study.peaks.argmin(), study.peaks.argmax()
    halved = [int((study.delta_relaxation[:, k] < 0.5).argmax()) for k in (low, high)]
    assert study.delta_relaxation[0] == pytest.approx(np.ones(len(study.peaks)))
    assert halved[0] > halved[1]


# Budgets and resumption -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cycles", [1, 2])
def test_a_budget_of_steps_is_kept_over_all_cycles(cycles):
    solver = Hybrid(first(), points=101, cycles=cycles)
    outcome = solver.run(PoissonFourModes(), Setting(budget=Budget(steps=25)))
    assert outcome.measures.steps == 25
    assert np.abs(outcome.field.values - outcome.target).max() <= 1e-4 * 10.0 ** (1 - cycles)


def test_a_budget_of_seconds_is_kept():
    solver = Hybrid(first(100_000), points=1001, tolerance=1e-9, enough=0.01)
    outcome = solver.run(PoissonFourModes(), Setting(budget=Budget(seconds=0.5)))
    assert outcome.exhausted
    assert outcome.timings["train"] + outcome.timings["sweeps"] < 2.0


@pytest.mark.parametrize("cycles", [1, 2])
def test_a_resumed_hybrid_is_the_straight_one(cycles, tmp_path):
    solver = Hybrid(first(60), points=101, cycles=cycles, hand_over=60)
    straight = solve(PoissonFourModes(), solver, seed=4)
    with RunDirectory.create(tmp_path / "run") as run:
        early = solve(PoissonFourModes(), solver, seed=4, run=run, budget=Budget(steps=17))
    with RunDirectory.open(tmp_path / "run") as run:
        resumed = solve(PoissonFourModes(), solver, seed=4, run=run, resume=True)
    assert early.measures.steps == 17
    assert np.array_equal(resumed.field.values, straight.field.values)
    assert resumed.measures == straight.measures
    for column in ("loss", "predicted_sweeps", "max_error", "step"):
        assert np.array_equal(resumed.history[column], straight.history[column], equal_nan=True)


def test_e19_a_hybrid_with_a_far_too_long_step():
    wild = dataclasses.replace(tiny(pinn(), steps=50, learning_rate=1e6))
    with pytest.raises(DivergenceError, match="learning rate"):
        Hybrid(wild, points=33).run(LINE, Setting())


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: Hybrid(points=2),
        lambda: Hybrid(cycles=0),
        lambda: Hybrid(tolerance=0.0),
        lambda: Hybrid(tolerance=math.nan),
        lambda: Hybrid(enough=-1.0),
        lambda: Hybrid(hand_over=0),
        lambda: Hybrid(watch_every=1.5),
        lambda: Hybrid(max_sweeps=True),
        lambda: CoarseSolve(3),
        lambda: Hybrid(FiniteDifference(9), hand_over=10),
    ],
)
def test_options_that_cannot_be(make):
    with pytest.raises(ConfigError, match=r"Hybrid|CoarseSolve"):
        make()


@pytest.mark.parametrize("problem", [Heat(1), NewtonLaw()], ids=lambda p: p.name)
def test_problems_it_is_not_for(problem):
    with pytest.raises(NotApplicableError, match=problem.name):
        hybrid().require(problem)


def test_the_field_is_on_the_grid():
    outcome = Hybrid(first(10), points=33).run(LINE, Setting())
    assert isinstance(outcome.field, GridField)
    assert outcome.field.grid == space_grid(LINE, 33)
