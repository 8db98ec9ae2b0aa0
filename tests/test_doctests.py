"""Examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DIRECTORIES = {"pdekit": ROOT / "pdekit", "pdekit.problems": ROOT / "problems", "pdekit.solvers": ROOT / "solvers"}


def with_examples() -> list[str]:
    """Names of the modules whose source has a prompt; found without importing them."""
    found = []
    for package, directory in DIRECTORIES.items():
        for file in sorted(directory.rglob("*.py")):
            if ">>> " in file.read_text(encoding="utf-8"):
                parts = file.relative_to(directory).with_suffix("").parts
                found.append(".".join([package, *(part for part in parts if part != "__init__")]))
    return found


@pytest.mark.parametrize("name", with_examples())
def test_examples(name):
    module = importlib.import_module(name)
    outcome = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_there_are_examples():
    assert "pdekit.errors" in with_examples()
