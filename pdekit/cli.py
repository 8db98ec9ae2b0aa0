"""The command `pdekit`: arguments in, results on stdout, everything else on stderr, outcome in the exit code."""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
import os
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NoReturn, TextIO

if TYPE_CHECKING:
    from .commands import Output

# Nothing heavy is imported before the arguments are known to be good: `pdekit --help` answers at once.

FAILURE: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
_FIGURES: Final = ("field", "error", "spectrum", "examples", "resolutions", "history", "bands")

_CODES = """
exit codes:
  0  success            2  usage: unknown name or option, wrong value
  1  failure            3  ran, but did not meet the tolerance or is not trusted
  130, 143  interrupted by SIGINT, SIGTERM, after saving
"""
_EXAMPLES = """
examples:
  pdekit problems
  pdekit show pinn
  pdekit solve poisson-four-modes --solver hybrid --out runs/demo
  pdekit solve poisson-sine --solver pinn --set k=2 --set width=32 --steps 2000 --seed 1 --json
  pdekit export runs/demo u.vtu
  pdekit solve darcy-family --solver fno --out runs/darcy
  pdekit predict runs/darcy coefficients.npz --out pressures.npz
  pdekit compare poisson-sine --solvers pinn,deep-ritz,finite-difference --seconds 20
  pdekit phenomena run freq-sin-three-modes
"""
_PHENOMENA_EXAMPLES = """
examples:
  pdekit phenomena list --chapter 4
  pdekit phenomena run freq-sin-three-modes freq-parity
  pdekit phenomena run all --size quick --out runs/phenomena

Every experiment gets a folder DIR/NAME with finding.json, arrays.npz and its figures; DIR/index.md shows them all. What
DIR already holds of the same configuration, seeds, data and code is not run again: an interrupted `run all` goes on.
"""
_COMPARE_EXAMPLES = """
examples:
  pdekit compare poisson-sine --solvers pinn,deep-ritz,hybrid,finite-difference --seconds 30 --out runs/compare
  pdekit compare poisson-sine --set k=4 --solvers fourier,wide=fourier --set wide.width=100 --seeds 0 --json
  pdekit compare my_problem.py:MyProblem --solvers deep-ritz,random-features

Every run is a process of its own and has the same seconds: building, training, solving, not the start of Python. --set
takes options of the problem (k=4) or, behind its label, of a solver (pinn.width=32). What DIR already holds of the same
problem, solver, seed and terms is not run again, failures excepted: an interrupted comparison goes on.
Exit code 3 says that some runs failed, 1 that none came to an answer; solvers that do not apply are told and left out.
"""
_SOLVE_EXAMPLES = """
examples:
  pdekit solve poisson-four-modes --solver hybrid --out runs/demo
  pdekit solve poisson-sine --solver pinn --set k=2 --set network.width=32 --rtol 1e-3
  pdekit solve my_problem.py:MyProblem --solver deep-ritz --seconds 60 --json
  pdekit solve darcy-family --solver fno --set points=16 --data data --out runs/darcy
  pdekit solve --config runs/demo/config.toml --seed 1 --out runs/again
  pdekit solve --resume runs/demo --seconds 600

--set takes the options that `pdekit show NAME` lists, of the problem or the solver; a short name means the shallowest
option of that name, a dotted one is exact. The command line goes before --config, that before the defaults.
PROBLEM is a name of `pdekit problems`, or file.py:Name for a problem, class or function in a file of your own.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments without the program's name; those of the process by default.

    Returns:
        The exit code.
    """
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as ended:  # argparse has printed what it had to say
        return ended.code if isinstance(ended.code, int) else USAGE
    if arguments.command is None:
        parser.print_usage(sys.stderr)
        return USAGE
    try:
        with warnings.catch_warnings():
            _show_warnings_in_one_line(quiet=getattr(arguments, "quiet", False))
            return _run(arguments)
    except BrokenPipeError:  # the reader of stdout has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE


def _run(arguments: argparse.Namespace) -> int:
    from .errors import ConfigError, UnknownNameError
    from .interrupt import Interrupted

    try:
        commands = importlib.import_module(f".{arguments.module}", __package__)
        output: Output = getattr(commands, arguments.function)(arguments)
        print(json.dumps(output.data, indent=2, allow_nan=False) if arguments.json else output.text)
        if output.note and not arguments.json:
            _say(output.note)
        sys.stdout.flush()
        return output.code
    except (ConfigError, UnknownNameError) as error:
        return _fail(arguments, error, USAGE)
    except Interrupted as interrupted:
        _say(f"interrupted: {interrupted}{_how_to_go_on(arguments)}")
        return interrupted.exit_code
    except KeyboardInterrupt:
        _say("interrupted: nothing was saved")
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 -- a problem of the user's own may raise anything
        return _fail(arguments, error, FAILURE)


def _fail(arguments: argparse.Namespace, error: Exception, code: int) -> int:
    from .errors import PdekitError

    if arguments.traceback:
        raise error
    known = isinstance(error, PdekitError | OSError)
    text = str(error) if known else f"{type(error).__name__}: {error} (--traceback shows where)"
    _say(f"error: {text}")
    if arguments.json:
        report = {"success": False, "error": {"kind": type(error).__name__, "message": text}}
        print(json.dumps(report, indent=2, allow_nan=False))
    return code


def _how_to_go_on(arguments: argparse.Namespace) -> str:
    if arguments.command != "solve":
        return "; the same command goes on"
    directory = arguments.resume or arguments.out
    return f"; go on with: pdekit solve --resume {directory}" if directory else "; use --out DIR to be able to resume"


def _say(text: str) -> None:
    print(" ".join(text.split()), file=sys.stderr)


def _show_warnings_in_one_line(quiet: bool) -> None:
    from .errors import PdekitWarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if not quiet:
            _say(f"warning: {message}")

    warnings.showwarning = show
    warnings.simplefilter("default", PdekitWarning)


# Arguments ---------------------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """Answers an unknown command or option with the closest one."""

    def error(self, message: str) -> NoReturn:
        """Exit with the usage and the message."""
        known = {word for parser in self._family() for word in parser._option_string_actions}
        known |= {name for parser in self._family() for name in parser._commands()}
        words = re.findall(r"invalid choice: '(\S+)'|(--[a-z-]+)", message)
        for word in ("".join(pair) for pair in words):
            close = difflib.get_close_matches(word, sorted(known - {word}), n=1)
            if close and ("invalid choice" in message or "unrecognized" in message):
                message += f"; did you mean {close[0]!r}?"
        super().error(message)

    def _commands(self) -> Mapping[str, _Parser]:
        found = [action for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        return found[0].choices if found else {}

    def _family(self) -> list[_Parser]:
        return [self, *self._commands().values()]


class _Version(argparse.Action):
    """Prints the version; read only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *rest: object) -> NoReturn:
        from importlib.metadata import version

        print(f"pdekit {version('pdekit')}")
        parser.exit()


def _parser() -> _Parser:
    parser = _Parser(
        prog="pdekit",
        description="Solve partial differential equations, with the error by frequency band and a verdict.",
        epilog=_EXAMPLES + _CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add(commands, "problems", "problems", "list the problems of the catalogue")
    _add(commands, "solvers", "solvers", "list the solvers")
    _add(commands, "show", "show", "describe a problem or a solver and list its options").add_argument("name")
    _add(commands, "doctor", "doctor", "look over this machine: versions, threads, device, compiler, known traps")
    _add_solve(commands)
    plot = _add_for_run(commands, "plot", "draw the figures of a finished run")
    plot.add_argument(
        "--out", metavar="FILE", help="one figure into this file (.png, .pdf, .svg); all into RUN if absent"
    )
    plot.add_argument("--figure", choices=_FIGURES, help="default field, of an operator examples")
    plot.set_defaults(module="family_commands")
    predict = _add_for_run(commands, "predict", "apply the operator of a finished run to input functions")
    predict.add_argument("input", metavar="FILE.npz", help="its array `inputs` is (cases, points along each axis)")
    predict.add_argument("--out", metavar="FILE.npz", required=True, help="gets `outputs`, coordinates and distances")
    predict.set_defaults(module="family_commands")
    export = _add_for_run(commands, "export", "write the solution of a finished run as .vtu, .csv or .npz")
    export.add_argument("file", metavar="FILE")
    _add_compare(commands)
    _add_phenomena(commands)
    return parser


def _add(
    commands: argparse._SubParsersAction[_Parser], name: str, function: str, text: str, epilog: str = ""
) -> _Parser:
    command = commands.add_parser(
        name, help=text, description=text, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.set_defaults(function=function, module="commands")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument("--traceback", action="store_true", help=argparse.SUPPRESS)
    return command


def _add_for_run(commands: argparse._SubParsersAction[_Parser], name: str, text: str) -> _Parser:
    command = _add(commands, name, name, text)
    command.add_argument("run", metavar="RUN", help="directory of the run")
    command.add_argument("--problem", metavar="PROBLEM", help="the problem, where RUN/config.toml cannot name it")
    return command


def _add_solve(commands: argparse._SubParsersAction[_Parser]) -> None:
    text = "solve a problem, or learn the solutions of a family of problems"
    command = _add(commands, "solve", "solve", text, _SOLVE_EXAMPLES + _CODES)
    command.set_defaults(module="family_commands")
    add = command.add_argument
    add("problem", nargs="?", metavar="PROBLEM", help="a name of `pdekit problems`, or file.py:Name")
    add("--solver", metavar="S", help="a name of `pdekit solvers`")
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="an option of problem or solver; repeatable")
    add("--config", metavar="FILE", help="TOML file with tables [problem], [solver], [run]")
    add("--steps", metavar="N", type=int, help="at most N optimiser steps")
    add("--seconds", metavar="T", type=float, help="at most T seconds of training")
    add("--rtol", metavar="R", type=float, help="relative L2 error that counts as success")
    add("--seed", metavar="N", type=int, help="of all random numbers (default 0)")
    add("--device", metavar="D", choices=("auto", "cpu", "cuda"), help="auto, cpu or cuda (default auto)")
    add("--dtype", choices=("float32", "float64"), help="default float64 on the CPU, float32 on CUDA")
    add("--data", metavar="DIR", help="folder of data sets, for families (default: the platform's cache)")
    place = command.add_mutually_exclusive_group()
    place.add_argument("--out", metavar="DIR", help="write the run's files and figures there")
    place.add_argument("--resume", metavar="DIR", help="continue the run in DIR")
    add("--quiet", action="store_true", help="no progress and no warnings on stderr")
    add("--verbose", action="store_true", help="progress lines also where stderr is no terminal")


def _seeds(text: str) -> tuple[int, ...]:
    """Seeds separated by commas; whoever takes them says which are allowed."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"got {text!r}, expected integers separated by commas, such as 0,1,2"
        ) from None


def _add_compare(commands: argparse._SubParsersAction[_Parser]) -> None:
    text = "set solvers beside each other, with the same time for all"
    add = _add(commands, "compare", "compare_solvers", text, _COMPARE_EXAMPLES + _CODES).add_argument
    add("problem", metavar="PROBLEM", help="a name of `pdekit problems`, or file.py:Name")
    add("--solvers", metavar="A,B,C", required=True, help="names of `pdekit solvers`, or label=name")
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="an option of problem or solver; repeatable")
    add("--seconds", metavar="T", type=float, default=60.0, help="of each whole solve (default 60)")
    add("--seeds", metavar="N,N", default="0,1,2", help="a run for each (default 0,1,2)")
    add("--threads", metavar="N", type=int, default=1, help="of each run (default 1)")
    add("--jobs", metavar="N", type=int, default=1, help="runs side by side; they disturb each other (default 1)")
    add("--clock", choices=("wall", "processor"), default="wall", help="what counts as time (default wall)")
    add("--device", metavar="D", choices=("auto", "cpu", "cuda"), default="auto", help="auto, cpu or cuda")
    add("--dtype", choices=("float32", "float64"), help="default float64 on the CPU, float32 on CUDA")
    add("--out", metavar="DIR", help="folder for runs, tables and figures")
    add("--again", action="store_true", help="make also the runs that DIR holds")
    add("--quiet", action="store_true", help="no progress and no warnings on stderr")


def _add_phenomena(commands: argparse._SubParsersAction[_Parser]) -> None:
    text = "run the experiments of the book"
    group = commands.add_parser("phenomena", help=text, description=text)
    actions = group.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = _add(actions, "list", "phenomena", "list the experiments")
    run = _add(
        actions,
        "run",
        "run_phenomena",
        "run experiments; success means that every claim of what ran holds",
        _PHENOMENA_EXAMPLES + _CODES,
    )
    for command in (listing, run):
        command.add_argument("--chapter", metavar="N", type=int, help="only this chapter's")
    add = run.add_argument
    add("names", nargs="+", metavar="NAME", help="names of `pdekit phenomena list`, or all")
    add(
        "--size", choices=("quick", "full"), default="quick", help="a minute each, or the source's size (default quick)"
    )
    add("--seed", metavar="N", type=int, default=0, help="the first of the seeds (default 0)")
    add("--seeds", metavar="N,N,...", type=_seeds, help="run these seeds, whatever an experiment's own number is")
    add("--out", metavar="DIR", default="runs/phenomena", help="folder of results (default runs/phenomena)")
    add("--data", metavar="DIR", help="folder of data sets: MNIST, CIFAR-10, image.png")
    add("--jobs", metavar="N", type=int, help="experiments side by side (default: the number of cores)")
    add("--again", action="store_true", help="run also what DIR already holds")
    add("--quiet", action="store_true", help="no progress on stderr")
