"""Chapter 5 of the book: networks designed from the frequency principle."""

from __future__ import annotations

from typing import Any

from ..experiment import Experiment
from . import fourier_features, holes, position_encoding, scale_choice, stretch, three_scale

EXPERIMENTS: tuple[Experiment[Any], ...] = (
    stretch.EXPERIMENT,
    holes.EXPERIMENT,
    scale_choice.EXPERIMENT,
    three_scale.EXPERIMENT,
    position_encoding.EXPERIMENT,
    fourier_features.EXPERIMENT,
)
