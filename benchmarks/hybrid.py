"""The hybrid beside its parts: seeds, hand-over steps, cycles, larger grids, three dimensions.

1. Hand-over: for each seed the automatic hand-over beside a sweep over the step M, all to max error 1e-4 against the
   discrete solution on 1001 points; Jacobi alone from zero.
2. Size: 10,001 points. Jacobi's time is its measured rate times its exact number of sweeps (swept mode by mode).
3. Order: after how many steps, or sweeps, Delta_F of each peak of the reference has fallen below 0.1 for good.
4. Three dimensions, 129^3 points, to max error 1e-3, beside conjugate gradients, multigrid and the direct solve.

Times are wall seconds of training and sweeps; measuring instruments are not counted. In part 1 they are counts times the
median seconds of a step and of a sweep, so that noise does not choose the best M. The cube's right-hand side has four eigenmodes, so conjugate gradients end after four steps: no general verdict.

    python benchmarks/hybrid.py [--parts hand-over,size,order,cube] [--threads 1] [--out benchmarks/hybrid.md]
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from machine import describe, markdown

from pdekit import problems, solvers
from pdekit.discrete import Jacobi, LinearSystem, cg, exact_sweeps, multigrid_cycle, relax, solve_direct
from pdekit.discretise import space_grid
from pdekit.nn import MLP, Sine, Spread
from pdekit.optim import Adam
from pdekit.problem import Elliptic
from pdekit.solution import Solution
from pdekit.solver import solve
from pdekit.spectrum import converged_at

HAND_OVERS = (80, 120, 160, 200, 240, 280, 320, 400, 600)
SEEDS = range(5)
LONG = 10_000  # sweeps, above which their time can be told


def seconds_of(solution: Solution) -> float:
    return solution.timings["train"] + solution.timings["sweeps"]


def unit_costs(runs: Sequence[Solution]) -> tuple[float, float]:
    """Median seconds of one optimiser step and of one sweep."""
    step = statistics.median(run.timings["train"] / (run.measures.steps or 1) for run in runs)
    swept = [run for run in runs if (run.measures.sweeps or 0) >= LONG]
    return step, statistics.median(run.timings["sweeps"] / (run.measures.sweeps or 1) for run in swept)


def jacobi_rate(system: LinearSystem, seconds: float = 2.0) -> float:
    """Seconds per sweep, the smaller of two runs."""
    sweeper = Jacobi().prepare(system)
    values = system.extend(np.zeros_like(system.rhs))
    rates = []
    for _ in range(2):
        done, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            values = sweeper.sweep(values, 20)
            done += 20
        rates.append((time.perf_counter() - started) / done)
    return min(rates)


def hand_over() -> str:
    problem = problems.problem("poisson-four-modes")
    assert isinstance(problem, Elliptic)
    system = problem.discretise(space_grid(problem, 1001))
    target = solve_direct(system)
    alone = relax(system, Jacobi(), np.zeros(system.grid.shape), max_sweeps=10**6, tolerance=1e-4, target=target)
    hybrid = solvers.hybrid()
    steps: tuple[int | None, ...] = (None, *HAND_OVERS)
    runs = {
        seed: {m: solve(problem, dataclasses.replace(hybrid, hand_over=m), seed=seed) for m in steps} for seed in SEEDS
    }
    step, sweep = unit_costs([run for of_seed in runs.values() for run in of_seed.values()])
    rows: list[list[object]] = []
    for seed, of_seed in runs.items():
        costs = {m: step * (run.measures.steps or 0) + sweep * (run.measures.sweeps or 0) for m, run in of_seed.items()}
        best = min(HAND_OVERS, key=lambda m: costs[m])
        automatic, swept = of_seed[None].measures, of_seed[best].measures.sweeps
        six = solve(problem, dataclasses.replace(hybrid, cycles=6), seed=seed).measures
        cells = [
            seed,
            automatic.hand_over_step,
            automatic.sweeps,
            f"{costs[None]:.2f}",
            best,
            swept,
            f"{costs[best]:.2f}",
        ]
        error = f"{six.max_error_discrete:.1e}"
        rows.append([*cells, f"{costs[None] / costs[best]:.2f}", error, six.steps, six.sweeps])
        print(rows[-1], flush=True)
    head = ["seed", "automatic M", "sweeps", "s", "best M", "sweeps", "s", "automatic / best"]
    title = "## Hand-over, 1001 points, to 1e-4\n\n"
    title += f"Jacobi alone: {alone.sweeps} sweeps, {alone.seconds:.2f} s. A step takes {1e3 * step:.2f} ms, a sweep "
    title += f"{1e6 * sweep:.2f} us (medians over all runs; the seconds below are counts times these).\n\n"
    return title + markdown([*head, "6 cycles: error", "steps", "sweeps"], rows)


def size() -> str:
    problem = problems.problem("poisson-four-modes")
    assert isinstance(problem, Elliptic)
    system = problem.discretise(space_grid(problem, 10_001))
    target = solve_direct(system)
    sweeps = exact_sweeps(system, Jacobi(), -target, 1e-4)
    rate = jacobi_rate(system)
    rows = []
    for seed in SEEDS:
        found = solve(problem, dataclasses.replace(solvers.hybrid(), points=10_001), seed=seed)
        ratio = seconds_of(found) / (rate * sweeps)
        measures = found.measures
        rows.append(
            [
                seed,
                measures.hand_over_step,
                measures.sweeps,
                f"{measures.max_error_discrete:.1e}",
                f"{seconds_of(found):.1f}",
                f"{ratio:.3f}",
            ]
        )
        print(rows[-1], flush=True)
    title = f"## Size, 10,001 points, to 1e-4\n\nJacobi alone: {sweeps} sweeps at {1e6 * rate:.1f} us, {rate * sweeps:.0f} s.\n\n"
    return title + markdown(["seed", "M", "sweeps", "max error", "s", "hybrid / Jacobi"], rows)


def order() -> str:
    problem = problems.problem("poisson-four-modes")
    rows: list[list[object]] = []
    for seed in SEEDS:
        hybrid = dataclasses.replace(solvers.hybrid(), hand_over=800, watch_every=5)
        rows.append([f"network, seed {seed}, steps", *settled(solve(problem, hybrid, seed=seed), "step", 800)])
    rows.append(["jacobi, sweeps", *settled(solve(problem, solvers.jacobi()), "sweeps", 10**6)])
    return "## Order in which Delta_F falls below 0.1\n\n" + markdown(["", "k = 3.14", "k = 9.42", "k = 25.1"], rows)


def settled(solution: Solution, clock: str, until: int) -> tuple[int | None, ...]:
    """When each peak's Delta_F fell below 0.1 for good, in rows up to `until` of the clock."""
    history = solution.history
    columns = [name for name in history.columns if name.startswith("delta_f[")]
    sweeps = np.nan_to_num(history["sweeps"])
    watched = (history[clock] <= until) & ((sweeps == 0) | (clock == "sweeps"))
    errors = np.stack([history[name][watched] for name in columns], axis=1)
    known = ~np.isnan(errors).any(axis=1)
    return converged_at(history[clock][watched][known], errors[known], 0.1)


def cube() -> str:
    problem = problems.problem("poisson-four-modes-3d")
    assert isinstance(problem, Elliptic)
    system = problem.discretise(space_grid(problem, 129))
    started = time.perf_counter()
    target = solve_direct(system)
    direct = time.perf_counter() - started
    zero = np.zeros(system.grid.shape)
    sweeps = exact_sweeps(system, Jacobi(), -target, 1e-3)
    rate = jacobi_rate(system, 5.0)
    rows: list[list[object]] = [["jacobi (rate x exact sweeps)", sweeps, f"{rate * sweeps:.1f}", "1.00"]]
    krylov = cg(system, zero, tolerance=1e-3, target=target)
    rows.append(["cg", krylov.sweeps, f"{krylov.seconds:.1f}", f"{krylov.seconds / (rate * sweeps):.3f}"])
    started = time.perf_counter()
    preconditioned = cg(system, zero, tolerance=1e-3, target=target, preconditioner=multigrid_cycle(system))
    elapsed = time.perf_counter() - started
    rows.append(["cg, multigrid cycle", preconditioned.sweeps, f"{elapsed:.1f}", f"{elapsed / (rate * sweeps):.3f}"])
    rows.append(["direct (sine transform)", "-", f"{direct:.1f}", f"{direct / (rate * sweeps):.3f}"])
    first = solvers.hybrid().first
    assert isinstance(first, solvers.Neural)
    # A smaller network with larger steps than in 1-D: points cost more here, and the low modes need fewer units.
    first = dataclasses.replace(
        first,
        network=MLP(width=32, depth=2, activation=Sine(), init=Spread(2.0)),
        training=dataclasses.replace(first.training, optimizer=Adam(1e-2), steps=400),
    )
    hybrid = dataclasses.replace(solvers.hybrid(), first=first, points=129, tolerance=1e-3)
    for seed in range(3):
        found = solve(problem, hybrid, seed=seed)
        seconds, measures = seconds_of(found), found.measures
        name = f"hybrid, seed {seed}, M = {measures.hand_over_step}, max error {measures.max_error_discrete:.1e}"
        rows.append([name, measures.sweeps, f"{seconds:.1f}", f"{seconds / (rate * sweeps):.3f}"])
        print(rows[-1], flush=True)
    return "## Cube, 129^3 points, to 1e-3\n\n" + markdown(["method", "sweeps", "s", "/ Jacobi"], rows)


PARTS = {"hand-over": hand_over, "size": size, "order": order, "cube": cube}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sections = [PARTS[name]() for name in options.parts.split(",")]
    text = "\n\n".join(
        ["# Hybrid: network, then Jacobi", describe("cpu", options.threads, ("torch", "numpy", "scipy")), *sections]
    )
    options.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
