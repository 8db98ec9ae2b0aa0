"""Random fields: their covariances against closed forms and many samples, and the same functions on every grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pdekit.errors import ConfigError
from pdekit.random_fields import Basis, LaplacianField, SquaredExponential

GRID = np.linspace(0.0, 1.0, 9)
SAMPLES = 20_000
FIELDS = [
    SquaredExponential(0.2),
    LaplacianField(sigma=25.0, tau=5.0, basis=Basis.PERIODIC, modes=16),
    LaplacianField(basis=Basis.NEUMANN, modes=16, constant=True),
    LaplacianField(basis=Basis.DIRICHLET, modes=16),
]


def generator(seed=7):
    return torch.Generator().manual_seed(seed)


def green(basis, tau, x, y):
    """Covariance of alpha = 1: the Green's function of -d2/dx2 + tau^2, by images for the two ends."""
    if basis is Basis.PERIODIC:
        return np.cosh(tau * (0.5 - abs(x - y))) / (2 * tau * math.sinh(tau / 2))
    sign = 1.0 if basis is Basis.NEUMANN else -1.0
    return (np.cosh(tau * (1 - abs(x - y))) + sign * np.cosh(tau * (1 - x - y))) / (2 * tau * math.sinh(tau))


@pytest.mark.parametrize("basis", Basis)
def test_covariance_is_the_green_function(basis):
    tau, modes = 5.0, 400
    field = LaplacianField(tau=tau, alpha=1.0, basis=basis, modes=modes, constant=True)
    x = GRID[:, None]
    tail = (
        2 * 2 / (math.pi**2 * modes)
    )  # of sum over k > modes of 2 / (pi k)^2, both factors of sqrt 2 at their largest
    assert np.abs(field.covariance(x, x) - green(basis, tau, x, GRID)).max() < tail


@pytest.mark.parametrize("field", FIELDS, ids=lambda f: type(f).__name__)
def test_samples_have_the_covariance(field):
    values = field.values(field.draw(SAMPLES, generator()), [GRID]).numpy()
    exact = field.covariance(GRID[:, None], GRID[:, None])
    size = exact.diagonal().max()
    # each entry of the sample covariance is off by at most sqrt(2 / SAMPLES) of the variance, one standard deviation
    assert np.abs(values.T @ values / SAMPLES - exact).max() < 5 * math.sqrt(2 / SAMPLES) * size
    assert np.abs(values.mean(axis=0)).max() < 5 * math.sqrt(size / SAMPLES)


@pytest.mark.parametrize("field", FIELDS, ids=lambda f: type(f).__name__)
def test_a_seed_gives_the_same_functions_on_every_grid(field):
    coarse, fine = (field.values(field.draw(3, generator()), [np.linspace(0, 1, n)]) for n in (9, 17))
    assert torch.allclose(coarse, fine[:, ::2], rtol=0, atol=1e-13 * float(coarse.abs().max()))
    assert not torch.equal(field.draw(3, generator(8)), field.draw(3, generator()))


def test_two_dimensions_are_a_product_basis():
    field = LaplacianField(dim=2, tau=3.0, modes=4, constant=True)
    draws = field.draw(2, generator())
    values = field.values(draws, [GRID, GRID])
    x, y = GRID[2], GRID[7]
    root = lambda k: math.sqrt(2) if k else 1.0
    by_hand = sum(
        float(draws[1, j, k]) * root(j) * root(k) * math.cos(math.pi * j * x) * math.cos(math.pi * k * y)
        for j in range(5)
        for k in range(5)
    )
    assert float(values[1, 2, 7]) == pytest.approx(by_hand, abs=1e-13)
    exact = field.covariance(np.array([[x, y]]), np.array([[x, y]]))[0, 0]
    many = field.values(field.draw(SAMPLES, generator()), [np.array([x]), np.array([y])])
    assert float((many**2).mean()) == pytest.approx(exact, rel=5 * math.sqrt(2 / SAMPLES))


def test_scaled_fields_have_the_deviation():
    field = LaplacianField(dim=2, modes=8).scaled(0.3)
    midpoints = [(np.arange(32) + 0.5) / 32] * 2  # this rule is exact for the products of so few cosines
    many = field.values(field.draw(2000, generator()), midpoints)
    assert field.deviation == pytest.approx(0.3)
    assert float((many**2).mean().sqrt()) == pytest.approx(0.3, rel=0.05)


def test_the_polynomial_reproduces_the_process_between_its_nodes():
    field = SquaredExponential(0.05)
    x = np.random.default_rng(3).random(200)
    root = field.values(field._root, [x]).numpy()
    assert np.abs(root.T @ root - field.covariance(x[:, None], x[:, None])).max() < 1e-12


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: LaplacianField(sigma=0.0),
        lambda: LaplacianField(tau=-1.0),
        lambda: LaplacianField(tau=0.0, constant=True),
        lambda: LaplacianField(modes=0),
        lambda: SquaredExponential(0.0),
        lambda: SquaredExponential().draw(0, generator()),
    ],
)
def test_impossible_laws_are_refused(wrong):
    with pytest.raises(ConfigError, match="expected"):
        wrong()
