"""What the benchmarks of whole solves share: their options, and comparisons that go on where they stopped."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from machine import describe

from pdekit.comparison import Comparison, Lines, compare
from pdekit.problem import Problem
from pdekit.solver import Solver
from pdekit.stopwatch import Clock


def options(script: Path, text: str, what: str, names: Sequence[str]) -> argparse.Namespace:
    """The command line: which ones, how long, where."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(f"--{what}", dest="names", default=",".join(names), help="names, separated by commas")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each whole solve")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=[clock.value for clock in Clock], default=Clock.WALL.value)
    parser.add_argument("--work", type=Path, default=Path("runs") / script.stem, help="folder of finished runs")
    parser.add_argument("--out", type=Path, default=script.with_suffix(".md"))
    found = parser.parse_args()
    unknown = set(found.names.split(",")) - set(names)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    os.environ["OMP_NUM_THREADS"] = str(found.threads)
    return found


def compared(name: str, problem: Problem, entries: Mapping[str, Solver], given: argparse.Namespace) -> Comparison:
    """One comparison with its own folder, in which finished runs are kept."""
    return compare(
        problem,
        entries,
        seconds=given.seconds,
        seeds=[int(seed) for seed in given.seeds.split(",")],
        out=given.work / name,
        threads=given.threads,
        clock=Clock(given.clock),
        observer=Lines(sys.stderr),
    )


def origin(given: argparse.Namespace) -> str:
    """Where the numbers come from."""
    return describe("cpu", given.threads, ("torch", "numpy", "scipy", "deepxde"))
