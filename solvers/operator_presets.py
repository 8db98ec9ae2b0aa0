"""Solvers of families by name: recipes of the product architecture x losses x training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ..errors import unknown_name
from .operator_learning import OperatorSolver

OPERATOR_SOLVERS: Final[Mapping[str, Callable[[], OperatorSolver]]] = {}
"""Solvers of families in their default configuration, by the names the shell knows."""


def operator_solver(name: str) -> OperatorSolver:
    """The solver of families of that name in its default configuration.

    Raises:
        UnknownNameError: no such solver, with the closest names.
    """
    if name not in OPERATOR_SOLVERS:
        raise unknown_name("operator solver", name, OPERATOR_SOLVERS)
    return OPERATOR_SOLVERS[name]()
