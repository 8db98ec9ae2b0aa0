"""Chapter 6 of the book: the mechanism of the frequency principle."""

from __future__ import annotations

from typing import Any

from ..experiment import Experiment
from . import gradient_measure, init_size, loss_gradient, tanh_transform

EXPERIMENTS: tuple[Experiment[Any], ...] = (
    init_size.EXPERIMENT,
    loss_gradient.EXPERIMENT,
    tanh_transform.EXPERIMENT,
    gradient_measure.EXPERIMENT,
)
