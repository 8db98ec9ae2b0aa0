"""Instruments over whole runs and of roughness, against single calls and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from pdekit.errors import ConfigError, FrequencyError, PdekitError, ShapeError
from pdekit.spectrum import (
    DeltaF,
    Even,
    Periodic,
    Waves,
    band_energies,
    bands_of,
    centroid,
    fourier_sum,
    principal_direction,
    radial_mean,
    settled_at,
    spectrum,
    total_variation,
)

N = 40
X = np.linspace(-np.pi, np.pi, N, endpoint=False)
TARGET = np.sin(X) + np.cos(3 * X)


def test_delta_of_each_function_is_that_of_one():
    meter = DeltaF(TARGET, X[:, None], Waves.of([1, 3]))
    values = np.random.default_rng(5).standard_normal((3, 2, N))
    one_by_one = [[meter(function) for function in row] for row in values]
    np.testing.assert_allclose(meter.each(values), one_by_one, rtol=1e-12)


def test_delta_on_a_periodic_grid_is_the_bin_of_the_fourier_transform():
    values = np.random.default_rng(6).standard_normal(N)
    found = DeltaF(TARGET, X[:, None], Waves.of([1, 3])).each(values)
    bins, reference = np.fft.fft(values), np.fft.fft(TARGET)
    np.testing.assert_allclose(found, (np.abs(bins - reference) / np.abs(reference))[[1, 3]], rtol=1e-10)


def test_settling_needs_the_whole_hold():
    errors = np.array([[0.0, 1, 1], [1, 0, np.nan], [0, 0, 0], [0, 0, 0], [0, 1, 0]])
    steps = [0, 1, 5, 7, 9]
    assert settled_at(steps, errors, 0.5, hold=3).tolist() == [5, 1, 5]
    assert settled_at(steps, errors, 0.5, hold=1).tolist() == [0, 1, 5]
    assert settled_at(steps, errors, 0.5, hold=4).tolist() == [np.inf] * 3
    assert settled_at(steps, errors, 0.5, hold=6).tolist() == [np.inf] * 3
    assert settled_at(steps, errors[:, :, None], 0.5, hold=3).shape == (3, 1)


def test_band_energies_are_those_of_a_band_meter():
    x = np.linspace(0.0, 1.0, 33)
    values = np.random.default_rng(7).standard_normal((2, 3, 33))
    edges = [0.0, 10.0, 40.0, 100.0]
    found = band_energies(values, x[1], edges, basis=Even())
    expected = [[bands_of(f, f, x[1], edges=edges).error_energy for f in row] for row in values]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_band_energies_add_up_to_the_norm():
    values = np.random.default_rng(8).standard_normal((4, N))
    found = band_energies(values, X[1] - X[0], [0, 2, 9], basis=Periodic())
    np.testing.assert_allclose(found.sum(-1), (values**2).sum(-1) * (X[1] - X[0]), rtol=1e-12)


def test_centroid_lies_between_two_waves_by_their_energy():
    found = spectrum(np.sin(2 * X) + 2 * np.cos(7 * X), X[1] - X[0])
    assert centroid(found) == pytest.approx((2 * 1 + 7 * 4) / 5, rel=1e-12)


def test_radial_mean_of_one_ring():
    x, y = np.meshgrid(X, X, indexing="ij")
    found = radial_mean(spectrum(np.cos(3 * x + 4 * y), X[1] - X[0]), [4.5, 5.5, 5.6, 5.7])
    ring = sum(4.5 <= np.hypot(a, b) < 5.5 for a in range(-20, 20) for b in range(-20, 20))
    np.testing.assert_allclose(found[0], 2 * 0.5 / ring, rtol=1e-12)
    assert np.isnan(found[1]) and found[2] < 1e-12  # no integers with a^2 + b^2 = 31; 32 = 4^2 + 4^2


def test_total_variation_of_whole_waves():
    fine = np.linspace(0.0, 2 * np.pi, 4001)
    np.testing.assert_allclose(total_variation([np.sin(fine), np.sin(5 * fine)]), [4, 20], rtol=1e-5)


def test_principal_direction_is_the_axis_of_largest_variance():
    rng = np.random.default_rng(9)
    axes = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    points = (rng.standard_normal((400, 5)) * [1, 1, 9, 1, 1]) @ axes.T + 100
    found = principal_direction(points)
    assert abs(found @ axes[:, 2]) > 0.99 and found[np.abs(found).argmax()] > 0
    largest = np.linalg.eigh(np.cov(points.T))
    assert abs(found @ largest.eigenvectors[:, -1]) == pytest.approx(1, abs=1e-12)


def test_spectrum_along_a_direction():
    """Two points at +v/2 and -v/2 with the values 1 and -1 give -i sin(k |v|^2 / 2)."""
    v = np.array([1.0, 2.0])
    k = np.linspace(0, 3, 7)
    found = fourier_sum(np.array([1.0, -1.0]), np.array([v / 2, -v / 2]), np.outer(k, v))
    np.testing.assert_allclose(found, -1j * np.sin(k * 2.5), atol=1e-14)


METER = DeltaF(TARGET, X[:, None], Waves.of([1, 3]))
BAD = {
    "each of another grid": (lambda: METER.each(np.ones((2, N + 1))), ShapeError, f"({N},)"),
    "each of a column": (lambda: METER.each(np.ones((N, 1))), ShapeError, "(..., n)"),
    "settled without rows": (lambda: settled_at([0, 1], [[1.0]], 0.1), ShapeError, "(2,)"),
    "hold of nothing": (lambda: settled_at([0], [[1.0]], 0.1, hold=0), ConfigError, "hold"),
    "bands of two points": (lambda: band_energies([1.0, 2.0], 1.0, [0, 1]), ShapeError, "at least 3"),
    "bands above Nyquist": (lambda: band_energies(np.ones(8), 1.0, [0, 4, 5]), FrequencyError, "Nyquist"),
    "shells falling": (lambda: radial_mean(spectrum(TARGET, 1.0), [2, 1]), FrequencyError, "rising"),
    "centroid of zero": (lambda: centroid(spectrum(np.zeros(8), 1.0)), FrequencyError, "zero"),
    "direction of a line": (lambda: principal_direction(np.ones(5)), ShapeError, "(n, d)"),
}


@pytest.mark.parametrize(("call", "error", "text"), BAD.values(), ids=BAD.keys())
def test_bad_input(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
    assert isinstance(caught.value, PdekitError)
