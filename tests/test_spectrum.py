"""Frequency instruments against closed forms, direct sums and quadrature."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pdekit.errors import (
    ConfigError,
    DtypeError,
    FrequencyError,
    MemoryBudgetError,
    NonFiniteError,
    PdekitError,
    ShapeError,
    SingularSystemError,
)
from pdekit.spectrum import (
    BandHistory,
    BandMeter,
    Cosines,
    DeltaF,
    Even,
    FilterMeter,
    Functions,
    Hann,
    Joined,
    Odd,
    Periodic,
    Sines,
    Waves,
    bands_of,
    converged_at,
    delta_f,
    dominant_frequencies,
    dual_norm,
    eigenmodes_near,
    fourier_sum,
    low_mid_high,
    octaves,
    peaks,
    projection,
    projector,
    spectrum,
)

FOUR = np.array([1.0, 4.0, 8.0, 24.0])
BASES = [Periodic(), Periodic(closed=True), Periodic(padding=3), Odd(), Even()]


def four_modes(x: np.ndarray) -> np.ndarray:
    """Exact solution of the book's example, section 15.5."""
    amplitudes = np.array([1.0, 1 / 4, -1 / 8, 1 / 36])
    return np.sin(np.outer(x, FOUR)) @ amplitudes - x * (np.sin(FOUR) @ amplitudes)


def grid(lower: float = -1.0, upper: float = 1.0, count: int = 1001) -> tuple[np.ndarray, float]:
    return np.linspace(lower, upper, count), (upper - lower) / (count - 1)


def vanishing(shape: tuple[int, ...], seed: int = 20715) -> np.ndarray:
    """Random values, zero on the boundary and so equal at both ends: every basis may be used."""
    values = np.zeros(shape)
    inner = tuple(slice(1, -1) for _ in shape)
    values[inner] = np.random.default_rng(seed).standard_normal([n - 2 for n in shape])
    return values


# Bases and spectra -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("basis", BASES, ids=repr)
@pytest.mark.parametrize("shape", [(9,), (8,), (3,), (7, 6), (5, 4, 6)])
def test_parseval(basis, shape):
    values, spacing = vanishing(shape), np.linspace(0.1, 0.3, len(shape))
    meter = BandMeter(values, spacing, basis=basis)
    assert meter.energies(values).sum() == pytest.approx((values**2).sum() * spacing.prod(), rel=1e-13)


def test_parseval_of_even_is_the_trapezoid_rule():
    values = np.random.default_rng(4).standard_normal((11, 8))
    ends = [np.r_[0.5, np.ones(n - 2), 0.5] for n in values.shape]
    quadrature = np.einsum("ij,i,j->", values**2, *ends) * 0.2 * 0.7
    assert BandMeter(values, (0.2, 0.7)).energies(values).sum() == pytest.approx(quadrature, rel=1e-13)


@pytest.mark.parametrize(("basis", "function"), [(Odd(), np.sin), (Even(), np.cos)])
@pytest.mark.parametrize("order", [1, 3, 14])
def test_real_bases_read_the_height_of_their_modes(basis, function, order):
    x, h = grid(0.5, 2.5, 17)
    k = order * np.pi / 2.0
    of = spectrum(0.7 * function(k * (x - 0.5)), h, basis=basis)
    at = int(np.abs(of.wavenumbers[0] - k).argmin())
    assert of.wavenumbers[0][at] == pytest.approx(k, rel=1e-14)
    assert of.amplitude[at] == pytest.approx(0.7, rel=1e-12)
    assert np.abs(np.delete(of.amplitude, at)).max() < 1e-14


@pytest.mark.parametrize("basis", [Periodic(), Periodic(closed=True)], ids=repr)
def test_periodic_amplitudes_are_the_complex_fourier_coefficients(basis):
    """Against the defining sum, in two dimensions."""
    period = np.array([2.0, 3.0])
    counts = np.array([8, 9])
    axes = [np.arange(n + basis.closed) * (p / n) for n, p in zip(counts, period, strict=True)]
    x, y = np.meshgrid(*axes, indexing="ij")
    values = 2.0 + np.cos(2 * np.pi * (x - 2 * y / 3)) + 0.5 * np.sin(4 * np.pi * y / 3)
    of = spectrum(values, tuple(period / counts), basis=basis)
    body = values[: counts[0], : counts[1]]
    for i, j in itertools.product(range(8), range(9)):
        wave = np.exp(-1j * (of.wavenumbers[0][i] * x + of.wavenumbers[1][j] * y))[: counts[0], : counts[1]]
        assert of.amplitude[i, j] == pytest.approx((body * wave).mean(), abs=1e-13)
    assert of.amplitude[0, 0] == pytest.approx(2.0)
    assert of.radius[1, 0] == pytest.approx(np.pi)


def test_both_ends_of_the_grid_do_not_leak_when_the_period_is_declared_closed():
    x, h = grid(0.0, 2 * np.pi, 65)
    right = spectrum(np.sin(5 * x), h, basis=Periodic(closed=True)).magnitude
    wrong = spectrum(np.sin(5 * x), h, basis=Periodic()).magnitude
    assert np.sort(right)[:-2].max() < 1e-15
    assert np.sort(wrong)[:-2].max() > 1e-2


def test_closed_period_is_the_trapezoid_rule():
    x, h = grid(0.0, 2.0, 33)
    of = spectrum(np.exp(x), h, basis=Periodic(closed=True))
    expected = [np.trapezoid(np.exp(x) * np.exp(-1j * k * x), x) / 2.0 for k in of.wavenumbers[0]]
    assert of.amplitude == pytest.approx(np.array(expected), abs=1e-14)


def test_even_basis_reads_the_constant_and_the_sawtooth():
    amplitude = spectrum(3.0 + 0.5 * (-1.0) ** np.arange(9), 0.1, basis=Even()).amplitude
    assert amplitude[[0, -1]] == pytest.approx([3.0, 0.5])
    assert np.abs(amplitude[1:-1]).max() < 1e-14


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(float, (2, 6, 5), elements=st.floats(-1, 1)), st.floats(-3, 3), st.sampled_from(BASES))
def test_spectrum_is_linear(pair, factor, basis):
    a, b, both = (
        spectrum(values, (0.1, 0.3), basis=basis, window=Hann(), detrend=True).amplitude
        for values in (*pair, pair[0] + factor * pair[1])
    )
    assert both == pytest.approx(a + factor * b, abs=1e-12)


def test_window_keeps_amplitudes_and_stops_leakage():
    x, h = grid(0.0, 1.0, 257)
    tone = np.cos(2 * np.pi * 20.5 * x)  # half way between two bins: the worst case
    far = np.abs(2 * np.pi * np.fft.fftfreq(256, h)) > 2 * np.pi * 40
    plain = spectrum(tone, h, basis=Periodic(closed=True)).magnitude
    tapered = spectrum(tone, h, basis=Periodic(closed=True), window=Hann()).magnitude
    assert tapered[far].max() < 0.01 * plain[far].max()
    on_bin = spectrum(np.cos(2 * np.pi * 20 * x), h, basis=Periodic(closed=True), window=Hann())
    assert on_bin.magnitude.max() == pytest.approx(0.5, rel=1e-12)
    fine = spectrum(tone, h, basis=Periodic(closed=True, padding=8), window=Hann())
    assert fine.magnitude.max() == pytest.approx(0.5, rel=1e-3)


def test_detrend_removes_an_affine_function():
    x, y = np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 2, 7), indexing="ij")
    assert spectrum(1 + 2 * x - 3 * y, (1 / 8, 1 / 3), basis=Even(), detrend=True).magnitude.max() < 1e-14


def test_the_books_reference_has_three_peaks():
    x, h = grid()
    of = spectrum(four_modes(x), h, basis=Periodic(closed=True, padding=8), window=Hann())
    found = peaks(of, count=10, floor=0.05)
    assert len(found.index) == 3  # 1 and 4 are closer than 2 pi / L
    assert found.wavevectors[:, 0] == pytest.approx([3.14, 9.42, 24.0], abs=0.1)
    orders = eigenmodes_near(four_modes(x), h, found.wavevectors)
    assert orders[:, 0].tolist() == [2, 6, 16]  # sin(pi x), sin(3 pi x), sin(8 pi x): odd about the middle


@pytest.mark.parametrize(
    ("vectors", "shape"),
    [([[3]], (32,)), ([[2, -3], [5, 1]], (24, 20)), ([[0, 2, 1], [3, 0, -1], [1, 5, -3]], (12, 12, 12))],
)
def test_peaks_find_plane_waves(vectors, shape):
    axes = np.meshgrid(*[np.arange(n) * 2 * np.pi / n for n in shape], indexing="ij")
    heights = np.arange(1, len(vectors) + 1)
    values = sum(
        a * np.cos(sum(k * x for k, x in zip(v, axes, strict=True))) for a, v in zip(heights, vectors, strict=True)
    )
    found = peaks(spectrum(values, tuple(2 * np.pi / n for n in shape)), count=9)
    got = {tuple(v): abs(a) for v, a in zip(found.wavevectors.round(9), found.amplitude, strict=True)}
    assert got == {tuple(map(float, v)): pytest.approx(a / 2) for a, v in zip(heights, vectors, strict=True)}
    strongest = peaks(spectrum(values, tuple(2 * np.pi / n for n in shape)), count=1)
    assert abs(strongest.amplitude[0]) == pytest.approx(heights[-1] / 2)


def test_peaks_of_the_constant_and_of_a_real_basis():
    assert peaks(spectrum(np.full(8, 3.0), 0.1), 2).wavevectors.tolist() == [[0.0]]
    x, h = grid(0.0, np.pi, 33)
    found = peaks(spectrum(np.sin(x) + 0.2 * np.sin(31 * x), h, basis=Odd()), 5)
    assert found.wavevectors[:, 0] == pytest.approx([1.0, 31.0])


@pytest.mark.parametrize("k", [6 * np.pi, 24.0, 31.7, 100.3])
def test_dominant_frequency_off_the_bins(k):
    x, h = grid(count=801)
    found = dominant_frequencies(np.sin(k * x) + 3 + 2 * x, h, 1)
    assert found.shape == (1, 1)
    assert abs(found[0, 0] - k) < 0.1 * np.pi  # a tenth of a bin


def test_dominant_frequencies_strongest_first_in_two_dimensions():
    x, y = np.meshgrid(np.linspace(-1, 1, 201), np.linspace(-1, 1, 161), indexing="ij")
    values = np.sin(22 * x) * np.sin(22 * y) + 5 * np.sin(60 * x) * np.cos(35 * y)
    found = dominant_frequencies(values, (0.01, 0.0125), 4)
    assert found == pytest.approx(np.array([[60.0, 35.0], [22.0, 22.0]]), abs=0.1 * np.pi)
    assert dominant_frequencies(1 + x - y, (0.01, 0.0125)).shape == (0, 2)


# Projection and Delta_F --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_projection_recovers_coefficients_at_random_points(dim):
    rng = np.random.default_rng(31)
    points = rng.uniform(-1, 1, (400, dim))
    modes = Joined((Sines.of(rng.uniform(2, 9, (4, dim))), Cosines.of(rng.uniform(0, 9, (3, dim)))))
    truth = rng.standard_normal((7, 2))
    found = projection(modes.matrix(points) @ truth, points, modes, rng.uniform(0.5, 1.5, 400))
    assert found.coefficients == pytest.approx(truth, abs=1e-10)
    assert found.remainder < 1e-12
    assert 1 < found.condition < 1e4


def test_projection_on_waves_that_are_not_orthogonal():
    rng = np.random.default_rng(12)
    points, modes = rng.uniform(-1, 1, (50, 2)), Waves.of([[1, 2], [3, -1], [0, 4], [-2, -2]])
    truth = rng.standard_normal(4) + 1j * rng.standard_normal(4)
    found = projection(modes.matrix(points) @ truth, points, modes)
    assert found.condition > 1.1
    assert found.coefficients == pytest.approx(truth, abs=1e-12)


@pytest.mark.parametrize("k", [4.6, 5.4])
@pytest.mark.parametrize("order", [4, 5, 6])
def test_eigenmode_near_is_the_strongest_of_three(k, order):
    x, y = np.meshgrid(np.linspace(0, np.pi, 21), np.linspace(0, np.pi, 17), indexing="ij")
    values = np.sin(order * x) * np.sin(15 * y) + 0.1 * np.sin(5 * x) * np.sin(14 * y) + 9 * np.sin(x) * np.sin(y)
    assert eigenmodes_near(values, (np.pi / 20, np.pi / 16), [[k, 15.3]]).tolist() == [[order, 15]]


def test_projection_with_weights_is_the_least_squares_solution():
    rng = np.random.default_rng(9)
    points, weights, values = rng.uniform(0, 1, (30, 1)), rng.uniform(0, 2, 30), rng.standard_normal(30)
    modes = Functions(
        (("one", lambda x: np.ones(len(x))), ("x", lambda x: x[:, 0]), ("exp", lambda x: np.exp(x[:, 0])))
    )
    matrix = np.stack([np.ones(30), points[:, 0], np.exp(points[:, 0])], 1)
    normal = np.linalg.solve(matrix.T @ (weights[:, None] * matrix), matrix.T @ (weights * values))
    found = projection(values, points, modes, weights)
    assert found.coefficients == pytest.approx(normal, rel=1e-8)
    left = values - matrix @ normal
    assert found.remainder == pytest.approx(np.sqrt((weights * left**2).sum() / (weights * values**2).sum()), rel=1e-8)


def test_condition_is_one_for_box_modes_and_stated_for_others():
    x, _ = grid(count=101)
    assert projector(x[:, None], Sines.on_box([1, 2, 7], [-1], [1])).condition == pytest.approx(1, abs=1e-12)
    gram = np.array([[np.trapezoid(np.sin(a * x) * np.sin(b * x), x) for a in FOUR] for b in FOUR])
    scale = np.sqrt(np.diag(gram))
    weights = np.r_[0.5, np.ones(99), 0.5]
    expected = np.sqrt(np.linalg.cond(gram / np.outer(scale, scale)))
    assert projector(x[:, None], Sines.of(FOUR), weights).condition == pytest.approx(expected, rel=1e-10)


def test_fourier_sum_is_the_fft_on_a_grid():
    values = np.random.default_rng(3).standard_normal(16)
    k = 2 * np.pi * np.fft.fftfreq(16, 1 / 16)
    assert fourier_sum(values, np.arange(16)[:, None] / 16, k) == pytest.approx(np.fft.fft(values) / 16, abs=1e-14)


def test_waves_at_fft_frequencies_are_fft_bins():
    x = np.arange(32)[:, None] / 32
    rng = np.random.default_rng(17)
    reference, values = rng.standard_normal((2, 32))
    bins = np.array([1, 5, 11])
    hat, hat_ref = np.fft.fft(values)[bins], np.fft.fft(reference)[bins]
    meter = DeltaF(reference, x, Waves.of(2 * np.pi * bins))
    assert meter(values) == pytest.approx(np.abs(hat - hat_ref) / np.abs(hat_ref), rel=1e-12)
    assert meter.condition == pytest.approx(1)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(float, 4, elements=st.floats(-2, 2)))
def test_delta_f_separates_the_errors_of_overlapping_modes(relative):
    """sin x, sin 4x, sin 8x, sin 24x on (-1, 1) are not orthogonal, yet each error is read alone."""
    x, _ = grid()
    amplitudes = np.array([1.0, 1 / 4, -1 / 8, 1 / 36])
    matrix = np.sin(np.outer(x, FOUR))
    found = delta_f(matrix @ (amplitudes * (1 + relative)), matrix @ amplitudes, x[:, None], Sines.of(FOUR))
    assert found == pytest.approx(np.abs(relative), abs=1e-11)


def test_fft_bins_do_not_separate_them():
    """The reason for least squares: with an error in sin x alone, the bins next to 8 read a large relative error."""
    x, h = grid()
    reference = np.sin(np.outer(x, FOUR)) @ [1.0, 1 / 4, -1 / 8, 1 / 36]
    error = spectrum(0.1 * np.sin(x), h, basis=Periodic(closed=True, padding=4))
    whole = spectrum(reference, h, basis=Periodic(closed=True, padding=4))
    bins = [int(np.abs(whole.wavenumbers[0] - k).argmin()) for k in (8.0, 24.0)]
    assert (error.magnitude / whole.magnitude)[bins].max() > 0.02
    found = delta_f(reference + 0.1 * np.sin(x), reference, x[:, None], Sines.of(FOUR))
    assert found == pytest.approx([0.1, 0, 0, 0], abs=1e-12)


def test_eigenmodes_show_the_order_of_jacobi_and_the_building_blocks_blur_it():
    """Jacobi from zero: the error of sin(m pi x) is cos(m pi h)^n, an independent closed form."""
    x, h = grid()
    reference = four_modes(x)
    m = np.arange(1, 500)
    sines = np.sin(np.outer(x, m * np.pi))
    initial = -h * sines.T @ reference
    box = DeltaF(reference, x[:, None], Sines.on_box([2, 6, 16], [-1], [1]))
    blocks = DeltaF(reference, x[:, None], Sines.of(FOUR))
    for sweeps in (100, 1_000, 10_000):
        iterate = reference + sines @ (initial * np.cos(m * np.pi * h) ** sweeps)
        exact = np.cos(np.array([1, 3, 8]) * np.pi * h) ** sweeps
        assert box(iterate) == pytest.approx(exact, rel=1e-8, abs=1e-12)
    assert box(iterate)[2] < 1e-5
    assert blocks(iterate)[3] > 0.1  # leaked from sin(pi x)


def test_delta_f_is_scale_invariant_and_handles_components():
    rng = np.random.default_rng(8)
    x = rng.uniform(-1, 1, (60, 2))
    reference, values = rng.standard_normal((2, 60, 3))
    modes = Sines.of([[1, 2], [3, 1], [0.5, 0.5]])
    both = DeltaF(reference, x, modes)(values)
    assert both.shape == (3, 3)
    assert DeltaF(1e-9 * reference, x, modes)(1e-9 * values) == pytest.approx(both, rel=1e-10)
    assert DeltaF(reference[:, 1], x, modes)(values[:, 1]) == pytest.approx(both[:, 1], rel=1e-12)
    assert not DeltaF(reference, x, modes)(reference).any()


# Bands -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_each_mode_is_counted_in_its_octave(dim):
    count = 17
    axes = np.meshgrid(*[np.linspace(0, 1, count)] * dim, indexing="ij")
    orders = [(1,) * dim, (3,) + (1,) * (dim - 1), (13,) + (2,) * (dim - 1)]
    modes = [np.prod([np.sin(j * np.pi * x) for j, x in zip(o, axes, strict=True)], axis=0) for o in orders]
    relative = [0.5, 0.02, 0.3]
    error = sum(r * mode for r, mode in zip(relative, modes, strict=True))
    bands = bands_of(error, sum(modes), 1 / (count - 1), basis=Odd())
    at = [int(np.searchsorted(bands.edges, np.pi * np.linalg.norm(o) * (1 + 1e-12))) - 1 for o in orders]
    assert len(set(at)) == 3
    assert bands.relative[at] == pytest.approx(relative, rel=1e-10)
    assert np.delete(bands.error_energy, at).max() < 1e-25
    assert bands.error_energy[at] == pytest.approx(np.square(relative) / 2**dim, rel=1e-12)


def test_bands_of_functions_that_do_not_vanish_on_the_boundary():
    """An even basis does not see a constant error as high frequencies, an odd one does."""
    x, h = grid(0, 1, 129)
    reference = np.cos(np.pi * x) + 0.1 * np.cos(40 * np.pi * x)
    even, odd = (bands_of(np.full_like(x, 0.3), reference, h, basis=b) for b in (Even(), Odd()))
    assert even.error_energy[0] == pytest.approx(0.09, rel=1e-12)
    assert even.error_energy[1:].max() < 1e-28
    assert odd.error_energy[3:].sum() > 1e-3


def test_bands_report():
    x, h = grid(0, np.pi, 65)
    bands = bands_of(0.2 * np.cos(x), np.cos(x) + 2 * np.cos(20 * x), h)
    assert bands.total == pytest.approx(0.2 / np.sqrt(5))
    assert np.sqrt((bands.share**2).sum()) == pytest.approx(bands.total)
    assert bands.edges.tolist() == pytest.approx([1, 2, 4, 8, 16, 32, 64])
    assert bands.labels[:2] == ("1-2", "2-4")
    assert bands.rows()[0]["relative"] == pytest.approx(0.2)
    assert np.isfinite(bands.relative).all()


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(float, (2, 9, 7), elements=st.floats(-1, 1).map(lambda v: round(v, 6))), st.floats(1e-6, 1e6))
def test_bands_scale_and_add_up(pair, factor):
    error, reference = pair
    reference = reference + np.eye(9, 7)
    if not reference.any():
        return
    one, scaled = (bands_of(s * error, s * reference, (0.1, 0.2)) for s in (1.0, factor))
    assert scaled.relative == pytest.approx(one.relative, rel=1e-6, abs=1e-12)
    doubled = bands_of(2 * error, reference, (0.1, 0.2))
    assert doubled.relative == pytest.approx(2 * one.relative, rel=1e-9, abs=1e-12)
    ends = [np.r_[0.5, np.ones(n - 2), 0.5] for n in error.shape]
    assert one.error_energy.sum() == pytest.approx(np.einsum("ij,i,j->", error**2, *ends) * 0.02, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(("lowest", "highest"), [(1.0, 1.3), (np.pi, 500 * np.pi), (0.5, 64.0)])
def test_octaves_cover_the_range_in_whole_octaves(lowest, highest):
    edges = octaves(lowest, highest)
    assert (edges[0], edges[-1]) == (lowest, highest)
    assert np.diff(np.log2(edges))[:-1] == pytest.approx(1)
    assert len(edges) == 2 or 0.49 < np.log2(edges[-1] / edges[-2]) < 1.51


def test_low_mid_high_as_edges():
    x, h = grid(0, 1, 1001)
    edges = low_mid_high(np.pi, np.pi / h)
    bands = bands_of(np.sin(400 * np.pi * x), np.sin(np.pi * x) + np.sin(400 * np.pi * x), h, edges=edges, basis=Odd())
    assert bands.relative == pytest.approx([0, 0, 1], abs=1e-6)  # an empty band is compared with 1e-12 of the energy


# Convergence of bands ----------------------------------------------------------------------------------------


def test_converged_at_means_for_good():
    steps = [0, 5, 10, 20, 40]
    errors = [[1, 1, 1, 0], [0.1, 0.1, 1, 0], [0.1, 0.5, 1, 0], [0.1, 0.1, 1, 0], [0.1, 0.1, np.nan, 0]]
    assert converged_at(steps, errors, 0.2) == (5, 20, None, 0)
    assert converged_at([], [], 0.2) == ()


@pytest.mark.parametrize("sign", [1, -1], ids=["network: low first", "relaxation: high first"])
def test_orders_of_convergence_are_recovered(sign):
    """Octave j decays at rate 2^(-sign j): a network's F-principle and its converse."""
    x, h = grid(0, np.pi, 257)
    orders = np.array([1, 2, 4, 8, 16, 32])
    modes = np.sin(np.outer(x, orders))
    rates = 0.5 * 2.0 ** (-sign * np.arange(6))
    meter = BandMeter(modes.sum(axis=1), h, edges=octaves(1.0, 64.0), basis=Odd())
    history = BandHistory(labels=tuple(f"{k}" for k in orders))
    for step in range(0, 400, 2):
        history = history.appended(step, meter(modes @ np.exp(-rates * step)).relative)
    expected = [int(2 * np.ceil(np.log(1 / 0.2) / rate / 2)) for rate in rates]
    found = history.converged_at(0.2)
    assert [f if f is not None else 400 for f in found] == [min(e, 400) for e in expected]
    times = [f for f in found if f is not None]
    assert times == sorted(times, reverse=sign < 0)


# Dual norm ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orders", [(1,), (6,), (2, 5), (1, 1), (3, 1, 2)])
def test_dual_norm_is_exact_on_eigenmodes(orders):
    lengths = np.array([2.0, 0.5, 3.0])[: len(orders)]
    shape = np.array([9, 12, 7])[: len(orders)]
    axes = np.meshgrid(*[np.linspace(0, s, n + 2)[1:-1] for s, n in zip(lengths, shape, strict=True)], indexing="ij")
    k = np.pi * np.array(orders) / lengths
    error = np.prod([np.sin(a * x) for a, x in zip(k, axes, strict=True)], axis=0)
    energy = np.sqrt((k @ k) * np.prod(lengths / 2))
    assert dual_norm((k @ k) * error, lengths) == pytest.approx(energy, rel=1e-13)


def test_dual_norm_converges_to_the_energy_of_the_error():
    """e = x (1 - x) exp(x) on (0, 1): r = -e'' does not vanish at the ends."""
    fine = np.linspace(0, 1, 20_001)
    energy = np.sqrt(np.trapezoid(((1 - fine - fine**2) * np.exp(fine)) ** 2, fine))
    gaps = []
    for n in (15, 31, 63, 127):
        x = np.linspace(0, 1, n + 2)[1:-1]
        gaps.append(abs(dual_norm((3 * x + x**2) * np.exp(x), 1.0) / energy - 1))
    assert gaps[-1] < 5e-4  # effectivity 1.000
    assert all(coarse / fine_gap > 3.5 for coarse, fine_gap in itertools.pairwise(gaps))  # order 2


def test_dual_norm_in_two_dimensions_against_quadrature():
    """e = x (1-x) y (1-y): int |grad e|^2 = 2 * (1/3) * (1/30)."""
    x = np.linspace(0, 1, 130)[1:-1]
    a, b = np.meshgrid(x * (1 - x), x * (1 - x), indexing="ij")
    assert dual_norm(2 * (a + b), 1.0) == pytest.approx(np.sqrt(2 / 3 / 30), rel=1e-3)


def test_dual_norm_weighs_a_residual_by_its_wave_number():
    x = np.linspace(0, 1, 201)[1:-1]
    low, high = (dual_norm(np.sin(j * np.pi * x), 1.0) for j in (1, 50))
    assert low / high == pytest.approx(50, rel=1e-12)
    assert dual_norm([[2.0]], (1.0, 1.0)) == pytest.approx(2.0 * 0.5 / np.sqrt(2 * np.pi**2))


# Scattered points --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_filter_tells_low_errors_from_high_ones(dim):
    rng = np.random.default_rng(77)
    points = rng.uniform(-1, 1, (1500, dim))
    low, high = np.sin(1.5 * points[:, 0]), np.sin(25 * points[:, 0])
    meter = FilterMeter(low + high, points, cutoff=5.0 if dim < 5 else 3.0)
    of_low, of_high = meter(0.1 * low), meter(0.1 * high)
    assert of_low.low > 3 * of_high.low
    assert of_high.high > 2 * of_low.high
    assert meter(0.1 * (low + high)).low == pytest.approx(0.1)
    assert meter.neighbours > 2


def test_filter_passes_the_gaussian_of_the_cutoff():
    """On a fine periodic stretch the low part of sin kx is exp(-k^2 / (2 cutoff^2)) of it."""
    x = np.linspace(-4 * np.pi, 4 * np.pi, 1601)
    middle = (np.abs(x) < 2 * np.pi).astype(float)
    for k, cutoff in ((2.0, 2.0), (3.0, 5.0)):
        meter = FilterMeter(np.sin(k * x), x[:, None], cutoff)
        low = meter.low(np.sin(k * x))
        assert np.abs(low - np.exp(-((k / cutoff) ** 2) / 2) * np.sin(k * x))[middle > 0].max() < 1e-6


# Bad input ---------------------------------------------------------------------------------------------------

X = np.linspace(-1, 1, 21)[:, None]
NAN = np.where(np.arange(21) == 4, np.nan, 1.0)

BAD = {
    "spectrum of NaN": (lambda: spectrum(NAN, 0.1), NonFiniteError, "index (4,)"),
    "spectrum of text": (lambda: spectrum(["a", "b", "c"], 0.1), DtypeError, "values"),
    "spectrum of a number": (lambda: spectrum(1.0, 0.1), ShapeError, "shape ()"),
    "spectrum of two points": (lambda: spectrum([1.0, 2.0], 0.1), ShapeError, "at least 3"),
    "column instead of a line": (lambda: spectrum(np.ones((5, 1)), 0.1), ShapeError, "(5, 1)"),
    "spacings": (lambda: spectrum(np.ones(5), (0.1, 0.2)), ShapeError, "spacing"),
    "spacing zero": (lambda: spectrum(np.ones(5), 0.0), ShapeError, "positive"),
    "bases": (lambda: spectrum(np.ones(5), 0.1, basis=(Odd(), Odd())), ShapeError, "got 2, expected 1"),
    "padding": (lambda: Periodic(padding=0), ConfigError, "padding=0"),
    "no peaks": (lambda: peaks(spectrum(np.ones(5), 0.1), 0), ConfigError, "count=0"),
    "points (n,)": (lambda: projection(np.ones(21), X[:, 0], Sines.of([1])), ShapeError, "x[:, None]"),
    "values too few": (lambda: projection(np.ones(20), X, Sines.of([1])), ShapeError, "(20,)"),
    "weights too few": (lambda: projection(np.ones(21), X, Sines.of([1]), np.ones(3)), ShapeError, "(3,)"),
    "weights negative": (lambda: projection(np.ones(21), X, Sines.of([1]), -np.ones(21)), ShapeError, "negative"),
    "weights column": (lambda: projection(np.ones(21), X, Sines.of([1]), np.ones((21, 1))), ShapeError, "(21, 1)"),
    "above Nyquist": (lambda: projection(np.ones(21), X, Sines.of([1, 32])), FrequencyError, "k = 32"),
    "above Nyquist N": (lambda: projection(np.ones(21), X, Sines.of([1, 32])), FrequencyError, "N = 21"),
    "modes of other dimension": (lambda: projection(np.ones(21), X, Sines.of([[1, 2]])), ShapeError, "coordinates"),
    "no modes": (lambda: Sines.of([]), ShapeError, "(0,)"),
    "modes alike": (lambda: projector(X, Sines.of([3, 3])), SingularSystemError, "k=3"),
    "modes nearly alike": (lambda: projector(X, Waves.of([3, 3 + 1e-9])), SingularSystemError, "condition"),
    "mode zero on the points": (lambda: projector(X, Sines.on_box([20], [-1], [1])), SingularSystemError, "zero"),
    "modes too many": (lambda: projector(X[:2], Sines.of([0.1, 0.2, 0.3])), SingularSystemError, "3 modes on 2 points"),
    "mode infinite": (lambda: projector(X, Functions((("1/x", lambda x: np.nan * x[:, 0]),))), PdekitError, "1/x"),
    "fourier_sum": (lambda: fourier_sum(np.ones(21), X, [[1, 2]]), ShapeError, "expected 1"),
    "reference without mode": (lambda: DeltaF(np.cos(X[:, 0]), X, Sines.of([4])), FrequencyError, "k=4"),
    "reference zero": (lambda: DeltaF(np.zeros(21), X, Sines.of([4])), FrequencyError, "k=4"),
    "(n,1) against (n,)": (lambda: DeltaF(X[:, 0], X, Sines.of([4]))(X), ShapeError, "(21, 1)"),
    "diverged": (lambda: DeltaF(X[:, 0], X, Sines.of([4]))(NAN), NonFiniteError, "1 of 21"),
    "bands of other grid": (lambda: bands_of(np.ones(5), np.ones(6), 0.1), ShapeError, "(5,)"),
    "bands without reference": (lambda: bands_of(np.ones(5), np.zeros(5), 0.1), FrequencyError, "zero everywhere"),
    "edges above Nyquist": (lambda: bands_of(np.ones(5), np.ones(5), 0.1, edges=[1, 40, 80]), FrequencyError, "N = 5"),
    "edges falling": (lambda: bands_of(np.ones(5), np.ones(5), 0.1, edges=[4, 2, 1]), FrequencyError, "rising"),
    "octaves": (lambda: octaves(4.0, 2.0), FrequencyError, "4.0 and 2.0"),
    "low_mid_high": (lambda: low_mid_high(0.0, 2.0), FrequencyError, "0.0"),
    "history rows": (lambda: BandHistory((1, 2), ((1.0,),)), ShapeError, "2 steps"),
    "history widths": (lambda: BandHistory((1,), ((1.0,),)).appended(2, [1.0, 2.0]), ShapeError, "[1, 2]"),
    "history order": (lambda: BandHistory((2,), ((1.0,),)).appended(2, [1.0]), ConfigError, "rising"),
    "dual norm of NaN": (lambda: dual_norm(NAN, 1.0), NonFiniteError, "residual"),
    "dual norm complex": (lambda: dual_norm(1j * np.ones(5), 1.0), DtypeError, "complex"),
    "dual norm lengths": (lambda: dual_norm(np.ones(5), -1.0), ShapeError, "positive"),
    "filter too fine": (lambda: FilterMeter(X[:, 0], X, 1e3), FrequencyError, "neighbours"),
    "filter cutoff": (lambda: FilterMeter(X[:, 0], X, 0.0), FrequencyError, "cutoff=0.0"),
    "filter too large": (lambda: FilterMeter(np.ones(20_001), np.ones((20_001, 1)), 1.0), MemoryBudgetError, "GB"),
}


@pytest.mark.parametrize(("call", "error", "text"), BAD.values(), ids=BAD.keys())
def test_bad_input(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
    assert isinstance(caught.value, PdekitError)


def test_frequency_error_is_a_value_error():
    assert issubclass(FrequencyError, ValueError)
