"""Samplers: weights, exactness, coverage, shares of the boundary, reproducibility."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from pdekit.domain import Box, Interval, Rectangle
from pdekit.errors import EmptyBoundaryError, MemoryBudgetError, SamplingError
from pdekit.sampling import (
    GaussLegendre,
    Grid,
    LatinHypercube,
    Sampler,
    Sobol,
    Uniform,
    boundary_points,
    interior_points,
    sampler_names,
)

SAMPLERS = [Grid(9), GaussLegendre(4, 2), Sobol(64), LatinHypercube(60), Uniform(50)]
DRAWN = [s for s in SAMPLERS if not isinstance(s, Grid | GaussLegendre)]
each = pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)


def seeded(seed=5):
    return torch.Generator().manual_seed(seed)


@each
@pytest.mark.parametrize("dim", [0, 1, 2, 3])
def test_unit_points(sampler, dim):
    x, weight = sampler.unit(dim, seeded())
    assert isinstance(sampler, Sampler)
    assert x.dtype == weight.dtype == torch.float64
    assert x.shape == (sampler.count(dim), dim)
    assert float(weight.sum()) == pytest.approx(1, abs=1e-14)
    assert bool((weight > 0).all())
    assert bool(((x >= 0) & (x <= 1)).all())


@each
def test_same_generator_same_points_and_no_global_state(sampler):
    before, before_numpy = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, second = (sampler.unit(2, seeded()) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == before_numpy).all()


@pytest.mark.parametrize("sampler", DRAWN, ids=repr)
def test_each_draw_is_new(sampler):
    generator = seeded()
    assert not torch.equal(sampler.unit(2, generator)[0], sampler.unit(2, generator)[0])


@pytest.mark.parametrize(("n", "panels"), [(1, 1), (3, 1), (4, 3)])
def test_gauss_legendre_is_exact_up_to_its_degree(n, panels):
    x, weight = GaussLegendre(n, panels).unit(1, seeded())
    for degree in range(2 * n):
        assert float((weight * x[:, 0] ** degree).sum()) == pytest.approx(1 / (degree + 1), abs=1e-14)
    exact = 1 / (2 * n + 1)
    assert abs(float((weight * x[:, 0] ** (2 * n)).sum()) - exact) > 1e-10


def test_grid_is_second_order():
    errors = []
    for n in (9, 17, 33):
        x, weight = Grid(n).unit(1, seeded())
        errors.append(abs(float((weight * torch.exp(x[:, 0])).sum()) - (math.e - 1)))
    assert [math.log2(a / b) for a, b in itertools.pairwise(errors)] == pytest.approx([2, 2], abs=0.02)


def test_sobol_points_are_balanced():
    """Each half of each axis holds exactly half of 2^m points; independent points almost never do."""
    x, _ = Sobol(256).unit(3, seeded())
    assert (x < 0.5).sum(dim=0).tolist() == [128] * 3
    assert ((x[:, 0] < 0.25) & (x[:, 1] < 0.5)).sum() == 32


def test_latin_hypercube_fills_every_slab():
    x, _ = LatinHypercube(50).unit(2, seeded())
    assert all(sorted((x[:, i] * 50).int().tolist()) == list(range(50)) for i in range(2))


@each
def test_boundary_points_share_out_by_measure(sampler):
    box = Box((0, 0), (3, 1))
    points = boundary_points(box, "boundary", sampler, seeded())
    assert points.measure == pytest.approx(8)
    top = points.normal[:, 1] == 1
    assert float(points.weight[top].sum()) == pytest.approx(3)
    assert float((points.x[top, 1] - 1).abs().max()) == 0


def test_share_of_points_follows_the_measure():
    points = boundary_points(Box((0, 0), (3, 1)), "boundary", Uniform(800), seeded())
    assert int((points.normal[:, 1] == 1).sum()) == 300
    assert len(points) == 800


def test_faces_of_one_dimensional_domains_are_single_points():
    points = boundary_points(Interval(-1, 2), "boundary", Uniform(10), seeded())
    assert points.x.tolist() == [[-1], [2]]
    assert points.weight.tolist() == [1, 1]


def test_initial_points():
    points = boundary_points(Interval(0, 2).with_time(3, 4), "initial", GaussLegendre(5), seeded())
    assert points.measure == pytest.approx(2)
    assert bool((points.x[:, 1] == 3).all())


def test_weights_integrate_on_the_region():
    points = interior_points(Rectangle((0, 1), (2, 4)), GaussLegendre(3), seeded())
    assert float((points.weight * points.x[:, 0] * points.x[:, 1] ** 2).sum()) == pytest.approx(42)


@each
@pytest.mark.parametrize("fraction", [0.25, 0.5, 1e-9])
def test_scaled(sampler, fraction):
    fewer = sampler.scaled(fraction, 2)
    assert type(fewer) is type(sampler)
    assert 1 <= fewer.count(2) <= sampler.count(2)
    if fraction == 0.25:
        assert fewer.count(2) == pytest.approx(sampler.count(2) / 4, rel=0.3)


def test_names_of_samplers():
    assert set(sampler_names().values()) == {type(sampler) for sampler in SAMPLERS}


@pytest.mark.parametrize("n", [0, -5, 10.5, True, "10", None])
@pytest.mark.parametrize("kind", [Sobol, LatinHypercube, Uniform, Grid, GaussLegendre])
def test_impossible_counts(kind, n):
    with pytest.raises(SamplingError, match=rf"{kind.__name__}.n: got {n!r}, expected an integer") as caught:
        kind(n)
    assert isinstance(caught.value, ValueError)


def test_numpy_integers_count():
    assert Uniform(np.int64(4)).unit(2, seeded())[0].shape == (4, 2)


@pytest.mark.parametrize("sampler", [Sobol(10**12), Uniform(10**12), Grid(10**4)], ids=repr)
def test_too_many_points_are_refused_before_allocation(sampler):
    with pytest.raises(MemoryBudgetError, match="bytes, the limit is") as caught:
        interior_points(Box((0,) * 3, (1,) * 3), sampler, seeded())
    assert isinstance(caught.value, MemoryError)


class Stuck:
    """A sampler that always gives the same point."""

    def unit(self, dim, generator):
        return torch.full((4, dim), 0.5, dtype=torch.float64), torch.full((4,), 0.25, dtype=torch.float64)

    def count(self, dim):
        return 4

    def scaled(self, fraction, dim):
        return self


def test_coinciding_points_are_refused():
    with pytest.raises(SamplingError, match="all 4 points are"):
        interior_points(Rectangle(), Stuck(), seeded())


def test_a_domain_without_boundary_has_no_boundary_points():
    with pytest.raises(EmptyBoundaryError, match="names no part"):
        boundary_points(Box((0,), (1,), ("t",), "t"), "boundary", Uniform(3), seeded())
