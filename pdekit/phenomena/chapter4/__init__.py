"""Chapter 4 of the book: the frequency principle."""

from __future__ import annotations

from typing import Any

from ..experiment import Experiment
from . import (
    amplitude,
    early_stopping,
    image_fit,
    image_large_init,
    image_split,
    parity,
    real_projection,
    ricker,
    sine,
    smooth_depth,
    step_target,
    three_modes,
    two_modes,
)

EXPERIMENTS: tuple[Experiment[Any], ...] = (
    smooth_depth.EXPERIMENT,
    two_modes.EXPERIMENT,
    step_target.EXPERIMENT,
    image_fit.EXPERIMENT,
    image_split.EXPERIMENT,
    three_modes.EXPERIMENT,
    ricker.EXPERIMENT,
    sine.EXPERIMENT,
    image_large_init.EXPERIMENT,
    early_stopping.EXPERIMENT,
    real_projection.EXPERIMENT,
    parity.EXPERIMENT,
    amplitude.EXPERIMENT,
)
