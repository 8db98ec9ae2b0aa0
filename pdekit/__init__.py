"""PDE solvers driven by the frequency principle: networks for the low frequencies, relaxation for the high ones.

    import pdekit
    from pdekit import problems, solvers

    solution = pdekit.solve(problems.PoissonSine(k=1), solvers.solver("pinn"))
    print(solution)

Importing this package imports nothing else; each name below is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .comparison import Comparison as Comparison
    from .comparison import compare as compare
    from .conditions import Dirichlet as Dirichlet
    from .conditions import Initial as Initial
    from .conditions import Neumann as Neumann
    from .conditions import Observations as Observations
    from .conditions import Periodic as Periodic
    from .conditions import Robin as Robin
    from .dataset import Dataset as Dataset
    from .domain import Box as Box
    from .domain import Hypercube as Hypercube
    from .domain import Interval as Interval
    from .domain import Points as Points
    from .domain import Rectangle as Rectangle
    from .errors import PdekitError as PdekitError
    from .errors import PdekitWarning as PdekitWarning
    from .geometry import Ball as Ball
    from .geometry import Difference as Difference
    from .geometry import Disk as Disk
    from .geometry import Ellipse as Ellipse
    from .geometry import Intersection as Intersection
    from .geometry import MeshRegion as MeshRegion
    from .geometry import Polygon as Polygon
    from .geometry import SpaceTime as SpaceTime
    from .geometry import Union as Union
    from .jet import Jet as Jet
    from .meshfile import read_mesh as read_mesh
    from .meshfile import write_mesh as write_mesh
    from .meshing import mesh as mesh
    from .operator_problem import Family as Family
    from .operator_problem import OperatorProblem as OperatorProblem
    from .operators import Operator as Operator
    from .operators import Split as Split
    from .operators import learn as learn
    from .operators import load_operator as load_operator
    from .problem import Elliptic as Elliptic
    from .problem import Parabolic as Parabolic
    from .problem import Problem as Problem
    from .recipe import Budget as Budget
    from .recipe import Every as Every
    from .record import Record as Record
    from .rundir import RunDirectory as RunDirectory
    from .solution import Flag as Flag
    from .solution import Measures as Measures
    from .solution import Solution as Solution
    from .solution import Status as Status
    from .solution import Trust as Trust
    from .solver import Solver as Solver
    from .solver import solve as solve
    from .storage import load as load

_NAMES: Final = {
    "comparison": ("Comparison", "compare"),
    "conditions": ("Dirichlet", "Initial", "Neumann", "Observations", "Periodic", "Robin"),
    "dataset": ("Dataset",),
    "domain": ("Box", "Hypercube", "Interval", "Points", "Rectangle"),
    "errors": ("PdekitError", "PdekitWarning"),
    "geometry": (
        "Ball",
        "Difference",
        "Disk",
        "Ellipse",
        "Intersection",
        "MeshRegion",
        "Polygon",
        "SpaceTime",
        "Union",
    ),
    "jet": ("Jet",),
    "meshfile": ("read_mesh", "write_mesh"),
    "meshing": ("mesh",),
    "operator_problem": ("Family", "OperatorProblem"),
    "operators": ("Operator", "Split", "learn", "load_operator"),
    "problem": ("Elliptic", "Parabolic", "Problem"),
    "recipe": ("Budget", "Every"),
    "record": ("Record",),
    "rundir": ("RunDirectory",),
    "solution": ("Flag", "Measures", "Solution", "Status", "Trust"),
    "solver": ("Solver", "solve"),
    "storage": ("load",),
}
_MODULE_OF: Final = {name: module for module, names in _NAMES.items() for name in names}
_ROOMS: Final = ("discrete", "errors", "geometry", "kernels", "nn", "optim", "problems", "solvers", "spectrum")


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "__version__":
        from importlib.metadata import version

        return version("pdekit")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF, *_ROOMS, "__version__"})
