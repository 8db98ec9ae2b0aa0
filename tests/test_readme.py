"""The README is true: its scripts run, its commands parse, its cheap results are what is printed, its tables are complete."""

from __future__ import annotations

import itertools
import json
import re
import runpy
import shlex
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import pytest
import torch
from pdekit.problems import CATALOGUE
from pdekit.solvers import OPERATOR_SOLVERS, SOLVERS

from pdekit.cli import _parser, main
from pdekit.solution import Flag, Status

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MOST_LINES = 15
CHEAP_SOLVERS = ("finite-difference", "multigrid")
VARYING = ("cost",)  # lines of a report that hold times


@dataclass(frozen=True)
class Block:
    """A fenced block of the README."""

    language: str
    text: str
    line: int

    @property
    def name(self) -> str:
        """What a test of it is called."""
        return f"line {self.line}"


def blocks(language: str | None = None) -> list[Block]:
    """The fenced blocks of one language, or all, in order."""
    found = re.finditer(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    every = [Block(m[1], m[2], README.count("\n", 0, m.start()) + 2) for m in found]
    return [block for block in every if language in (None, block.language)]


def commands(text: str) -> list[list[str]]:
    """Arguments of the lines that call pdekit, without the name and comments."""
    words = (shlex.split(line, comments=True) for line in text.splitlines())
    return [line[1:] for line in words if line[:1] == ["pdekit"]]


COMMANDS = [arguments for block in blocks("sh") for arguments in commands(block.text)]


def section(title: str) -> str:
    """The text under a heading of level two."""
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def first_column(text: str) -> list[str]:
    """Names in backquotes in the first column of the tables of a text."""
    return re.findall(r"^\| `([^`]+)` \|", text, flags=re.MULTILINE)


def is_cheap(arguments: list[str]) -> bool:
    """Whether a command takes a second at most, and needs no earlier run."""
    if arguments[0] == "solve":
        return any(name in arguments for name in CHEAP_SOLVERS)
    return arguments[0] in ("problems", "solvers", "show", "doctor")


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """An empty working directory with the README's own problem file, one thread, no display."""
    monkeypatch.chdir(tmp_path)
    (own,) = (block for block in blocks("python") if "class MyProblem" in block.text)
    (tmp_path / "my_problem.py").write_text(own.text, encoding="utf-8")
    threads, backend = torch.get_num_threads(), matplotlib.get_backend()
    torch.set_num_threads(1)
    matplotlib.use("Agg")
    yield tmp_path
    torch.set_num_threads(threads)
    matplotlib.use(backend)


def as_written(text: str) -> list[str]:
    """The lines of a report that do not hold times."""
    return [line for line in text.splitlines() if not line.startswith(VARYING)]


def run(script: Block, place: Path) -> None:
    """Run a block as a script, as it is written."""
    file = place / "script.py"
    file.write_text(script.text, encoding="utf-8")
    runpy.run_path(str(file), run_name="__main__")


@pytest.mark.parametrize("script", blocks("python")[1:], ids=lambda block: block.name)
def test_scripts_run(script, place):
    run(script, place)


def test_first_script_solves_prints_and_draws_in_few_lines(place, capsys):
    script, printed = blocks("python")[0], blocks("text")[0]
    assert len(script.text.splitlines()) <= MOST_LINES
    run(script, place)
    said = capsys.readouterr().out.splitlines()
    # Step and sweep counts may differ between processors, what is solved and the kind of each line may not.
    assert said[0] == printed.text.splitlines()[0]
    assert [line.split()[0] for line in said] == [line.split()[0] for line in printed.text.splitlines()]
    assert said[1].startswith("status    finished")
    assert (place / "heated.png").stat().st_size > 0


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_commands_parse(arguments):
    parsed = _parser().parse_args(arguments)
    assert parsed.command == arguments[0]


@pytest.mark.parametrize("arguments", [c for c in COMMANDS if is_cheap(c)], ids=" ".join)
def test_cheap_commands_succeed(arguments, place, capsys):
    assert main(arguments) == 0
    assert capsys.readouterr().out


def pasted() -> list[tuple[list[str], str]]:
    """Cheap commands that stand alone in their block, with the result printed right below."""
    every = blocks()
    pairs = []
    for shell, result in itertools.pairwise(every):
        found = commands(shell.text) if shell.language == "sh" else []
        if len(found) == 1 and result.language == "text" and is_cheap(found[0]):
            pairs.append((found[0], result.text))
    return pairs


@pytest.mark.parametrize(
    ("arguments", "printed"), pasted(), ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_results_are_what_is_printed(arguments, printed, place, capsys):
    main(arguments)
    assert as_written(capsys.readouterr().out) == as_written(printed)


def test_several_results_are_compared():
    assert len(pasted()) >= 3


def test_unknown_names_answer_as_written(capsys):
    (said,) = re.findall(r"^error: solver: got 'pin'.*$", README, flags=re.MULTILINE)
    assert main(["solve", "poisson-sine", "--solver", "pin"]) == 2
    assert capsys.readouterr().err.strip() == said


def test_keys_of_the_json_object_are_as_written(place, capsys):
    (listed,) = re.findall(
        r"^Keys of the JSON object of `solve`.*?: (.*?); with `--out`", README, re.MULTILINE | re.DOTALL
    )
    main(["solve", "poisson-four-modes", "--solver", "finite-difference", "--json"])
    assert re.findall(r"`(\w+)`", listed) == list(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("Solvers", list(SOLVERS)),
        ("Problems", list(CATALOGUE)),
        ("Families of problems", list(OPERATOR_SOLVERS)),
        ("Reading a Solution", [*(flag.name for flag in Flag), *(status.name for status in Status)]),
    ],
)
def test_tables_name_everything_and_nothing_else(title, names):
    assert sorted(first_column(section(title))) == sorted(names)


def test_success_by_status_is_as_written():
    rows = re.findall(r"^\| `(\w+)` \| (yes|no) \|", section("Reading a Solution"), flags=re.MULTILINE)
    assert {name for name, word in rows if word == "yes"} == {Status.CONVERGED.name, Status.FINISHED.name}
    assert len(rows) == len(Status)


def test_links_lead_to_headings():
    anchors = {
        re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-") for h in re.findall(r"^#+ (.+)$", README, re.M)
    }
    targets = re.findall(r"\]\(#([^)]+)\)", README)
    assert targets
    assert set(targets) <= anchors


def test_files_named_exist():
    for path in re.findall(r"`((?:pdekit|problems|solvers|tests|benchmarks)/[\w/]+(?:\.\w+)?/?)`", README):
        assert (ROOT / path).exists(), path
