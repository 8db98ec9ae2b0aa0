"""Chapter 6 of the book: the mechanism of the frequency principle."""

from __future__ import annotations

from typing import Any

from ..experiment import Experiment
from . import gradient_measure, tanh_transform

EXPERIMENTS: tuple[Experiment[Any], ...] = (tanh_transform.EXPERIMENT, gradient_measure.EXPERIMENT)
