"""Runs as plain tables, and back: which problem, which solver, under which circumstances; the content of config.toml."""

from __future__ import annotations

import dataclasses
import inspect
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import torch

from . import options as options_by_name
from .codec import KIND, Reader, encode, unknown_option
from .errors import ConfigError, ProblemMismatchError, unknown_name
from .files import missing
from .operator_problem import OperatorProblem
from .origin import Origin, made, made_family, origin
from .problem import Problem

if TYPE_CHECKING:
    import os

    from .operators import Learner
    from .solver import Setting, Solver

NAME: Final = "name"
FILE: Final = "file"
PROBLEM: Final = "problem"
SOLVER: Final = "solver"
RUN: Final = "run"
DTYPES: Final[Mapping[str, torch.dtype]] = {"float64": torch.float64, "float32": torch.float32}


@final
@dataclass(frozen=True)
class Circumstances:
    """The table [run]: what `solve` takes besides problem and solver; None leaves the choice to `solve`.

    `data` is the folder of data sets, for families of problems.
    """

    seed: int = 0
    device: str = "auto"
    dtype: str | None = None
    rtol: float | None = None
    steps: int | None = None
    seconds: float | None = None
    data: str | None = None

    def __post_init__(self) -> None:
        if self.dtype is not None and self.dtype not in DTYPES:
            raise ConfigError(f"run.dtype: got {self.dtype!r}, expected one of {', '.join(DTYPES)}")

    @property
    def torch_dtype(self) -> torch.dtype | None:
        """The element type as torch has it."""
        return None if self.dtype is None else DTYPES[self.dtype]


# To tables ---------------------------------------------------------------------------------------------------------


def to_table(problem: Problem, solver: Solver, setting: Setting) -> dict[str, Any]:
    """The resolved configuration of a solve, ready for TOML: tables problem, solver and run."""
    return {PROBLEM: problem_table(problem), SOLVER: encode(solver), RUN: _run_table(setting)}


def family_table(
    family: OperatorProblem, solver: Learner, setting: Setting, folder: str | os.PathLike[str] | None
) -> dict[str, Any]:
    """The same for the learning of an operator; `folder` is that of its data sets."""
    where = {} if folder is None else {"data": str(folder)}
    return {PROBLEM: problem_table(family), SOLVER: encode(solver), RUN: _run_table(setting) | where}


def _run_table(setting: Setting) -> dict[str, Any]:
    run = Circumstances(
        seed=setting.seed,
        device=setting.device,
        dtype=str(setting.dtype).removeprefix("torch."),
        rtol=None if setting.rtol is None else float(setting.rtol),
        steps=setting.budget.steps,
        seconds=None if setting.budget.seconds is None else float(setting.budget.seconds),
    )
    return {key: value for key, value in dataclasses.asdict(run).items() if value is not None}


def problem_table(problem: Problem | OperatorProblem) -> dict[str, Any]:
    """Name and parameters; for a problem of the user's also "file.py:Name", where a name leads to it."""
    found = origin(problem)
    table = {NAME: problem.name} | ({FILE: str(found)} if found else {})
    return table | {key: encode(value) for key, value in problem.parameters().items()}


def check_same(owner: str, now: Mapping[str, Any], then: Mapping[str, Any]) -> None:
    """Compare the tables of two problems field by field; where a file lies does not matter.

    Raises:
        ProblemMismatchError: with the first field that differs.
    """
    for key in dict.fromkeys([*now, *then]):
        if key != FILE and now.get(key) != then.get(key):
            raise ProblemMismatchError(
                f"{owner}: problem field {key!r}: got {now.get(key)!r}, expected {then.get(key)!r} as solved; "
                "pass the problem that was solved"
            )


# From tables -------------------------------------------------------------------------------------------------------


def reader(problem: Problem | None = None) -> Reader:
    """What files and command lines may name: configurations of networks, optimisers, relaxations, solvers and their parts.

    With a problem, solvers that are named are those that suit it.
    """
    from . import discrete, domain, geometry, nn, optim, sampling, solvers
    from .operators import Learner
    from .solver import Solver

    kinds: dict[str, type] = {}
    for module in (domain, geometry, discrete, sampling, nn, optim, solvers):
        for name, value in vars(module).items():
            if isinstance(value, type) and dataclasses.is_dataclass(value) and not name.startswith("_"):
                kinds[name] = value
    laws: dict[str, Callable[[], Any]] = {"glorot": nn.Glorot, "he": nn.He, "lecun": nn.LeCun}
    named: dict[type, Mapping[str, Callable[[], Any]]] = {
        nn.Activation: nn.ACTIVATIONS,
        nn.Initialisation: laws,
        Solver: {name: partial(solvers.solver, name, problem) for name in solvers.SOLVERS},
        Learner: solvers.OPERATOR_SOLVERS,
        solvers.CoarseSolve: {"coarse": solvers.CoarseSolve},
        solvers.Training: solvers.TRAININGS,
    }
    return Reader(kinds, named)


def solver_from_table(table: Mapping[str, Any], problem: Problem | None = None) -> Solver:
    """The solver that a table describes: in full, with "kind", or by "name" and what differs from its defaults.

    With a problem, the defaults are those that suit it.

    Raises:
        ConfigError, UnknownNameError: a name, key or value that does not exist or fit, with the closest.
    """
    from .solver import Solver
    from .solvers import OPERATOR_SOLVERS, SOLVERS, solver

    if KIND in table:
        described: Solver = reader().read(Solver, table, SOLVER)
        return described
    if table.get(NAME) in OPERATOR_SOLVERS:
        raise ConfigError(f"{SOLVER}: got {table[NAME]!r}, which learns families, expected one of {', '.join(SOLVERS)}")
    changes = {key: value for key, value in table.items() if key != NAME}
    updated: Solver = reader(problem).updated(solver(_named(table, SOLVER), problem), changes, SOLVER)
    return updated


def learner_from_table(table: Mapping[str, Any]) -> Learner:
    """The solver of families that a table describes, as `solver_from_table`."""
    from .operators import Learner
    from .solvers import OPERATOR_SOLVERS, SOLVERS, operator_solver

    if KIND in table:
        described: Learner = reader().read(Learner, table, SOLVER)
        return described
    if table.get(NAME) in SOLVERS:
        choices = ", ".join(OPERATOR_SOLVERS)
        raise ConfigError(f"{SOLVER}: got {table[NAME]!r}, which solves single problems, expected one of {choices}")
    changes = {key: value for key, value in table.items() if key != NAME}
    updated: Learner = reader().updated(operator_solver(_named(table, SOLVER)), changes, SOLVER)
    return updated


def problem_from_table(table: Mapping[str, Any]) -> Problem:
    """The problem that a table describes by "name" (of the catalogue) or "file" (file.py:Name), and parameters.

    Raises:
        ConfigError, UnknownNameError, ProblemError, FileNotFoundError: what is wrong, with the closest.
    """
    parameters = {key: value for key, value in table.items() if key not in (NAME, FILE)}
    return problem_given(str(table[FILE]) if FILE in table else _named(table, PROBLEM), parameters)


def family_from_table(table: Mapping[str, Any]) -> OperatorProblem:
    """The family that a table describes, as `problem_from_table`."""
    parameters = {key: value for key, value in table.items() if key not in (NAME, FILE)}
    return family_given(str(table[FILE]) if FILE in table else _named(table, PROBLEM), parameters)


def problem_source(text: str) -> Problem | Callable[..., object]:
    """What "poisson-sine" or "file.py:Name" stands for: a problem, or a class or function that makes one.

    Raises:
        UnknownNameError: no such name, with the closest.
        ProblemError, FileNotFoundError: as `pdekit.origin.Origin.load`.
    """
    found = Origin.parsed(text)
    if found is None:
        return _catalogue_class(text)
    value = found.load()
    if isinstance(value, OperatorProblem):
        raise _is_family(text)
    return value


def problem_given(text: str, parameters: Mapping[str, Any]) -> Problem:
    """The problem that "poisson-sine" or "file.py:Name" and parameters, as plain data or text, stand for.

    Raises:
        ConfigError, UnknownNameError, ProblemError, FileNotFoundError: what is wrong, with the closest.
    """
    source = problem_source(text)
    if isinstance(source, Problem):
        changed: Problem = reader().updated(source, parameters, text, text=True) if parameters else source
        return changed
    if isinstance(source, type) and dataclasses.is_dataclass(source):
        built: Problem = reader().build(source, parameters, text, text=True)
        return built
    for key in parameters:
        if key not in parameter_names(source):
            raise unknown_option(text, key, parameter_names(source))
    return made(text, source, **parameters)


def family_source(text: str) -> OperatorProblem | Callable[..., object] | None:
    """What "darcy-family" or "file.py:Name" stands for, if it is a family or a class of families; else None."""
    from .problems import FAMILIES

    if text in FAMILIES:
        return FAMILIES[text]
    found = Origin.parsed(text)
    value = None if found is None else found.load()
    if isinstance(value, OperatorProblem) or (isinstance(value, type) and issubclass(value, OperatorProblem)):
        return value
    return None


def family_given(text: str, parameters: Mapping[str, Any]) -> OperatorProblem:
    """The family that "darcy-family" or "file.py:Name" and parameters, as plain data or text, stand for.

    Raises:
        ConfigError, UnknownNameError, ProblemError, FileNotFoundError: what is wrong, with the closest.
    """
    from .problems import FAMILIES

    source = family_source(text)
    if source is None:
        raise unknown_name("family", text, FAMILIES)
    if isinstance(source, OperatorProblem):
        changed: OperatorProblem = reader().updated(source, parameters, text, text=True) if parameters else source
        return changed
    if isinstance(source, type) and dataclasses.is_dataclass(source):
        built: OperatorProblem = reader().build(source, parameters, text, text=True)
        return built
    return made_family(text, source, **parameters)


def _catalogue_class(name: str) -> type[Problem]:
    from .problems import CATALOGUE, FAMILIES

    if name in FAMILIES:
        raise _is_family(name)
    if name not in CATALOGUE:
        raise unknown_name(PROBLEM, name, CATALOGUE)
    return CATALOGUE[name]


def _is_family(name: str) -> ConfigError:
    return ConfigError(
        f"{PROBLEM}: got {name!r}, a family of problems, expected a single one; families take solvers that learn operators"
    )


def _named(table: Mapping[str, Any], what: str) -> str:
    name = table.get(NAME)
    if not isinstance(name, str):
        raise ConfigError(f"{what}: got no {NAME!r} among {sorted(table)}, expected the name of a {what}")
    return name


# Options and files -------------------------------------------------------------------------------------------------


@final
@dataclass(frozen=True)
class Options:
    """Options of a command line, sorted by what they belong to."""

    problem: dict[str, Any] = field(default_factory=dict)
    solver: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)


def with_options(
    value: Any,
    options: Mapping[str, Any],
    owner: str = SOLVER,
    also: Iterable[str] = (),
    problem: Problem | None = None,
) -> Any:
    """A configuration with options replaced by name; see `pdekit.options.with_options`.

    >>> from .optim import Adam
    >>> with_options(Adam(), {"learning_rate": "1e-2"})
    Adam(learning_rate=0.01, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0)
    """
    return options_by_name.with_options(value, options, reader(problem), owner, also)


def split_options(
    source: Problem | OperatorProblem | Callable[..., object], solver: Solver | Learner, options: Mapping[str, Any]
) -> Options:
    """Sort options into those of the problem, of the solver and of the run; "problem.k" and "solver.k" are explicit.

    Args:
        source: the problem, or what makes it.
        solver: the solver before the options are applied.
        options: by name.

    Raises:
        ConfigError: nobody has such an option, with the closest; or both problem and solver have it.
    """
    sorted_ = Options()
    of_problem, of_run = parameter_names(source), {f.name for f in dataclasses.fields(Circumstances)}
    unplaced: dict[str, Any] = {}
    for key, value in options.items():
        prefix, _, rest = key.partition(".")
        if rest and prefix in (PROBLEM, SOLVER, RUN):
            {PROBLEM: sorted_.problem, SOLVER: sorted_.solver, RUN: sorted_.run}[prefix][rest] = value
        elif key not in of_problem:
            unplaced[key] = value
        elif options_by_name.find(solver, key, SOLVER) is not None:
            raise ConfigError(f"option {key!r}: both problem and solver have it; write problem.{key} or solver.{key}")
        else:
            sorted_.problem[key] = value
    # A solver's option may exist only once another is applied (network=resnet), so the run's are sorted out first.
    for key, value in unplaced.items():
        mine = key in of_run and options_by_name.find(solver, key, SOLVER) is None
        (sorted_.run if mine else sorted_.solver)[key] = value
    return sorted_


def parameter_names(source: Problem | OperatorProblem | Callable[..., object]) -> tuple[str, ...]:
    """Names of the parameters that a problem or family has, or that a class or function takes."""
    if isinstance(source, Problem | OperatorProblem):
        return tuple(source.parameters())
    if isinstance(source, type) and dataclasses.is_dataclass(source):
        return tuple(f.name for f in dataclasses.fields(source) if f.init)
    return tuple(inspect.signature(source).parameters)


def read_config(path: Path) -> dict[str, dict[str, Any]]:
    """The tables problem, solver and run of a TOML file; a bare name may stand for the first two.

    Raises:
        FileNotFoundError: with the nearest existing path.
        ConfigError: no TOML, or unknown keys, with the closest.
    """
    if not path.is_file():
        raise missing("config", path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"config {str(path)!r}: got no valid TOML: {error}") from error
    tables: dict[str, dict[str, Any]] = {}
    for key, value in content.items():
        if key not in (PROBLEM, SOLVER, RUN):
            raise unknown_option(f"config {str(path)!r}", key, (PROBLEM, SOLVER, RUN))
        named = isinstance(value, str) and key != RUN
        if not named and not isinstance(value, dict):
            raise ConfigError(f"config {str(path)!r}: {key}: got {value!r}, expected a table [{key}]")
        tables[key] = {FILE if Origin.parsed(value) else NAME: value} if named else value
    found = Origin.parsed(str(tables.get(PROBLEM, {}).get(FILE, "")))
    if found is not None:  # relative to the file that says so
        tables[PROBLEM][FILE] = str(Origin(path.absolute().parent / found.file, found.name))
    return tables
