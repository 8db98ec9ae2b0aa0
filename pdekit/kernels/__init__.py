"""Differentiation kernels: a network's value and planned derivatives at a batch of points, in one pass."""

from __future__ import annotations

from . import compact as compact
from . import frequency_rules as frequency_rules
from . import operator_rules as operator_rules
from . import stacked_rules as stacked_rules
from .channels import AffineChannels as AffineChannels
from .channels import Channels as Channels
from .channels import StackedChannels as StackedChannels
from .checks import check_smoothness as check_smoothness
from .compiled import CompiledKernel as CompiledKernel
from .elementwise import composed as composed
from .forward import ForwardKernel as ForwardKernel
from .functions import derivatives as derivatives
from .plan import Axes as Axes
from .plan import Derivatives as Derivatives
from .plan import DerivativeSource as DerivativeSource
from .plan import Kernel as Kernel
from .plan import Plan as Plan
from .record import Recorder as Recorder
from .reverse import ReverseKernel as ReverseKernel
from .rules import propagate as propagate
from .select import select_kernel as select_kernel
from .tabulated import Tabulated as Tabulated
