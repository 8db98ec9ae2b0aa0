"""Solvers that the frequency principle suggests, second-order training and random features, line by line.

Every row is one line of what was to be reached: an error, within a time or with so many parameters, beside the same
network trained otherwise (Adam and L-BFGS with the same seconds) and beside the first of a ladder of classical solvers
that is as good. Each run is a process of its own: `command` is its wall time from start to exit, the assessment included, and
`cpu` the processor seconds of the same; `seconds` is the time of the solve alone, on one thread of the
processor, so that a busy machine is fair to all: budgets of equal time are in these. Finished runs are kept as JSON lines beside the table and not repeated; a failure is
told in the table and tried again next time.

    python benchmarks/frequency.py [--rows poisson-sine-second-order,...] [--seeds 0,1,2,3,4] [--threads 2]
                                   [--out benchmarks/frequency.md]
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from cases import Case, Log, Result, Results, Row, classical_cases, in_a_process, verdict, with_budget
from machine import describe, markdown

SCRIPT = Path(__file__).resolve()
HEAD = ("case", "error, median", "worst", "seconds", "command", "cpu", "parameters", "steps", "MiB", "seeds")


def collect(row: Row, seeds: Sequence[int], threads: int, log: Log) -> Results:
    """Run what is missing of a row: the cases, then classical solvers up to the first that is as good as the main case."""
    runs: dict[str, list[Result]] = {}
    for case in row.cases:
        wanted = seeds[: row.seeds] if case.random else seeds[:1]
        runs[case.label] = _runs(row, case, wanted, threads, log, Results(runs))
    target = Results(runs).median(row.main.label)
    for case in classical_cases(row):
        rung = _runs(row, case, seeds[:1], threads, log, Results(runs))
        error = Results({case.label: rung}).median(case.label)
        as_good = error is not None and target is not None and error <= target
        if as_good or case.solver is row.classical[-1]:
            runs[f"{case.label}: {'as good' if as_good else 'the finest tried'}"] = rung
            break
    return Results(runs)


def _runs(row: Row, case: Case, seeds: Sequence[int], threads: int, log: Log, before: Results) -> list[Result]:
    found = []
    for seed in seeds:
        run = log.find(row, case, seed)
        if run is None:
            run = in_a_process(SCRIPT, row, case, seed, with_budget(case, before).seconds, threads)
            log.add(row, case, seed, run)
            print(row.name, case.label, seed, json.dumps(run), flush=True)
        found.append(run)
    return found


def section(row: Row, results: Results) -> str:
    """A row's table, with its claims."""
    lines = [
        _line(label, [run for run in runs if "failure" not in run]) for label, runs in results.runs.items() if runs
    ]
    failures = [
        f"- {label}: {run['failure']}" for label, runs in results.runs.items() for run in runs if "failure" in run
    ]
    claims = [f"- {verdict(claim, results)}: {claim}" for claim in row.claims]
    parts = [f"## {row.name}", row.line, markdown(HEAD, lines), "\n".join([*claims, *failures])]
    return "\n\n".join(part for part in parts if part)


def _line(label: str, runs: Sequence[Result]) -> list[str]:
    results = Results({label: runs})
    worst = results.column(label)
    numbers = [_short(results.median(label)), _short(worst[-1] if worst else None)]
    for key in ("seconds", "command", "cpu", "parameters", "steps", "mebibytes"):
        median = results.median(label, key)
        numbers.append(
            "-" if median is None else f"{median:,.1f}" if key in ("seconds", "command", "cpu") else f"{median:,.0f}"
        )
    return [label, *numbers, str(len(runs))]


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.1e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="", help="names, separated by commas; all by default")
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=SCRIPT.with_suffix(".md"))
    parser.add_argument("--case", nargs=2, metavar=("ROW", "LABEL"), help="run this one and print its result")
    parser.add_argument("--seconds", type=float)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)  # before anything imports numpy or torch
    from frequency_rows import ROWS

    seeds = [int(seed) for seed in options.seeds.split(",")]
    if options.case:
        _one(ROWS[options.case[0]], options.case[1], seeds[0], options.seconds, options.threads)
        return
    log = Log(options.out.with_suffix(".jsonl"))
    names = [name for name in options.rows.split(",") if name] or list(ROWS)
    sections = [section(ROWS[name], collect(ROWS[name], seeds, options.threads, log)) for name in names]
    origin = describe("cpu", options.threads, ("torch", "numpy", "scipy"))
    text = "\n\n".join(["# Frequency-aware solvers, second-order training, random features", origin, *sections])
    options.out.write_text(text + "\n")
    print(text)


def _one(row: Row, label: str, seed: int, seconds: float | None, threads: int) -> None:
    import torch

    from pdekit.recipe import Budget

    torch.set_num_threads(threads)
    case = next(case for case in (*row.cases, *classical_cases(row)) if case.label == label)
    print(json.dumps(case.run(seed, Budget(steps=case.steps, seconds=seconds))))


if __name__ == "__main__":
    main()
