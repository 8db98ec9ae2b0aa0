"""The error of a solve against time, and the clock that stands still while it is measured."""

from __future__ import annotations

import time

import numpy as np
import pytest

from pdekit import nn, optim, problems, solve, solvers
from pdekit.errors import ConfigError
from pdekit.recipe import Budget
from pdekit.stopwatch import Clock, Stopwatch
from pdekit.trace import ErrorTrace

PROBLEM = problems.PoissonMscale1D(periods=1)


def small(steps: int = 100) -> solvers.Neural:
    return solvers.Neural(
        name="small",
        formulation=solvers.Ritz(),
        network=nn.MLP(width=16, depth=2),
        collocation=solvers.Collocation(points=64, law=solvers.Law.GAUSS_LEGENDRE),
        training=solvers.Training(steps=steps, optimizer=optim.Adam(1e-2), polish=0, record_every=1000),
        conditions=solvers.Enforcement.HARD,
    )


@pytest.mark.parametrize("clock", Clock)
def test_a_stopwatch_stands_still_while_it_is_stopped(clock):
    watch = Stopwatch(clock)
    with watch.stopped(), watch.stopped():
        before = watch.seconds
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass
        assert watch.seconds == before
    assert before <= watch.seconds < 0.05


def test_the_processor_clock_does_not_count_waiting():
    watch = Stopwatch(Clock.PROCESSOR)
    time.sleep(0.1)
    assert watch.seconds < 0.05


def test_a_training_leaves_its_error_against_time():
    trace = ErrorTrace(PROBLEM)
    solution = solve(PROBLEM, small(), trace=trace)
    seconds, error = trace.record["seconds"], trace.record["rel_l2"]
    assert len(seconds) > 3
    assert (np.diff(seconds) > 0).all()
    assert error[0] > 0.1 > error[-1]
    # Other held-out points, the same function: two quadratures of one error.
    assert error[-1] == pytest.approx(solution.measures.rel_l2, rel=0.05)


def test_measuring_takes_no_time_of_the_solve(monkeypatch):
    trace = ErrorTrace(PROBLEM)
    measured = trace.error

    def slow(function):
        time.sleep(0.05)
        return measured(function)

    monkeypatch.setattr(trace, "error", slow)
    started = time.perf_counter()
    solution = solve(PROBLEM, small(), trace=trace)
    waited = 0.05 * len(trace.record)
    assert waited > 0.1
    assert trace.record["seconds"][-1] < time.perf_counter() - started - waited
    assert solution.timings["train"] < time.perf_counter() - started - waited


def test_the_budget_of_a_trace_holds_for_the_whole_solve():
    trace = ErrorTrace(PROBLEM, seconds=0.5)
    solution = solve(PROBLEM, small(steps=100_000), trace=trace)
    assert solution.measures.steps < 100_000
    assert 0.4 < trace.record["seconds"][-1] < 1.0


@pytest.mark.parametrize("name", ["jacobi", "finite-difference", "cg", "random-features", "polynomial", "hybrid"])
def test_every_solver_leaves_its_end(name):
    trace = ErrorTrace(PROBLEM, seconds=2.0)
    solution = solve(PROBLEM, solvers.solver(name), trace=trace)
    last = dict(list(trace.record)[-1])
    assert last["rel_l2"] == pytest.approx(solution.measures.rel_l2, rel=0.1, abs=1e-12)
    assert 0 < last["seconds"] < 4.0


def test_relaxations_are_measured_on_the_way():
    trace = ErrorTrace(PROBLEM, seconds=1.0)
    solve(PROBLEM, solvers.Iterative("jacobi", solvers.jacobi().method, points=129), trace=trace)
    error = trace.record["rel_l2"]
    assert len(error) > 3
    assert (np.diff(error) <= 1e-12).all()  # Jacobi's error falls monotonically


def test_without_a_reference_time_is_kept_all_the_same():
    class Unknown(problems.PoissonMscale1D):
        def reference(self):
            return None

    trace = ErrorTrace(Unknown())
    solve(Unknown(), solvers.FiniteDifference(points=65), trace=trace)
    assert len(trace.record) == 1
    assert np.isnan(trace.record["rel_l2"][0])


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), "1"])
def test_a_budget_is_a_positive_number(seconds):
    with pytest.raises(ConfigError, match="ErrorTrace: seconds"):
        ErrorTrace(PROBLEM, seconds=seconds)


def test_a_budget_used_up_allows_no_step():
    trace = ErrorTrace(PROBLEM, seconds=1e-6)
    solution = solve(PROBLEM, small(), trace=trace)
    assert solution.measures.steps == 0
    assert trace.left(Budget(steps=5)).steps == 5


def test_measuring_changes_nothing_in_the_training():
    traced = solve(PROBLEM, small(50), seed=3, trace=ErrorTrace(PROBLEM))
    plain = solve(PROBLEM, small(50), seed=3)
    assert len(traced.history) > len(plain.history)
    assert traced.history.last("loss") == plain.history.last("loss")
