"""Operators of families of equations: errors over test sets, at other resolutions, cost of a case, beside classical solvers.

Every row is one family, learnt by several solvers in their default configuration from the same data, beside the constant
mean of the training outputs and the classical solver on the same grid. Errors are relative L2 errors, means over the test
set; `worst case` is the largest of all. Each run is a process of its own. `train` is the wall time of the training and `cpu`
the processor time of the whole process; the data sets are made before and kept. `each` is the wall time of one case among
many, in microseconds; after `repaid` cases, data and training have been cheaper than classical solves. Finished runs are
kept as JSON lines beside the table and not repeated; a failure is told in the table and tried again next time.

    python benchmarks/operators.py [--rows darcy,...] [--seeds 0,1,2] [--threads 2] [--data DIR]
                                   [--out benchmarks/operators.md]
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cases import Log, Result, Results, in_a_process, verdict
from machine import describe, markdown

if TYPE_CHECKING:  # it imports torch, whose threads `main` sets first
    from operator_rows import OperatorRow

SCRIPT = Path(__file__).resolve()
HEAD = (
    *("solver", "error, median", "worst seed", "worst case", "finer grids", "train", "cpu", "each", "repaid"),
    *("parameters", "steps", "MiB", "seeds"),
)
_NONE = "-"


def collect(row: OperatorRow, seeds: Sequence[int], threads: int, log: Log, options: Sequence[str] = ()) -> Results:
    """Run what is missing of a row."""
    runs: dict[str, list[Result]] = {case.label: [] for case in row.cases}
    for case in row.cases:
        for seed in seeds:
            run = log.find(row, case, seed)
            if run is None:
                run = in_a_process(SCRIPT, row, case, seed, None, threads, options)
                log.add(row, case, seed, run)
                print(row.name, case.label, seed, json.dumps(run), flush=True)
            runs[case.label].append(run)
    return Results(runs)


def section(row: OperatorRow, results: Results) -> str:
    """A row's table, with its claims."""
    done = Results({label: [run for run in runs if "failure" not in run] for label, runs in results.runs.items()})
    lines = [_line(label, done) for label in done.runs]
    lines.append(["mean output", _short(_any(done, "mean predictor"))])
    classical = [_short(_any(done, "classical error")), *[_NONE] * 5, _micro(_any(done, "classical each"))]
    lines.append([f"classical: {row.main.family.solved_by}", *classical])
    failures = [
        f"- {label}: {run['failure']}" for label, runs in results.runs.items() for run in runs if "failure" in run
    ]
    claims = [f"- {verdict(claim, done)}: {claim}" for claim in row.claims]
    claims += [f"- {label}: {told}" for label in done.runs if (told := _told(label, row.told, done))]
    table = markdown(HEAD, [[*line, *[_NONE] * (len(HEAD) - len(line))] for line in lines])
    parts = [f"## {row.name}", row.line, table, "\n".join([*claims, *failures])]
    return "\n\n".join(part for part in parts if part)


def _line(label: str, results: Results) -> list[str]:
    worst, case = results.column(label), results.column(label, "case")
    finer = sorted({key for run in results.runs[label] for key in run if key.startswith("error at ")}, key=_points)
    return [
        label,
        _short(results.median(label)),
        _short(worst[-1] if worst else None),
        _short(case[-1] if case else None),
        ", ".join(f"{_short(results.median(label, key))} at {_points(key)}" for key in finer) or _NONE,
        *(_count(results.median(label, key), 1) for key in ("seconds", "cpu")),
        _micro(results.median(label, "each")),
        *(_count(results.median(label, key)) for key in ("break even", "parameters", "steps", "mebibytes")),
        str(len(results.runs[label])),
    ]


def _told(label: str, keys: Sequence[str], results: Results) -> str:
    """Medians of further numbers that a solver has."""
    found = {
        key: results.median(label, key) for key in keys if any(run.get(key) is not None for run in results.runs[label])
    }
    return ", ".join(f"{key} {value:,.3g}" for key, value in found.items() if value is not None)


def _any(results: Results, key: str) -> float | None:
    """A number that all solvers have in common."""
    return next((run[key] for runs in results.runs.values() for run in runs if run.get(key) is not None), None)


def _points(key: str) -> int:
    return int(key.rpartition(" ")[2])


def _short(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1e}"


def _count(value: float | None, digits: int = 0) -> str:
    return _NONE if value is None else f"{value:,.{digits}f}"


def _micro(seconds: float | None) -> str:
    return _NONE if seconds is None else f"{1e6 * seconds:,.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="", help="names, separated by commas; all by default")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", help="where data sets are kept; the platform's cache by default")
    parser.add_argument("--out", type=Path, default=SCRIPT.with_suffix(".md"))
    parser.add_argument("--case", nargs=2, metavar=("ROW", "LABEL"), help="run this one and print its result")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)  # before anything imports numpy or torch
    from operator_rows import ROWS, made_ready

    seeds = [int(seed) for seed in options.seeds.split(",")]
    if options.case:
        import torch

        torch.set_num_threads(options.threads)
        row, label = ROWS[options.case[0]], options.case[1]
        case = next(case for case in row.cases if case.label == label)
        print(json.dumps(case.run(seeds[0], options.data)))
        return
    log = Log(options.out.with_suffix(".jsonl"))
    names = [name for name in options.rows.split(",") if name] or list(ROWS)
    more = ["--data", options.data] if options.data else []
    sections = []
    for name in names:
        made_ready(ROWS[name], options.data)
        sections.append(section(ROWS[name], collect(ROWS[name], seeds, options.threads, log, more)))
    origin = describe("cpu", options.threads, ("torch", "numpy", "scipy"))
    text = "\n\n".join(["# Operators: families of equations solved at once", origin, *sections])
    options.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
