"""Operators inside classical iterations: as the start, and every few sweeps; with Green's function, known up to a few percent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from operator_cases import dense
from pdekit.problems import Antiderivative, DarcyFamily, PoissonFamily, PoissonInput, PoissonSine
from pdekit.solvers import Hints, Hybrid, Iterative, OperatorStart, Recurring, StoredOperator

import pdekit
from pdekit.discrete import Jacobi, relax, solve_direct
from pdekit.discretise import space_grid
from pdekit.errors import ConfigError, ConvergenceError, NotApplicableError
from pdekit.operators import Operator
from pdekit.solver import Setting

FAMILY = PoissonFamily(points=33, modes=8)
WRONG = 0.05
"""Relative size of what is wrong with the kernel."""


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def kernel(wrong: float) -> torch.Tensor:
    """Green's function of -u'' on (0, 1) times the quadrature weights, (33, 33), with a smooth relative error."""
    axis = FAMILY.output.axes[0]
    x, y = axis.coordinates[:, None], axis.coordinates[None]
    exact = (np.minimum(x, y) - x * y) * axis.weights
    return torch.from_numpy(exact * (1.0 + wrong * np.cos(3 * x + 2 * y)))


@pytest.fixture(scope="module")
def operator(tmp_path_factory) -> Operator:
    """A trained operator whose matrix is replaced by the kernel."""
    solver = dense(steps=1)
    found = pdekit.learn(FAMILY, solver, folder=tmp_path_factory.mktemp("data"), jobs=1, dtype=torch.float64)
    network = found.predictor.network
    for statistics in (network.before, network.after):
        statistics.mean.zero_()
        statistics.deviation.fill_(1.0)
    network.weight.data.copy_(kernel(WRONG))
    return found


def case(seed=3):
    return FAMILY.case(FAMILY.sample(1, torch.Generator().manual_seed(seed))[0])


def system_of(problem):
    return problem.discretise(space_grid(problem, 33))


def sweeps(system, relaxation, start, tolerance=1e-10):
    return relax(system, relaxation, start, max_sweeps=10**6, tolerance=tolerance)


def test_every_few_sweeps_it_takes_a_tenth_of_jacobis(operator):
    for seed in range(5):
        system = system_of(case(seed))
        zero = np.zeros(system.grid.shape)
        plain = sweeps(system, Jacobi(), zero)
        mixed = sweeps(system, Recurring(operator, Jacobi(2 / 3), 10), zero)
        assert mixed.converged and 10 * mixed.sweeps < 0.1 * plain.sweeps
        assert np.abs(mixed.u - solve_direct(system)).max() < 1e-9 * np.abs(mixed.u).max()


def test_as_the_start_it_saves_the_sweeps_of_its_digits(operator):
    problem = case()
    system = system_of(problem)
    plain = sweeps(system, Jacobi(), np.zeros(33)).sweeps
    start = OperatorStart(operator).run(problem, Setting()).field
    begun = sweeps(system, Jacobi(), start(torch.from_numpy(system.grid.points())).numpy().reshape(33)).sweeps
    # An error smaller by the factor `WRONG` saves that many of the ten decades, more or less.
    saved = np.log(1 / WRONG) / np.log(1e10)
    assert 0.5 * saved < 1 - begun / plain < 2 * saved


def test_it_is_a_first_stage_and_a_relaxation_of_a_hybrid(operator, tmp_path):
    operator.save(tmp_path / "run")
    problem = case()
    begun = pdekit.solve(problem, Hybrid(OperatorStart(operator), Jacobi(), points=33, tolerance=1e-8))
    alone = pdekit.solve(problem, Iterative("jacobi", Jacobi(), points=33, tolerance=1e-8))
    mixed = pdekit.solve(problem, Iterative("hints", Recurring(operator, Jacobi(2 / 3), 10), points=33, tolerance=1e-8))
    assert begun.measures.sweeps < alone.measures.sweeps and begun.measures.steps == 0
    assert 10 * mixed.measures.sweeps < 0.1 * alone.measures.sweeps
    x = np.linspace(0, 1, 9)[:, None]
    assert np.abs(begun(x) - alone(x)).max() < 1e-7 and np.abs(mixed(x) - alone(x)).max() < 1e-7


def test_stored_operators_need_the_directory_of_a_run(tmp_path):
    with pytest.raises(ConfigError, match="expected the directory of one"):
        pdekit.solve(case(), StoredOperator())
    with pytest.raises(ConfigError, match="expected the directory of one"):
        sweeps(system_of(case()), Hints(), np.zeros(33))
    with pytest.raises(FileNotFoundError):
        pdekit.solve(case(), StoredOperator(str(tmp_path / "nothing")))
    with pytest.raises(ConfigError, match="every"):
        Hints(every=1)


def test_an_operator_that_makes_things_worse_is_noticed(operator):
    bad = replace(operator, predictor=replace(operator.predictor, network=worse(operator)))
    with pytest.raises(ConvergenceError, match="diverges"):
        sweeps(system_of(case()), Recurring(bad, Jacobi(2 / 3), 2), np.zeros(33))


def worse(operator):
    import copy

    network = copy.deepcopy(operator.predictor.network)
    network.weight.data.mul_(-3.0)
    return network


def test_only_problems_of_the_family_are_taken(operator):
    start = OperatorStart(operator)
    for problem, answer in (
        (PoissonSine(k=1), "expected the domain"),
        (DarcyFamily(points=9).case(torch.ones(9, 9, 1, dtype=torch.float64)), "expected the domain"),
        (Antiderivative().case(torch.ones(100, 1, dtype=torch.float64)), "an elliptic equation"),
    ):
        with pytest.raises(NotApplicableError, match=answer):
            start.require(problem)


def test_a_family_reads_its_input_off_its_cases():
    generator = torch.Generator().manual_seed(2)
    for family in (FAMILY, PoissonFamily(dim=2, points=9, modes=3), DarcyFamily(points=9, modes=3)):
        values = family.sample(1, generator)[0]
        assert torch.allclose(family.inputs_of(family.case(values)), values, rtol=1e-12)
    with pytest.raises(NotApplicableError, match="expected -lap u = f"):
        PoissonFamily(dim=2, points=9).inputs_of(
            DarcyFamily(points=9).case(2 * torch.ones(9, 9, 1, dtype=torch.float64))
        )
    with pytest.raises(NotApplicableError, match="expected -div"):
        DarcyFamily(points=9).inputs_of(PoissonFamily(dim=2, points=9).case(torch.ones(9, 9, 1, dtype=torch.float64)))
    with pytest.raises(NotApplicableError, match="use data=source"):
        PoissonFamily(PoissonInput.BOUNDARY, dim=2).inputs_of(case())


def test_only_sources_and_dirichlet_boundaries_recur(operator):
    relaxation = Recurring(operator, Jacobi(2 / 3), 10)
    other = pdekit.problems.PoissonSine(k=1)
    with pytest.raises(NotApplicableError, match="expected the domain of poisson-family"):
        relaxation.prepare(other.discretise(space_grid(other, 33)))
    boundary = replace(operator.predictor, family=PoissonFamily(PoissonInput.BOUNDARY, dim=2))
    with pytest.raises(NotApplicableError, match="no source"):
        Recurring(replace(operator, predictor=boundary), Jacobi(), 10).prepare(system_of(case()))
