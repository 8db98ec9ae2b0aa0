"""Operators: maps between functions, learnt from cases of a family of equations.

`learn` is to families what `pdekit.solve` is to single problems, and `Operator` what `Solution` is.
"""

from __future__ import annotations

from .accuracy import CaseErrors as CaseErrors
from .cases import Cases as Cases
from .cases import Source as Source
from .cases import Split as Split
from .costs import Costs as Costs
from .learner import Learned as Learned
from .learner import Learner as Learner
from .learning import learn as learn
from .predictor import Predictor as Predictor
from .reach import Reach as Reach
from .result import Examples as Examples
from .result import Operator as Operator
from .result import Scores as Scores
from .storage import load_operator as load_operator
