"""Configurations as tables and options: what goes in comes out, and what cannot be is refused by name."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import tomli_w
from pdekit.problems import CATALOGUE, EllipticThreeScale, Helmholtz, PoissonND, PoissonSine, Variant

import pdekit
from pdekit import config, nn, optim, solvers
from pdekit.codec import Reader, encode
from pdekit.domain import Box
from pdekit.errors import ConfigError, ProblemError, UnknownNameError
from pdekit.options import listing, with_options
from pdekit.solver import Setting


def through_toml(table):
    return tomllib.loads(tomli_w.dumps(table))


# Round trips ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", solvers.SOLVERS)
def test_every_solver_survives_a_toml_file(name):
    solver = solvers.solver(name)
    assert config.solver_from_table(through_toml(encode(solver))) == solver


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_problem_survives_a_toml_file(name):
    problem = CATALOGUE[name]()
    assert config.problem_from_table(through_toml(config.problem_table(problem))) == problem


@pytest.mark.parametrize(
    "problem", [PoissonSine(k=7), PoissonND(4, Variant.CENTRED_SINE), Helmholtz(dim=2), EllipticThreeScale(0.2, 0.05)]
)
def test_parameters_survive_a_toml_file(problem):
    assert config.problem_from_table(through_toml(config.problem_table(problem))) == problem


@pytest.mark.parametrize("name", solvers.SOLVERS)
def test_every_listed_option_is_accepted_as_text(name):
    """What `pdekit show` lists can be given back with `--set`, and changes nothing."""
    solver = solvers.solver(name)
    for key, value in listing(solver).items():
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        assert config.with_options(solver, {key: text}) == solver, key


def test_the_table_holds_the_circumstances():
    setting = Setting(budget=pdekit.Budget(steps=10, seconds=2), seed=3, rtol=1e-3)
    table = config.to_table(PoissonSine(), solvers.solver("pinn"), setting)
    assert table["run"] == {
        "seed": 3,
        "device": "cpu",
        "dtype": "float64",
        "rtol": 1e-3,
        "steps": 10,
        "seconds": 2.0,
    }
    assert through_toml(table) == table


@dataclass(frozen=True)
class Limit:
    steps: int | None = 7


def test_none_differs_from_absent():
    reader, table = Reader({"Limit": Limit}), through_toml(encode(Limit(None)))
    assert reader.read(Limit, table, "limit") == Limit(None)
    assert reader.read(Limit, {"kind": "Limit"}, "limit") == Limit(7)


def test_a_class_with_its_own_constructor_survives():
    box = Box((0, 0), (1, 2), ("x", "t"), "t")
    assert config.reader().read(Box, through_toml(encode(box)), "box") == box


@pytest.mark.parametrize("kind", ["os.system", "Path", "Popen", "eval", "pdekit.nn.MLP", "__import__"])
def test_a_file_names_only_known_classes(kind):
    table = {"kind": "Neural", "name": "x", "formulation": "StrongForm", "network": {"kind": kind}}
    with pytest.raises(UnknownNameError, match="MLP"):
        config.solver_from_table(table)


# Options -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Inner:
    width: int = 1
    rate: float = 0.5
    names: tuple[str, ...] = ("a",)
    pair: tuple[float, float] = (0.0, 1.0)
    limit: int | None = None
    on: bool = False


@dataclass(frozen=True)
class Middle:
    inner: Inner = field(default_factory=Inner)
    other: Inner = field(default_factory=Inner)
    depth: int = 2


@dataclass(frozen=True)
class Outer:
    middle: Middle = field(default_factory=Middle)
    parts: tuple[Middle, ...] = (Middle(), Middle())
    depth: int = 1


READER = Reader({"Inner": Inner, "Middle": Middle})


@pytest.mark.parametrize(
    ("key", "text", "path", "expected"),
    [
        ("depth", "9", "depth", 9),  # the shallowest
        ("middle.depth", "9", "middle.depth", 9),
        ("inner.width", "3", "middle.inner.width", 3),
        ("other.rate", "1e-3", "middle.other.rate", 1e-3),
        ("middle.inner.names", "a, b", "middle.inner.names", ("a", "b")),
        ("middle.inner.pair", "(1, 2.5)", "middle.inner.pair", (1.0, 2.5)),
        ("middle.inner.limit", "4", "middle.inner.limit", 4),
        ("middle.inner.limit", "none", "middle.inner.limit", None),
        ("middle.inner.on", "yes", "middle.inner.on", True),
        ("parts.1.depth", "5", "parts.1.depth", 5),
    ],
)
def test_an_option_finds_its_field(key, text, path, expected):
    value = with_options(Outer(), {key: text}, READER)
    for name in path.split("."):
        value = value[int(name)] if isinstance(value, tuple) else getattr(value, name)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": "3"}, ("ambiguous", "middle.inner.width", "middle.other.width")),
        ({"deph": "3"}, ("unknown option", "deph", "did you mean 'depth'")),
        ({"depth": "1.5"}, ("depth", "'1.5'", "an integer")),
        ({"depth": "x"}, ("depth", "'x'", "an integer")),
        ({"other.rate": "fast"}, ("rate", "'fast'", "a number")),
        ({"other.on": "maybe"}, ("on", "'maybe'", "true or false")),
        ({"other.pair": "1"}, ("pair", "1 values", "expected 2")),
        ({"depth": 2.5}, ("depth", "2.5 (float)", "an integer")),
        ({"depth": True}, ("depth", "True (bool)", "an integer")),
    ],
)
def test_an_impossible_option_is_refused(options, words):
    with pytest.raises(ConfigError) as caught:
        with_options(Outer(), options, READER)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ("name", "options", "read", "expected"),
    [
        ("pinn", {"width": "12", "training.steps": "30"}, lambda s: (s.network.width, s.training.steps), (12, 30)),
        ("pinn", {"activation": "sine"}, lambda s: s.network.activation, nn.Sine()),
        ("pinn", {"init": "he"}, lambda s: s.network.init, nn.He()),
        ("pinn", {"optimizer": "sgd"}, lambda s: s.training.optimizer, optim.SGD()),
        ("pinn", {"learning_rate": "0.1"}, lambda s: s.training.optimizer.learning_rate, 0.1),
        ("pinn", {"network": "mlp"}, lambda s: s.network, solvers.solver("pinn").network),  # as it is, not MLP()
        ("pinn", {"law": "gauss-legendre"}, lambda s: s.collocation.law, solvers.Law.GAUSS_LEGENDRE),
        # shallow options first, whatever the order
        ("pinn", {"width": "9", "network": "resnet"}, lambda s: s.network, nn.ResNet(width=9)),
        ("hybrid", {"first": "pinn"}, lambda s: s.first, solvers.solver("pinn")),
        ("jacobi", {"omega": "0.5"}, lambda s: s.method.omega, 0.5),
    ],
)
def test_options_of_solvers(name, options, read, expected):
    assert read(config.with_options(solvers.solver(name), options)) == expected


def test_the_default_is_left_alone():
    before = solvers.solver("pinn")
    config.with_options(before, {"width": "3"})
    assert before == solvers.solver("pinn")


def test_what_does_not_fit_an_interface_is_refused():
    with pytest.raises(UnknownNameError, match=r"solver.network.*'adam'.*MLP"):
        config.with_options(solvers.solver("pinn"), {"network": "adam"})


def test_options_are_sorted_by_owner():
    options = config.split_options(PoissonSine, solvers.solver("pinn"), {"k": "3", "width": "8", "rtol": "1e-2"})
    assert options == config.Options({"k": "3"}, {"width": "8"}, {"rtol": "1e-2"})


def test_an_option_that_two_have_needs_a_prefix():
    @dataclass(frozen=True)
    class Wide(pdekit.Elliptic):
        width: int = 1

    solver = solvers.solver("pinn")
    with pytest.raises(ConfigError, match=r"problem\.width or solver\.width"):
        config.split_options(Wide, solver, {"width": "8"})
    options = config.split_options(Wide, solver, {"problem.width": "8", "solver.width": "9"})
    assert options == config.Options({"width": "8"}, {"width": "9"})


# Files ---------------------------------------------------------------------------------------------------------------

MINE = """
from __future__ import annotations
from dataclasses import dataclass
import torch
from pdekit import Dirichlet, Elliptic, Interval

@dataclass(frozen=True)
class Mine(Elliptic):
    c: float = 1.0
    domain = Interval(0.0, 1.0)
    conditions = (Dirichlet(),)
    def source(self, x):
        return self.c * torch.ones_like(x)

instance = Mine(2.0)
def factory(c=3.0):
    return Mine(c)
def local():
    class Hidden(Mine):
        def __init__(self, c):
            object.__setattr__(self, "c", c)
    return Hidden(4.0)
def broken():
    raise KeyError("no such thing")
number = 3
"""


@pytest.fixture
def mine(tmp_path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


@pytest.mark.parametrize(
    ("name", "parameters", "c"),
    [
        ("Mine", {}, 1.0),
        ("Mine", {"c": "5"}, 5.0),
        ("instance", {}, 2.0),
        ("instance", {"c": "6"}, 6.0),
        ("factory", {}, 3.0),
        ("local", {}, 4.0),
    ],
)
def test_a_problem_of_ones_own(mine, name, parameters, c):
    problem = config.problem_given(f"{mine}:{name}", parameters)
    assert problem.c == c


@pytest.mark.parametrize("name", ["Mine", "instance", "factory"])
def test_it_is_traced_back_to_its_file(mine, name):
    problem = config.problem_given(f"{mine}:{name}", {})
    assert config.problem_from_table(through_toml(config.problem_table(problem))) == problem


def test_a_class_inside_a_function_is_not_traced(mine):
    assert "file" not in config.problem_table(config.problem_given(f"{mine}:local", {}))


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("Mime", UnknownNameError, "did you mean 'Mine'"),
        ("number", ProblemError, "int"),
        ("broken", ProblemError, "KeyError"),
        ("torch.nope", UnknownNameError, "torch.nope"),
    ],
)
def test_a_wrong_name_in_a_file_is_refused(mine, name, error, words):
    with pytest.raises(error, match=words):
        config.problem_given(f"{mine}:{name}", {})


def test_a_broken_file_keeps_its_cause(tmp_path):
    (tmp_path / "bad.py").write_text("1 / 0\n")
    with pytest.raises(ProblemError, match="ZeroDivisionError") as caught:
        config.problem_given(f"{tmp_path / 'bad.py'}:X", {})
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_missing_file_names_the_nearest(mine):
    with pytest.raises(FileNotFoundError, match=r"mine\.py"):
        config.problem_given(f"{mine.parent / 'mime.py'}:Mine", {})


def test_a_config_file(tmp_path, mine):
    path = tmp_path / "run.toml"
    path.write_text('problem = "mine.py:Mine"\nsolver = "pinn"\n[run]\nseed = 4\n')
    tables = config.read_config(path)
    assert tables["solver"] == {"name": "pinn"}
    assert config.problem_from_table(tables["problem"]).c == 1.0  # found beside the file, not in the current directory
    path.write_text('[solver]\nname = "pinn"\nnetwork.width = 5\n')
    solver = config.solver_from_table(config.read_config(path)["solver"])
    assert solver == dataclasses.replace(
        solvers.solver("pinn"), network=dataclasses.replace(solvers.solver("pinn").network, width=5)
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[solvr]\n", "did you mean 'solver'"),
        ("run = 3\n", r"\[run\]"),
        ("a = = 3\n", "no valid TOML"),
        ("x: !!python/object/apply:os.system ['touch canary']\n", "no valid TOML"),  # I17
    ],
)
def test_a_wrong_config_file_is_refused(tmp_path, text, words):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        config.read_config(path)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"name": "pinn", "widht": 3}, "widht"),
        ({"name": "pinn", "network": {"widht": 3}}, "did you mean 'width'"),
        ({"name": "pinn", "network": {"width": "3"}}, r"'3' \(str\), expected an integer"),
        ({"kind": "Neural", "name": "x"}, "formulation"),
        ({}, "name"),
    ],
)
def test_a_wrong_solver_table_is_refused(table, words):
    with pytest.raises(ConfigError, match=words):
        config.solver_from_table(table)
