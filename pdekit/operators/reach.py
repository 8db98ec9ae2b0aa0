"""How far an input is from those that were learnt from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from torch import Tensor

from ..dataset import FloatArray

_HELD: Final = 0.99
"""Share of the variance that the components hold."""
_MOST: Final = 64
_COMPARED: Final = 2000
"""Training cases that are looked at, at most."""
_QUANTILE: Final = 0.99
_FAR: Final = 1.5
"""Multiple of the quantile from which on an input counts as far outside."""
_ROUNDING: Final = 1e-6


@final
@dataclass(frozen=True, eq=False)
class Reach:
    """The training inputs as a cloud: mean, principal components, and how far its own members are from the mean.

        d^2 = (sum_i (c_i / s_i)^2 + (|rest| / s)^2) / (r + 1)

    with c_i the components of an input minus the mean, s_i their deviations over the training set, rest what the r
    components do not hold and s its root mean square over the training set: about 1 for an input like those learnt from.

    Args:
        mean: (n,), n numbers for one input function.
        components: (r, n), orthonormal.
        deviations: (r + 1,), the last one that of the rest.
        quantile: distance that 99 % of the training inputs keep.
    """

    mean: FloatArray
    components: FloatArray
    deviations: FloatArray
    quantile: float

    @staticmethod
    def of(inputs: FloatArray) -> Reach:
        """The reach of training inputs (count, *shape): as few components as hold 99 % of the variance, at most 64."""
        rows = inputs.reshape(len(inputs), -1)[:_COMPARED]
        mean = rows.mean(axis=0)
        _, sizes, components = np.linalg.svd(rows - mean, full_matrices=False)
        energy = sizes**2 / len(rows)
        held = np.cumsum(energy) / max(float(energy.sum()), np.finfo(np.float64).tiny)
        most = max(1, min(_MOST, len(rows) // 10, len(sizes)))
        count = min(int(np.searchsorted(held, _HELD)) + 1, most)
        floor = _ROUNDING * np.sqrt(max(float(energy.sum()), float((mean**2).sum()), np.finfo(np.float64).tiny))
        rest = np.sqrt(energy[count:].sum())
        deviations = np.maximum(np.append(np.sqrt(energy[:count]), rest), floor)
        reach = Reach(mean, components[:count], deviations, 1.0)
        return Reach(mean, components[:count], deviations, float(np.quantile(reach.distances(rows), _QUANTILE)))

    def distances(self, inputs: FloatArray) -> FloatArray:
        """d of inputs (count, *shape), (count,)."""
        centred = inputs.reshape(len(inputs), -1) - self.mean
        parts = centred @ self.components.T
        rest = np.sqrt(((centred - parts @ self.components) ** 2).sum(axis=1))
        scaled = np.concatenate([parts, rest[:, None]], axis=1) / self.deviations
        return np.asarray(np.sqrt((scaled**2).mean(axis=1)))

    def far(self, distances: FloatArray) -> FloatArray:
        """Which of these distances are far outside what was learnt from, (count,) of bool."""
        return np.asarray(distances > _FAR * self.quantile)

    def tensors(self) -> dict[str, Tensor]:
        """What a file must keep."""
        arrays = {"mean": self.mean, "components": self.components, "deviations": self.deviations}
        kept = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
        return kept | {"quantile": torch.tensor(self.quantile, dtype=torch.float64)}

    @staticmethod
    def restored(tensors: Mapping[str, Tensor]) -> Reach:
        """The reach that `tensors` describes."""
        mean, components, deviations = (tensors[name].numpy() for name in ("mean", "components", "deviations"))
        return Reach(mean, components, deviations, float(tensors["quantile"]))
