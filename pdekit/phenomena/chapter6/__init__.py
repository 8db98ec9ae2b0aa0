"""Chapter 6 of the book: the mechanism of the frequency principle."""

from __future__ import annotations

from typing import Any

from ..experiment import Experiment

EXPERIMENTS: tuple[Experiment[Any], ...] = ()
