"""The experiments of the book, each with a verdict that a program reached.

>>> from pdekit.phenomena import Context, Size
>>> Context(seeds=(0, 1)).generator(0, "weights").initial_seed() == Context().generator(0, "weights").initial_seed()
True
"""

from __future__ import annotations

from ..sweep import sweep as sweep
from .experiment import Context as Context
from .experiment import Experiment as Experiment
from .experiment import Size as Size
from .finding import Claim as Claim
from .finding import Finding as Finding
from .finding import Verdict as Verdict
from .fitting import Fit as Fit
from .fitting import History as History
from .fitting import fit as fit
from .losses import CrossEntropy as CrossEntropy
from .losses import Loss as Loss
from .losses import MeanSquare as MeanSquare
from .losses import outputs as outputs
from .records import LogSpaced as LogSpaced
from .records import Periodic as Periodic
from .records import Records as Records
from .registry import CHAPTERS as CHAPTERS
from .registry import experiments as experiments
from .registry import select as select
from .runner import Report as Report
from .runner import run as run
from .runner import run_experiments as run_experiments
from .store import Outcome as Outcome
