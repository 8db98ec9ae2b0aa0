"""Imports go down only: the layer table of the design, checked against every import statement, nested ones too."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DIRECTORIES = {"pdekit": ROOT / "pdekit", "pdekit.problems": ROOT / "problems", "pdekit.solvers": ROOT / "solvers"}

# Units (modules or packages directly under `pdekit`), lowest layer first. A unit imports lower layers freely, and of
# its own layer only what PEERS names.
LAYERS: tuple[tuple[str, ...], ...] = (
    (
        "errors",
        "checks",
        "files",
        "mesh_reader",
        "environment",
        "sweep",
        "npz",
        "record",
        "codec",
        "options",
        "result",
        "stopwatch",
        "child",
    ),
    (
        "domain",
        "sampling",
        "geometry",
        "meshing",
        "meshfile",
        "nn",
        "kernels",
        "jet",
        "optim",
        "discrete",
        "spectrum",
        "lattice",
        "quantity",
        "interpolant",
        "random_fields",
    ),
    (
        *(
            "conditions",
            "reference",
            "problem",
            "probe",
            "coverage",
            "check_equation",
            "check",
            "shape_constraints",
            "constraints",
            "curved",
            "discretise",
            "galerkin",
            "evolution",
            "operator",
            "operator_problem",
            "dataset",
            "generate",
            "dataset_cache",
            "field",
            "parts",
        ),
        *("recipe", "preflight", "interrupt", "progress", "loop", "rundir", "checkpoint", "resume", "train"),
    ),
    (
        *(
            "sealed",
            "study",
            "solution",
            "section",
            "trust",
            "scales",
            "report",
            "storage",
            "export",
            "plot_style",
            "plot_problem",
            "plot_study",
            "plot_parts",
        ),
        *(
            "plot",
            "origin",
            "config",
            "trace",
            "solver",
            "operators",
            "doctor",
            "commands",
            "family_commands",
            "cli",
            "__main__",
        ),
    ),
    ("problems", "solvers"),
    ("phenomena", "comparison"),
)

# Within a layer: who may import whom. There are no cycles. Training knows no problem, problems know no training.
LOWEST = frozenset({"errors", "checks", "files", "environment"})
DATA = frozenset({"conditions", "problem", "probe"})
PEERS: dict[str, frozenset[str]] = {
    "checks": frozenset({"errors"}),
    "files": frozenset({"errors", "checks"}),
    "environment": frozenset({"errors", "checks"}),
    "sweep": LOWEST,
    "child": LOWEST,
    "npz": LOWEST,
    "record": LOWEST,
    "codec": LOWEST,
    "options": LOWEST | {"codec"},
    "result": LOWEST | {"record"},
    "sampling": frozenset({"domain"}),
    "geometry": frozenset({"domain", "discrete"}),
    "meshing": frozenset({"domain", "geometry", "discrete"}),
    "meshfile": frozenset({"discrete"}),
    "lattice": frozenset({"domain"}),
    "interpolant": frozenset({"quantity"}),
    "nn": frozenset({"quantity", "interpolant"}),
    "kernels": frozenset({"nn"}),
    "jet": frozenset({"kernels"}),
    "optim": frozenset({"kernels"}),
    "problem": frozenset({"conditions", "reference"}),
    "probe": frozenset({"conditions", "problem"}),
    "coverage": DATA,
    "check_equation": DATA,
    "check": DATA | {"coverage", "check_equation"},
    "constraints": DATA | {"shape_constraints"},
    "discretise": DATA,
    "evolution": DATA | {"discretise"},
    "parts": frozenset({"field"}),
    "galerkin": DATA | {"discretise"},
    "operator": DATA,
    "operator_problem": DATA | {"reference"},
    "generate": frozenset({"operator_problem", "dataset"}),
    "dataset_cache": frozenset({"operator_problem", "dataset", "generate"}),
    "preflight": frozenset({"recipe"}),
    "loop": frozenset({"recipe", "preflight"}),
    "checkpoint": frozenset({"rundir"}),
    "resume": frozenset({"recipe", "loop", "rundir", "checkpoint"}),
    "train": frozenset({"recipe", "preflight", "interrupt", "progress", "loop", "rundir", "checkpoint", "resume"}),
    "trust": frozenset({"solution"}),
    "scales": frozenset({"trust"}),
    "report": frozenset({"solution", "study"}),
    "section": frozenset({"solution"}),
    "storage": frozenset({"solution", "report", "study", "config", "sealed"}),
    "export": frozenset({"solution", "section"}),
    "plot_problem": frozenset({"plot_style"}),
    "plot_study": frozenset({"plot_style", "study"}),
    "plot_parts": frozenset({"solution", "section", "plot_style"}),
    "plot": frozenset({"solution", "section", "plot_style", "plot_study", "plot_parts", "study"}),
    "config": frozenset({"origin"}),
    "trace": frozenset({"trust"}),
    "solver": frozenset({"solution", "trust", "report", "storage", "config", "scales", "trace"}),
    "operators": frozenset({"solution", "report", "sealed", "storage", "config", "solver", "plot", "plot_style"}),
    "commands": frozenset(
        {
            *("solution", "report", "storage", "config", "origin", "export", "plot", "plot_problem", "plot_style"),
            *("solver", "operators", "doctor"),
        }
    ),
    "family_commands": frozenset({"commands", "config", "operators", "report", "plot_style"}),
    "cli": frozenset({"commands", "family_commands"}),
    "__main__": frozenset({"cli"}),
}

# One by one: upward imports inside a function or for type checkers only, where a method on the lower type reads better.
DELEGATES = frozenset(
    {
        ("problem", "check"),  # problem.check()
        ("problem", "plot_problem"),  # problem.plot()
        ("problem", "discretise"),  # problem.discretise(grid)
        ("probe", "problem"),  # the type of an argument
        ("result", "plot"),  # the design's name for solution.py's delegates
        ("result", "export"),
        ("solution", "report"),  # print(solution), solution.to_json()
        ("solution", "storage"),  # solution.save(directory)
        ("solution", "export"),  # solution.to_vtu(path)
        ("solution", "plot_parts"),  # solution.plot_parts()
        ("solution", "plot"),  # solution.plot(), plot_error(), ...
        ("trust", "solver"),  # the types of its arguments
        ("config", "solver"),  # the same
        ("config", "operators"),  # the same
        ("config", "problems"),  # files and command lines name what the registries hold
        ("config", "solvers"),
        ("storage", "solver"),  # the types of its arguments
        ("commands", "problems"),  # the shell's names are those of the registries
        ("commands", "solvers"),
        ("commands", "phenomena"),
        ("commands", "comparison"),
    }
)


@dataclass(frozen=True)
class Import:
    """One imported module, where, and whether it runs when the file is imported."""

    file: Path
    line: int
    module: str  # the importing module
    target: str
    relative: bool
    immediate: bool

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}: {self.module} -> {self.target}"


def modules() -> Iterator[tuple[str, Path]]:
    for package, directory in DIRECTORIES.items():
        for file in sorted(directory.rglob("*.py")):
            parts = [part for part in file.relative_to(directory).with_suffix("").parts if part != "__init__"]
            yield ".".join([package, *parts]), file


FILES = dict(modules())


def statements(node: ast.AST, immediate: bool = True) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, immediate
        else:
            later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            yield from statements(child, immediate and not later and not typing_only)


def imports(module: str, file: Path, tree: ast.AST) -> Iterator[Import]:
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node, immediate in statements(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, module, alias.name, False, immediate)
            continue
        base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
        origin = ".".join(part for part in (base, node.module) if part)
        for alias in node.names:  # `from . import x` may name a module or something inside one
            inner = f"{origin}.{alias.name}"
            yield Import(file, node.lineno, module, inner if inner in FILES else origin, node.level > 0, immediate)


def unit(module: str) -> str:
    """First name below `pdekit`; empty for `pdekit` itself."""
    return [*module.split("."), ""][1]


ALL = [i for m, f in FILES.items() for i in imports(m, f, ast.parse(f.read_text(encoding="utf-8"), str(f)))]
INSIDE = [i for i in ALL if i.target.split(".")[0] == "pdekit"]
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}


def violation(importer: str, imported: str, immediate: bool) -> str | None:
    """Why unit `importer` may not import unit `imported`, or None."""
    if importer in ("", imported):
        return None
    if imported == "":
        return "nobody inside imports the package's front door; import the module itself"
    if (importer, imported) in DELEGATES:
        return "this delegate must be imported inside its function" if immediate else None
    if LAYER[imported] > LAYER[importer]:
        return "imports go down only"
    if LAYER[imported] == LAYER[importer] and imported not in PEERS.get(importer, ()):
        return "same layer, and not among PEERS"
    return None


def test_every_unit_has_a_layer():
    missing = sorted({unit(module) for module in FILES} - {""} - LAYER.keys())
    assert not missing, f"give {missing} a place in LAYERS, and in the design"


def test_imports_go_down():
    found = [
        f"{i}: {reason}"
        for i in INSIDE
        if unit(i.module) in LAYER and unit(i.target) in LAYER | {"": 0}
        if (reason := violation(unit(i.module), unit(i.target), i.immediate))
    ]
    assert not found, "\n".join(found)


def test_imports_of_our_own_are_relative():
    """An absolute import in problems/ or solvers/ would let a stray `import problems` make a second copy of each class."""
    found = [str(i) for i in ALL if i.target.split(".")[0] in ("pdekit", "problems", "solvers") and not i.relative]
    assert not found, "\n".join(found)


def test_problems_and_solvers_are_flat():
    nested = [str(f) for d in ("problems", "solvers") for f in (ROOT / d).rglob("*.py") if f.parent.name != d]
    assert not nested


def test_table_is_consistent():
    """Each unit once; peers are in the same layer and form no cycle."""
    order = list(itertools.chain.from_iterable(LAYERS))
    assert len(order) == len(set(order))
    for name, peers in PEERS.items():
        for peer in peers:
            assert LAYER[peer] == LAYER[name], (name, peer)
    acyclic: set[str] = set()
    remaining = dict(PEERS)
    while free := [name for name, peers in remaining.items() if not (peers - acyclic) & remaining.keys()]:
        acyclic.update(free)
        remaining = {name: peers for name, peers in remaining.items() if name not in acyclic}
    assert not remaining, f"cycle among {sorted(remaining)}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from ..problem import Problem", "pdekit.problem"),
        ("from .. import checks", "pdekit.checks"),
        ("def f():\n    from ..spectrum.bands import Bands", "pdekit.spectrum.bands"),
        ("try:\n    from . import four_modes\nexcept ImportError: pass", "pdekit.problems.four_modes"),
    ],
)
def test_the_parser_sees_imports_wherever_they_are(source, expected):
    found = list(imports("pdekit.problems.mine", ROOT / "problems" / "mine.py", ast.parse(source)))
    assert [i.target for i in found] == [expected]
    assert found[0].immediate == ("def" not in source)


@pytest.mark.parametrize(
    ("importer", "imported", "immediate", "refused"),
    [
        ("nn", "kernels", True, True),
        ("kernels", "nn", True, False),
        ("kernels", "jet", True, True),
        ("train", "problem", True, True),
        ("problem", "train", False, True),
        ("problem", "solver", False, True),
        ("problems", "solvers", False, True),
        ("solvers", "problems", False, True),
        ("solvers", "spectrum", True, False),
        ("result", "plot", True, True),
        ("result", "plot", False, False),
        ("spectrum", "", True, True),
    ],
)
def test_the_rules(importer, imported, immediate, refused):
    assert (violation(importer, imported, immediate) is not None) == refused
