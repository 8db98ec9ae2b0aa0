"""DeepXDE as a solver: its derivatives as a jet, its refusals; training in its process is in the slow tests."""

from __future__ import annotations

import importlib.util
import math
import types

import pytest
import torch
from pdekit.solvers import deepxde_child

from pdekit import nn, problems, solve, solvers
from pdekit.child import in_child
from pdekit.conditions import Periodic, label
from pdekit.errors import ConfigError, MissingPackageError, NotApplicableError
from pdekit.kernels import Recorder
from pdekit.nn import Frame
from pdekit.problem import Problem
from pdekit.recipe import Budget
from pdekit.trace import ErrorTrace


def jacobian(ys, xs, i=0, j=0):
    return torch.autograd.grad(ys[:, i].sum(), xs, create_graph=True)[0][:, j : j + 1]


def hessian(ys, xs, component=0, i=0, j=0):
    return jacobian(jacobian(ys, xs, component, i), xs, 0, j)


FAKE = types.SimpleNamespace(grad=types.SimpleNamespace(jacobian=jacobian, hessian=hessian))
"""What of DeepXDE jets need, by torch alone: importing the real one takes seconds and changes defaults."""


@pytest.fixture
def network():
    frame = Frame((0.0, 0.0), (1.0, 1.0), 2, torch.float64)
    return nn.MLP(6, 2).build(frame, torch.Generator().manual_seed(5))


@pytest.mark.parametrize("axes", [(), (0,), (1,), (0, 0), (0, 1), (1, 1), (0, 0, 1), (0, 0, 1, 1)])
def test_derivatives_are_those_of_nested_differentiation(network, axes):
    x = torch.rand(7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    at = x.clone().requires_grad_(True)
    mine = deepxde_child._Derivatives(FAKE, at, network(at))
    reference = Recorder(network, x)
    assert torch.allclose(mine.partial(axes), reference.partial(axes), atol=1e-10)
    assert torch.allclose(mine.gradient((1, 0)), reference.gradient((1, 0)))
    assert torch.allclose(mine.laplacian((0, 1)), reference.laplacian((0, 1)))


def test_conditions_leave_nothing_at_the_exact_solution():
    """Rows of a condition are its own, wherever DeepXDE puts them, and its data are read at its own points only."""
    problem = problems.Heat()
    for condition in problem.conditions:
        batch = solvers.Collocation(points=16).interior(problem, torch.Generator().manual_seed(1))
        soft = solvers.collocation.PointSets(
            problem, solvers.Collocation(points=16), (condition,), torch.float64, "cpu"
        )
        points = soft.sample(torch.Generator().manual_seed(1))
        mine = deepxde_child._Soft(problem, condition, points, deepxde_child._Jets(FAKE, problem))
        first = torch.from_numpy(mine.collocation_points(batch.x.numpy()))
        assert torch.equal(first, points[f"{label(condition)}.x"])
        x = torch.cat([batch.x, first]).requires_grad_(True)
        gap = mine.error(None, x, problem.exact(x), len(batch.x), len(x))
        assert gap.shape == (len(first), 1)
        assert float(gap.detach().abs().max()) < 1e-12


def test_it_is_told_when_the_package_is_missing(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="pip install deepxde"):
        solvers.DeepXDE().require(problems.PoissonSine())


def test_periodic_problems_are_refused():
    class Ring(problems.Heat):
        conditions = (Periodic("x"),)

    with pytest.raises(NotApplicableError, match="periodic in 'x'"):
        solvers.DeepXDE().require(Ring())


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 0},
        {"share": 0.0},
        {"share": 1.5},
        {"learning_rate": -1.0},
        {"polish": -1},
        {"boundary_weight": 0.0},
        {"conditions": "hard"},
        {"collocation": solvers.Collocation(resample_every=1)},
    ],
)
def test_impossible_options(options):
    with pytest.raises(ConfigError, match="DeepXDE"):
        solvers.DeepXDE(**options)


SMALL = solvers.DeepXDE(nn.MLP(16, 2), solvers.Collocation(points=200), solvers.Enforcement.HARD)


@pytest.mark.slow
@pytest.mark.parametrize("conditions", solvers.Enforcement)
@pytest.mark.parametrize("problem", [problems.PoissonSine(), problems.Heat()], ids=lambda p: p.name)
def test_it_trains_within_its_time(problem: Problem, conditions):
    solver = solvers.DeepXDE(nn.MLP(16, 2), solvers.Collocation(points=200), conditions)
    trace = ErrorTrace(problem, seconds=10.0)
    solution = solve(problem, solver, trace=trace)
    assert 8 < trace.record["seconds"][-1] < 14
    assert solution.measures.rel_l2 < 0.1 * trace.record["rel_l2"][0]
    assert len(trace.record) > 20
    assert (trace.record["seconds"][1:] >= trace.record["seconds"][:-1]).all()


@pytest.mark.slow
def test_the_network_that_comes_back_is_the_one_that_was_trained():
    """The last error measured there is the error measured here."""
    trace = ErrorTrace(problems.PoissonSine())
    solution = solve(problems.PoissonSine(), SMALL, budget=Budget(steps=40), trace=trace, dtype=torch.float32)
    assert solution.measures.rel_l2 == pytest.approx(trace.record["rel_l2"][-1], rel=0.05)
    assert math.isfinite(solution.history.last("loss"))
    assert solution.config["run"]["dtype"] == "float32"


@pytest.mark.slow
def test_nothing_of_deepxde_reaches_this_process():
    found = in_child(_modules_after_a_solve, threads=1)
    assert "deepxde" not in found
    assert "pdekit.solvers.deepxde" in found


def _modules_after_a_solve() -> list[str]:
    import sys

    solve(problems.PoissonSine(), SMALL, budget=Budget(steps=2))
    return sorted(sys.modules)
