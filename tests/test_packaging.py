"""The wheel holds exactly the source files on disk, where `import` finds them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PLACES = {"pdekit": "pdekit", "problems": "pdekit/problems", "solvers": "pdekit/solvers"}


def on_disk() -> set[str]:
    """Paths that the wheel should have, from the files of the checkout."""
    return {
        str(Path(place) / file.relative_to(ROOT / directory))
        for directory, place in PLACES.items()
        for file in (ROOT / directory).rglob("*.py")
    } | {"pdekit/py.typed", *(f"pdekit/kernels/{name}" for name in ("chain.cpp", "channels.cpp", "channels.h"))}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy: setuptools would reuse a stale build/ of the checkout, and leave one behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for directory in PLACES:
        shutil.copytree(ROOT / directory, source / directory, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    command = ["pip", "wheel", str(source), "--no-deps", "--no-build-isolation", "--no-index", "-q", "-w", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, cwd=source, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = out.glob("*.whl")
    return found


def test_wheel_holds_the_files_on_disk_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names - on_disk() == set()
    assert on_disk() - names == set(), "list the package in pyproject.toml, [tool.setuptools] packages"


def test_wheel_can_be_imported_without_the_checkout(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
        "import pdekit, pdekit.problems, pdekit.solvers; "
        "print(*(m.__file__ for m in (pdekit, pdekit.problems, pdekit.solvers)), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    expected = [tmp_path / place / "__init__.py" for place in PLACES.values()]
    assert [Path(line) for line in done.stdout.split()] == expected


STRAY = """
import importlib, pathlib, sys
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.py")):
    name = sys.argv[1] if file.stem == "__init__" else f"{sys.argv[1]}.{file.stem}"
    try:
        module = importlib.import_module(name)
    except ImportError:
        continue
    print(*(f"{name}.{k}" for k, v in vars(module).items() if getattr(v, "__module__", "") == name))
"""


@pytest.mark.parametrize("directory", ["problems", "solvers"])
def test_a_stray_import_makes_no_second_copy_of_a_class(directory):
    """`import problems` from the checkout's root must die: its classes would not be those of `pdekit.problems`."""
    done = subprocess.run(
        [sys.executable, "-c", STRAY, directory], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [], "import the core relatively upward: from ..problem import Problem"


def test_typed_marker_licence_and_version_are_declared(wheel):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        text = archive.read(metadata).decode()
        licences = [name for name in archive.namelist() if ".dist-info/" in name and name.endswith("LICENSE")]
    assert f"Version: {project['version']}" in text
    assert len(licences) == 1
    for requirement in project["dependencies"]:
        assert f"Requires-Dist: {requirement}" in text
