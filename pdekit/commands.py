"""The shell's commands as functions: each takes the parsed arguments and returns what is to be printed."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from . import config as tables
from .codec import encode
from .config import Circumstances
from .errors import ConfigError, NotApplicableError, unknown_name
from .operator_problem import OperatorProblem
from .operators import Learner
from .options import listing
from .origin import Origin
from .problem import Problem
from .progress import Quiet, progress_for
from .recipe import Budget
from .report import as_json, plain
from .rundir import RunDirectory
from .solution import Solution
from .solver import Solver, solve
from .storage import load, stored_problem, stored_solver

SUCCESS: Final = 0
FAILURE: Final = 1
NOT_MET: Final = 3
"""The run ended, but did not meet the tolerance or is not trusted."""


@final
@dataclass(frozen=True)
class Output:
    """What a command has to say.

    Args:
        text: for people.
        data: the same for programs.
        code: exit code.
        note: where files went, for people who watch; it goes to stderr.
    """

    text: str
    data: Mapping[str, Any]
    code: int = SUCCESS
    note: str = ""


# Listings ----------------------------------------------------------------------------------------------------------


def problems(arguments: argparse.Namespace) -> Output:
    """The catalogue: single problems, then families of problems."""
    from .problems import CATALOGUE, FAMILIES

    single, families = _listed(CATALOGUE), _listed(FAMILIES)
    lines = [(_call(row["name"], row["parameters"]), row["hard_because"]) for row in (*single, *families)]
    columns = _columns(lines).splitlines()
    heading = "families, to learn the map from input functions to solutions of:"
    text = "\n".join([*columns[: len(single)], "", heading, *columns[len(single) :]])
    return Output(text, {"problems": single, "families": families})


def _listed(kinds: Mapping[str, type[Problem] | type[OperatorProblem]]) -> list[dict[str, Any]]:
    return [
        {"name": name, "parameters": plain(_defaults(kind)), "hard_because": kind.hard_because}
        for name, kind in kinds.items()
    ]


def solvers(arguments: argparse.Namespace) -> Output:
    """The solvers of single problems, then those of families."""
    from .solvers import OPERATOR_SOLVERS, SOLVERS

    single, operators = (
        [{"name": name, "summary": _summary(factory)} for name, factory in registry.items()]
        for registry in (SOLVERS, OPERATOR_SOLVERS)
    )
    columns = _columns([(row["name"], row["summary"]) for row in (*single, *operators)]).splitlines()
    heading = "solvers of families, which learn the map from input functions to solutions:"
    text = "\n".join([*columns[: len(single)], "", heading, *columns[len(single) :]])
    return Output(text, {"solvers": single, "operator_solvers": operators})


def show(arguments: argparse.Namespace) -> Output:
    """A problem, a family or a solver: what it is, and its options."""
    from .problems import CATALOGUE, FAMILIES
    from .solvers import OPERATOR_SOLVERS, SOLVERS

    if arguments.name in SOLVERS:
        return _show_solver(arguments.name)
    if arguments.name in OPERATOR_SOLVERS:
        return _show_operator_solver(arguments.name)
    if arguments.name in FAMILIES:
        return _show_family(arguments.name)
    if arguments.name not in CATALOGUE and Origin.parsed(arguments.name) is None:
        raise unknown_name("show", arguments.name, [*CATALOGUE, *FAMILIES, *SOLVERS, *OPERATOR_SOLVERS])
    source = tables.problem_source(arguments.name)
    kind = type(source) if isinstance(source, Problem) else source
    parameters = source.parameters() if isinstance(source, Problem) else _defaults(source)
    text = inspect.getdoc(kind) or ""
    options = [(key, f"{value}") for key, value in plain(parameters).items()]
    data = {"problem": arguments.name, "parameters": plain(parameters), "description": text}
    return Output("\n".join([arguments.name, "", text, *_options(options)]), data)


def _show_family(name: str) -> Output:
    from .problems import FAMILIES

    kind = FAMILIES[name]
    text, parameters = inspect.getdoc(kind) or "", plain(_defaults(kind))
    options = [(key, f"{value}") for key, value in parameters.items()]
    data = {"family": name, "parameters": parameters, "description": text}
    return Output("\n".join([name, "", text, *_options(options)]), data)


def _show_solver(name: str) -> Output:
    from .solvers import SOLVERS

    solver, text = SOLVERS[name](), inspect.getdoc(SOLVERS[name]) or ""
    options = listing(solver)
    data = {"solver": name, "description": text, "options": options, "config": encode(solver)}
    return Output("\n".join([name, "", text, *_options([(key, f"{value}") for key, value in options.items()])]), data)


def _show_operator_solver(name: str) -> Output:
    from .problems import FAMILIES
    from .solvers import OPERATOR_SOLVERS

    solver, text = OPERATOR_SOLVERS[name](), inspect.getdoc(OPERATOR_SOLVERS[name]) or ""
    options, reasons = listing(solver), {family: _reason(solver, kind) for family, kind in FAMILIES.items()}
    taken = [family for family, reason in reasons.items() if reason is None]
    data = {
        "operator_solver": name,
        "description": text,
        "families": taken,
        "refused": {family: reason for family, reason in reasons.items() if reason is not None},
        "options": options,
        "config": encode(solver),
    }
    rows = [(key, f"{value}") for key, value in options.items()]
    return Output("\n".join([name, "", text, "", f"families: {', '.join(taken)}", *_options(rows)]), data)


def _reason(solver: Learner, kind: type[OperatorProblem]) -> str | None:
    """Why a solver does not take a family as it is by default; None if it does."""
    try:
        solver.require(kind())
    except NotApplicableError as error:
        return str(error)
    return None


def doctor(arguments: argparse.Namespace) -> Output:
    """This machine."""
    from . import doctor as examination

    findings = examination.examine()
    return Output(examination.as_text(findings), examination.as_table(findings))


# Runs --------------------------------------------------------------------------------------------------------------


@final
@dataclass(frozen=True)
class _Job:
    """A solve that is fully specified."""

    problem: Problem
    solver: Solver
    circumstances: Circumstances


def solve_problem(arguments: argparse.Namespace) -> Output:
    """Solve, write the run's files and figures, report."""
    job = _fresh(arguments) if arguments.resume is None else _resumed(arguments)
    # Last, so that no directory appears for a command that cannot work.
    with directory(arguments) as run:
        solution = _solved(job, run, arguments)
        note, data = "", as_json(solution)
        if run is not None:
            from .plot import write_figures

            figures = write_figures(solution, run.path)
            note = f"run in {run.path}, with {', '.join(path.name for path in figures) or 'no figures'}"
            data |= {"run": str(run.path), "figures": [str(path) for path in figures]}
    return Output(str(solution), data, SUCCESS if solution.success else NOT_MET, note)


def plot(arguments: argparse.Namespace) -> Output:
    """Draw a finished run's figures."""
    solution = _loaded(arguments)
    if arguments.out is None:
        from .plot import write_figures

        written = write_figures(solution, arguments.run)
    else:
        from .plot_style import save_figure

        drawn = {
            "field": solution.plot,
            "error": solution.plot_error,
            "history": solution.plot_history,
            "spectrum": solution.plot_spectrum,
            "bands": solution.plot_bands,
        }
        draw = drawn.get(arguments.figure or "field")
        if draw is None:
            raise ConfigError(f"--figure: got {arguments.figure!r}, expected one of {', '.join(drawn)} for a solution")
        written = [save_figure(draw().figure, Path(arguments.out))]
    return Output("\n".join(map(str, written)), {"figures": [str(path) for path in written]})


def export(arguments: argparse.Namespace) -> Output:
    """Write a finished run's values in another format."""
    from .export import export as write

    path = write(_loaded(arguments), Path(arguments.file))
    return Output(str(path), {"file": str(path)})


def _solved(job: _Job, run: RunDirectory | None, arguments: argparse.Namespace) -> Solution:
    now = job.circumstances
    return solve(
        job.problem,
        job.solver,
        budget=Budget(now.steps, now.seconds),
        seed=now.seed,
        device=now.device,
        dtype=now.torch_dtype,
        rtol=now.rtol,
        run=run,
        resume=arguments.resume is not None,
        progress=Quiet() if arguments.quiet else progress_for(sys.stderr, verbose=arguments.verbose),
        study=run is not None,
        interrupts=True,
    )


def directory(arguments: argparse.Namespace) -> AbstractContextManager[RunDirectory | None]:
    """The run's directory: that of an earlier run, a new one, or none."""
    if arguments.resume is not None:
        return RunDirectory.open(arguments.resume)
    return nullcontext() if arguments.out is None else RunDirectory.create(arguments.out)


def _loaded(arguments: argparse.Namespace) -> Solution:
    given = None if arguments.problem is None else tables.problem_given(arguments.problem, {})
    return load(arguments.run, given)


def _fresh(arguments: argparse.Namespace) -> _Job:
    """A new run: command line over file over defaults."""
    file = tables.read_config(Path(arguments.config)) if arguments.config else {}
    problem_table = table_of(file, tables.PROBLEM, arguments.problem)
    solver_table = table_of(file, tables.SOLVER, arguments.solver)
    source_text = str(problem_table.get(tables.FILE) or problem_table[tables.NAME])
    source, base = tables.problem_source(source_text), tables.solver_from_table(solver_table)
    options = tables.split_options(source, base, assignments(arguments.set))
    fixed = {key: value for key, value in problem_table.items() if key not in (tables.NAME, tables.FILE)}
    problem = tables.problem_given(source_text, fixed | options.problem)
    also = (*tables.parameter_names(source), *(f.name for f in dataclasses.fields(Circumstances)))
    base = tables.solver_from_table(solver_table, problem)  # its defaults may depend on the problem
    solver = tables.with_options(base, options.solver, also=also, problem=problem)
    now = circumstances_of({**file.get(tables.RUN, {}), **options.run}, arguments)
    return _Job(problem, solver, now)


def _resumed(arguments: argparse.Namespace) -> _Job:
    """The run of a directory again; budget, tolerance and device may change, problem and solver may not."""
    refuse_with_resume(arguments)
    run = RunDirectory.view(arguments.resume)
    config = run.read_config()
    given = None if arguments.problem is None else tables.problem_given(arguments.problem, {})
    problem, solver = stored_problem(run, config, given), stored_solver(run, config)
    return _Job(problem, solver, circumstances_of(config.get(tables.RUN, {}), arguments))


def refuse_with_resume(arguments: argparse.Namespace) -> None:
    """Raise ConfigError for options that a resumed run takes from its config.toml."""
    for flag in ("solver", "set", "config", "out"):
        if getattr(arguments, flag):
            raise ConfigError(
                f"--{flag}: got it together with --resume, which takes problem and solver from "
                f"{arguments.resume}/config.toml; leave it out"
            )


def table_of(file: Mapping[str, Mapping[str, Any]], key: str, given: str | None) -> Mapping[str, Any]:
    """The file's table, or a new one for a name given on the command line; one of the two must be there."""
    table = file.get(key)
    if given is None and table is None:
        what = f"{'PROBLEM' if key == tables.PROBLEM else '--solver'}"
        raise ConfigError(f"solve: got no {key}, expected {what} or a table [{key}] in --config; see `pdekit {key}s`")
    if given is None or (table is not None and given in (table.get(tables.NAME), table.get(tables.FILE))):
        return table or {}
    return {tables.FILE if given.rpartition(":")[0].endswith(".py") else tables.NAME: given}


def circumstances_of(table: Mapping[str, Any], arguments: argparse.Namespace) -> Circumstances:
    """The circumstances of a solve: the command line's over those of a table."""
    flags = {f.name: getattr(arguments, f.name) for f in dataclasses.fields(Circumstances)}
    given = {key: value for key, value in flags.items() if value is not None}
    built: Circumstances = tables.reader().build(Circumstances, {**table, **given}, tables.RUN, text=True)
    return built


def assignments(texts: list[str]) -> dict[str, str]:
    """key=value by key."""
    options: dict[str, str] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise ConfigError(f"--set: got {text!r}, expected key=value, such as width=64")
        options[key.strip()] = value.strip()
    return options


# Comparisons -------------------------------------------------------------------------------------------------------


def compare_solvers(arguments: argparse.Namespace) -> Output:
    """Compare solvers."""
    from .comparison.command import compare_solvers as run

    return run(arguments)


# Phenomena ---------------------------------------------------------------------------------------------------------


def phenomena(arguments: argparse.Namespace) -> Output:
    """The experiments."""
    from .phenomena import registry

    found = registry.experiments(arguments.chapter)
    rows = [{"id": e.id, "chapter": e.chapter, "source": e.source, "title": e.title} for e in found]
    return Output(_columns([(e.id, f"{e.title} ({e.source})") for e in found]), {"experiments": rows})


def run_phenomena(arguments: argparse.Namespace) -> Output:
    """Run experiments; their claims are the result."""
    from .interrupt import raising_interrupts
    from .phenomena import Size, Verdict, index, observer, run

    with raising_interrupts(f"what had finished is in {arguments.out}"):
        report = run(
            arguments.names,
            size=Size[arguments.size.upper()],
            seed=arguments.seed,
            seeds=arguments.seeds,
            out=arguments.out,
            data=arguments.data,
            jobs=arguments.jobs,
            chapter=arguments.chapter,
            again=arguments.again,
            observer=observer.Silent() if arguments.quiet else observer.Console(sys.stderr),
        )
    verdicts = {outcome.verdict for outcome in report.outcomes}
    code = SUCCESS if report.success else FAILURE if Verdict.ERROR in verdicts else NOT_MET
    data = {
        "success": report.success,
        "experiments": [dict(outcome.record) for outcome in report.outcomes],
        "index": str(report.index),
    }
    return Output(index.as_text(report.outcomes), data, code, f"index in {report.index}")


# Text --------------------------------------------------------------------------------------------------------------


def _defaults(source: object) -> dict[str, Any]:
    """Parameters with their defaults; None for one that must be given."""
    if not callable(source):
        return {}
    empty = inspect.Parameter.empty
    found = inspect.signature(source).parameters
    return {name: None if p.default is empty else p.default for name, p in found.items()}


def _call(name: str, parameters: Mapping[str, Any]) -> str:
    inside = ", ".join(f"{key}={value}" for key, value in parameters.items())
    return f"{name}({inside})" if inside else name


def _summary(source: object) -> str:
    return (inspect.getdoc(source) or "").partition("\n")[0]


def _columns(rows: list[tuple[str, str]]) -> str:
    width = max((len(first) for first, _ in rows), default=0)
    return "\n".join(f"{first:<{width}}  {second}".rstrip() for first, second in rows)


def _options(rows: list[tuple[str, str]]) -> list[str]:
    return ["", "options (--set key=value):", _columns([(f"  {key}", value) for key, value in rows])] if rows else []
