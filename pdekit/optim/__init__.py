"""Optimisers and schedules as immutable configs."""

from .base import GradientStepper as GradientStepper
from .base import IterativeStepper as IterativeStepper
from .base import Optimizer as Optimizer
from .base import Stepper as Stepper
from .first_order import SGD as SGD
from .first_order import Adam as Adam
from .first_order import TorchOptimizer as TorchOptimizer
from .lbfgs import LBFGS as LBFGS
from .schedule import Constant as Constant
from .schedule import Cosine as Cosine
from .schedule import Exponential as Exponential
from .schedule import Schedule as Schedule
from .schedule import Warmup as Warmup
