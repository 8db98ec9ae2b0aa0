"""Errors of an operator over a test set: by case, by frequency band, at other resolutions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from ..dataset import FloatArray
from ..quantity import Quantity
from ..spectrum import BandMeter, Bands, Even, Periodic


@final
@dataclass(frozen=True, eq=False)
class CaseErrors:
    """Relative L2 errors over a set of cases.

    Args:
        points: along each axis of the inputs.
        each: (count,), one for each case.
        bands: energies of the errors and of the references, summed over the cases.
    """

    points: tuple[int, ...]
    each: FloatArray
    bands: Bands

    @staticmethod
    def of(points: tuple[int, ...], output: Quantity, predicted: FloatArray, reference: FloatArray) -> CaseErrors:
        """Compare functions (count, *output.shape)."""
        return CaseErrors(
            points, output.relative_errors(predicted, reference), error_bands(output, predicted, reference)
        )

    @property
    def mean(self) -> float:
        """Mean error."""
        return float(self.each.mean())

    @property
    def median(self) -> float:
        """Median error."""
        return float(np.median(self.each))

    @property
    def worst(self) -> float:
        """Largest error."""
        return float(self.each.max())

    @property
    def worst_case(self) -> int:
        """Number of the case with the largest error."""
        return int(self.each.argmax())

    @property
    def median_case(self) -> int:
        """Number of a case in the middle."""
        return int(np.argsort(self.each)[len(self.each) // 2])


def error_bands(output: Quantity, predicted: FloatArray, reference: FloatArray) -> Bands:
    """Energies by octave of the wave number, summed over cases and components."""
    spacing = [axis.spacing for axis in output.axes]
    basis = tuple(Periodic() if axis.periodic else Even() for axis in output.axes)
    meter = BandMeter(np.ones(output.shape[:-1]), spacing, basis=basis)

    def summed(values: FloatArray) -> FloatArray:
        functions = np.moveaxis(values, -1, 1).reshape(-1, *output.shape[:-1])
        return np.sum([meter.energies(function) for function in functions], axis=0)

    return Bands(meter.edges, summed(predicted - reference), summed(reference))
