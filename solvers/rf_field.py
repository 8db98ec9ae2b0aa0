"""What random-features solvers find: sums of features in each cell of a lattice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from ..errors import CheckpointError
from ..kernels import Derivatives, Plan
from ..nn import Activation
from .rf_features import Features
from .rf_lattice import CellLattice

_BATCH = 4096  # points of one cell at a time, which bounds the memory of their features


@final
@dataclass(frozen=True, eq=False)
class RandomFeatureField:
    """u(x) = shift + sum_j c_ij phi_j((x - centre_i) / radius) in cell i.

    Args:
        lattice: the cells.
        features: phi, the same in all of them.
        weights: c, (cells, J, m).
        shift: (m,), for solutions that are fixed by their mean.
    """

    lattice: CellLattice
    features: Features
    weights: Tensor
    shift: Tensor

    @property
    def parameters(self) -> int:
        """Number of coefficients."""
        return self.weights.numel()

    @property
    def coefficients(self) -> Mapping[str, float]:
        """None: the solver takes problems without unknown coefficients."""
        return {}

    def __call__(self, x: Tensor) -> Tensor:
        """Values (n, m), float64 on the CPU."""
        return self._everywhere(x, Plan(frozenset([()])))[0]

    def derivatives(self, x: Tensor, plan: Plan) -> Derivatives:
        """The planned derivatives, one-sided on the seams."""
        layout = self.features.layout(plan)
        return Derivatives(self._everywhere(x, plan), layout, plan.laplacian, len(layout))

    def tensors(self) -> dict[str, Tensor]:
        """Everything but the activation."""
        return {
            "lattice.lower": torch.tensor(self.lattice.lower, dtype=torch.float64),
            "lattice.radius": torch.tensor(self.lattice.radius, dtype=torch.float64),
            "lattice.owners": torch.from_numpy(np.ascontiguousarray(self.lattice.owners)),
            "lattice.homes": torch.from_numpy(np.ascontiguousarray(self.lattice.homes)),
            "features.weights": self.features.weights.contiguous(),
            "features.offsets": self.features.offsets.contiguous(),
            "weights": self.weights.contiguous(),
            "shift": self.shift,
        }

    @staticmethod
    def restored(tensors: Mapping[str, Tensor], activation: Activation) -> RandomFeatureField:
        """The field that `tensors` describes.

        Raises:
            CheckpointError: they are another solver's.
        """
        try:
            lower, radius = (tuple(tensors[f"lattice.{key}"].tolist()) for key in ("lower", "radius"))
            owners, homes = (tensors[f"lattice.{key}"].numpy() for key in ("owners", "homes"))
            lattice = CellLattice(lower, radius, owners, homes)
            features = Features(tensors["features.weights"], tensors["features.offsets"], activation)
            return RandomFeatureField(lattice, features, tensors["weights"], tensors["shift"])
        except KeyError as error:
            raise CheckpointError(
                f"random-features: tensor {error} is missing, got {', '.join(sorted(tensors))}; "
                "load them with the solver they are of"
            ) from error

    def _everywhere(self, x: Tensor, plan: Plan) -> Tensor:
        """Derivatives in channels, (C, n, m)."""
        x = x.detach().to("cpu", torch.float64)
        channels = x.new_empty(len(self.features.layout(plan)) + bool(plan.laplacian), len(x), self.weights.shape[2])
        for cell, rows in self._by_cell(x):
            local = (x[rows] - self.lattice.centres[cell]) / self.lattice.radii
            channels[:, rows] = self.features.derivatives(local, self.lattice.radii, plan).channels @ self.weights[cell]
        value = self.features.layout(plan).get(())
        if value is not None:
            channels[value] += self.shift
        return channels

    def _by_cell(self, x: Tensor) -> Iterator[tuple[int, Tensor]]:
        owner = self.lattice.owner(x)
        order = np.argsort(owner, kind="stable")
        cells, starts = np.unique(owner[order], return_index=True)
        for cell, rows in zip(cells, np.split(order, starts[1:]), strict=True):
            for part in torch.from_numpy(rows).split(_BATCH):
                yield int(cell), part
