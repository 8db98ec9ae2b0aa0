"""Chapter 2 of the book: high dimension and its curse."""

from __future__ import annotations

from typing import Any

from ..experiment import Experiment
from . import (
    annulus,
    approximation,
    ball_volume,
    barron,
    pairs,
    projection,
    quadratic_fit,
    quadrature,
    separability,
    shell,
    sparsity,
    unknowns,
)

EXPERIMENTS: tuple[Experiment[Any], ...] = (
    *sparsity.EXPERIMENTS,
    *shell.EXPERIMENTS,
    *quadratic_fit.EXPERIMENTS,
    *pairs.EXPERIMENTS,
    *annulus.EXPERIMENTS,
    *ball_volume.EXPERIMENTS,
    *projection.EXPERIMENTS,
    *separability.EXPERIMENTS,
    *quadrature.EXPERIMENTS,
    *unknowns.EXPERIMENTS,
    *approximation.EXPERIMENTS,
    *barron.EXPERIMENTS,
)
