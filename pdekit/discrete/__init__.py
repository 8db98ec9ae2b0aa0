"""Grids, stencils, relaxation, Krylov and direct solves on boxes; numpy in, numpy out."""

from .assemble import assemble as assemble
from .direct import solve_direct as solve_direct
from .faces import DirichletFace as DirichletFace
from .faces import Face as Face
from .faces import NeumannFace as NeumannFace
from .faces import PeriodicFace as PeriodicFace
from .faces import RobinFace as RobinFace
from .grid import Grid as Grid
from .system import LinearSystem as LinearSystem
