"""Chapter 5 of the book: networks designed from the frequency principle."""

from __future__ import annotations

from typing import Any

from ..experiment import Experiment
from . import holes, three_scale

EXPERIMENTS: tuple[Experiment[Any], ...] = (holes.EXPERIMENT, three_scale.EXPERIMENT)
