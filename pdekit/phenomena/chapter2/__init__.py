"""Chapter 2 of the book: high dimension and its curse."""

from __future__ import annotations

from typing import Any

from ..experiment import Experiment

EXPERIMENTS: tuple[Experiment[Any], ...] = ()
