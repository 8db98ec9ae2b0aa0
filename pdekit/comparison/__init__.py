"""Comparisons: solvers beside each other, beside a classical one and beside the best constant, with equal time for all.

- `compare` runs them, each run in a process of its own
- `Comparison` holds what came of it: tables, figures, plain data
"""

from __future__ import annotations

from .comparing import compare as compare
from .observer import Lines as Lines
from .observer import Silent as Silent
from .result import Comparison as Comparison
from .result import Standing as Standing
from .run import Fate as Fate
from .run import Run as Run
