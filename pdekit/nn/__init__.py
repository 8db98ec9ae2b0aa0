"""Networks: configurations that build torch modules, their activations and initial weights; nothing about equations."""

from __future__ import annotations

from .activations import ACTIVATIONS as ACTIVATIONS
from .activations import Activation as Activation
from .activations import Elementwise as Elementwise
from .activations import ReLU as ReLU
from .activations import Sine as Sine
from .activations import Tanh as Tanh
from .activations import activation as activation
from .architecture import MLP as MLP
from .architecture import Architecture as Architecture
from .architecture import ResNet as ResNet
from .initialisation import Glorot as Glorot
from .initialisation import He as He
from .initialisation import Initialisation as Initialisation
from .initialisation import LeCun as LeCun
from .initialisation import PowerLaw as PowerLaw
from .initialisation import Siren as Siren
from .initialisation import Site as Site
from .initialisation import VarianceScaling as VarianceScaling
from .initialisation import linear as linear
from .layers import Concatenation as Concatenation
from .layers import Dilation as Dilation
from .layers import HardConstraint as HardConstraint
from .layers import Network as Network
from .layers import Residual as Residual
from .layers import Scaling as Scaling
from .layers import Sum as Sum
from .layers import check_parameters as check_parameters
from .polynomial import Monomials as Monomials
from .polynomial import Polynomial as Polynomial
from .scales import Auto as Auto
from .scales import ScaleChoice as ScaleChoice
from .scales import Scales as Scales
from .scales import check_scales as check_scales
from .scales import scale_values as scale_values
from .spread import Spread as Spread
