"""Trust: residuals on held-out points, error estimates by classical solves, and the verdict on an answer.

- `assess` measures what a solver found and flags reasons not to trust it
- `relative_residual` and `alias_warning` are for solvers, before and after training
"""

from __future__ import annotations

from .aliasing import alias_warning as alias_warning
from .assess import Verdict as Verdict
from .assess import assess as assess
from .residual import relative_residual as relative_residual
