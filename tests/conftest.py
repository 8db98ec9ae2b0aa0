"""Refuses to test another copy of pdekit than this checkout's, and says why GPU tests do not run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Stop unless the three directories of this checkout are what `import pdekit` gives."""
    for name, directory in (("pdekit", "pdekit"), ("pdekit.problems", "problems"), ("pdekit.solvers", "solvers")):
        found = _origin(name)
        if found != ROOT / directory / "__init__.py":
            raise pytest.UsageError(
                f"{name} comes from {found or 'nowhere'}, not from this checkout ({ROOT}); run `pip install -e .` there"
            )


def _origin(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin).resolve() if spec is not None and spec.origin else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip GPU tests, with the reason, where there is no device (`-m gpu` on a machine without one)."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not _cuda():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device; torch.cuda.is_available() is False"))


def pytest_report_header() -> str:
    """Say whether `-m gpu` would run anything."""
    return "gpu tests: " + ("run them with -m gpu" if _cuda() else "no CUDA device here")


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()
