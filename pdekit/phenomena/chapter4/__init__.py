"""Chapter 4 of the book: the frequency principle."""

from __future__ import annotations

from typing import Any

from ..experiment import Experiment

EXPERIMENTS: tuple[Experiment[Any], ...] = ()
