"""Parts of a solution: fields whose sum it is, each meant for one scale, and whether each holds only that scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch
from itertools import pairwise
from typing import final

import numpy as np
import torch

from .domain import Region
from .field import Field, NetworkField, SumField
from .nn import parts_of
from .spectrum import BandMeter

_LINE, _SIDE = 8193, 513  # points of the grids that energies are measured on, in one and in more dimensions


@final
@dataclass(frozen=True, eq=False)
class PartField:
    """A part of a field, and the angular wave number in the problem's units that it is for."""

    field: Field
    wavenumber: float


@singledispatch
def field_parts(field: Field, domain: Region) -> Mapping[str, PartField]:
    """The named parts of a field on a domain, from smooth to rapid; empty where it has none."""
    return {}


@field_parts.register
def _network(field: NetworkField, domain: Region) -> Mapping[str, PartField]:
    radius = 0.5 * max(high - low for low, high in zip(domain.lower, domain.upper, strict=True))
    return {
        name: PartField(NetworkField(part.function, field.dtype, field.device), part.scale / radius)
        for name, part in parts_of(field.network).items()
    }


@field_parts.register
def _sum(field: SumField, domain: Region) -> Mapping[str, PartField]:
    return {name: part for one in field.parts for name, part in field_parts(one, domain).items()}


def band_edges(parts: Mapping[str, PartField]) -> tuple[float, ...]:
    """Edges of the bands of the parts: halfway, in log k, between neighbouring wave numbers; 0 and infinity at the ends."""
    numbers = [part.wavenumber for part in parts.values()]
    return (0.0, *(float(np.sqrt(a * b)) for a, b in pairwise(numbers)), np.inf)


def own_shares(parts: Mapping[str, PartField], domain: Region) -> dict[str, float]:
    """Share of each part's spectral energy that lies in its own band; of a part that is zero, 1.

    Notes: cosine series of the values on a grid of the bounding box, in at most two dimensions; a function and its
        slope may take any values at the ends, at the price of side lobes that fall as 1 / k^2.
    """
    edges = band_edges(parts)
    count = _LINE if domain.dim == 1 else _SIDE
    lines = [
        torch.linspace(low, high, count, dtype=torch.float64)
        for low, high in zip(domain.lower, domain.upper, strict=True)
    ]
    x = torch.cartesian_prod(*lines).reshape(-1, domain.dim)
    spacing = [float(line[1] - line[0]) for line in lines]
    shares = {}
    for number, (name, part) in enumerate(parts.items()):
        values = torch.cat([part.field(some)[:, 0] for some in x.split(65_536)]).reshape([count] * domain.dim).numpy()
        if not values.any():
            shares[name] = 1.0
            continue
        energy = BandMeter(values, spacing, edges=[*edges[:-1], np.pi / min(spacing)]).energies(values)
        shares[name] = float(energy[number] / energy.sum())
    return shares
