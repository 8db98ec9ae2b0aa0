"""Grids, stencils, relaxation, Krylov and direct solves on boxes; numpy in, numpy out."""

from .assemble import assemble as assemble
from .direct import solve_direct as solve_direct
from .faces import DirichletFace as DirichletFace
from .faces import Face as Face
from .faces import NeumannFace as NeumannFace
from .faces import PeriodicFace as PeriodicFace
from .faces import RobinFace as RobinFace
from .grid import Grid as Grid
from .iterate import Relaxed as Relaxed
from .iterate import Sample as Sample
from .iterate import relax as relax
from .krylov import cg as cg
from .multigrid import algebraic_multigrid as algebraic_multigrid
from .relaxation import Chebyshev as Chebyshev
from .relaxation import GaussSeidel as GaussSeidel
from .relaxation import Jacobi as Jacobi
from .relaxation import Multigrid as Multigrid
from .relaxation import Relaxation as Relaxation
from .sweepers import Sweeper as Sweeper
from .system import LinearSystem as LinearSystem
