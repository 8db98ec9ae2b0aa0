"""The command `pdekit compare`: arguments to solvers by label, and what is printed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from .. import config as tables
from ..commands import FAILURE, NOT_MET, SUCCESS, Output, assignments
from ..errors import ConfigError, unknown_name
from ..interrupt import raising_interrupts
from ..problem import Problem
from ..solvers import solver as solver_named
from ..stopwatch import Clock
from .comparing import compare
from .observer import Lines, Silent
from .result import Comparison


def compare_solvers(arguments: argparse.Namespace) -> Output:
    """Run the comparison that the arguments describe."""
    names = _names(arguments.solvers)
    of_problem, of_solvers = _sorted(arguments.problem, names, assignments(arguments.set))
    problem: Problem = tables.problem_given(arguments.problem, of_problem)
    solvers = {label: solver_named(name, problem) for label, name in names.items()}
    for label, options in of_solvers.items():
        solvers[label] = tables.with_options(solvers[label], options, label, problem=problem)
    note = f"what had finished is in {arguments.out}" if arguments.out else "use --out DIR to keep finished runs"
    with raising_interrupts(note):
        comparison = compare(
            problem,
            solvers,
            seconds=arguments.seconds,
            seeds=_seeds(arguments.seeds),
            out=arguments.out,
            threads=arguments.threads,
            jobs=arguments.jobs,
            clock=Clock(arguments.clock),
            device=arguments.device,
            dtype=None if arguments.dtype is None else tables.DTYPES[arguments.dtype],
            again=arguments.again,
            observer=Silent() if arguments.quiet else Lines(sys.stderr),
        )
    written = f"tables, figures and runs in {arguments.out}" if arguments.out else ""
    return Output(str(comparison), comparison.to_dict(), _code(comparison), written)


def _code(comparison: Comparison) -> int:
    if not comparison.finished:
        return FAILURE
    return SUCCESS if comparison.success else NOT_MET


def _names(text: str) -> dict[str, str]:
    """Names of solvers by label: "pinn,wide=pinn" is pinn as itself and, a second time, as wide."""
    found: dict[str, str] = {}
    for part in filter(None, (word.strip() for word in text.split(","))):
        label, _, name = part.rpartition("=")
        label = label or name
        if label in found:
            raise ConfigError(f"--solvers: got {label!r} twice, expected different labels; write other={name}")
        found[label] = name
    return found


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise ConfigError(f"--seeds: got {text!r}, expected integers separated by commas, such as 0,1,2") from None


def _sorted(
    source: str, labels: Mapping[str, str], options: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """Options of the problem, and of solvers by label: "k=4" is the problem's, "pinn.width=32" a solver's."""
    known = tables.parameter_names(tables.problem_source(source))
    of_problem: dict[str, Any] = {}
    of_solvers: dict[str, dict[str, str]] = {}
    for key, value in options.items():
        first, _, rest = key.partition(".")
        if rest and first in labels:
            of_solvers.setdefault(first, {})[rest] = value
        elif key in known:
            of_problem[key] = value
        elif rest and first == tables.PROBLEM:
            of_problem[rest] = value
        else:
            raise unknown_name("--set", key, [*known, *(f"{label}.OPTION" for label in labels)])
    return of_problem, of_solvers
