"""Optimisers and schedules as immutable configs."""

from .base import IterativeOptimizer as IterativeOptimizer
from .base import Optimizer as Optimizer
from .first_order import SGD as SGD
from .first_order import Adam as Adam
from .lbfgs import LBFGS as LBFGS
from .schedule import Constant as Constant
from .schedule import Cosine as Cosine
from .schedule import Exponential as Exponential
from .schedule import Schedule as Schedule
from .schedule import Warmup as Warmup
