"""Chapter 5 of the book: networks designed from the frequency principle."""

from __future__ import annotations

from typing import Any

from ..experiment import Experiment

EXPERIMENTS: tuple[Experiment[Any], ...] = ()
