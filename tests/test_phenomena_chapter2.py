"""Chapter 2: closed forms against quadrature, enumeration and recursion; sampling laws; every experiment at a tiny size."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from pdekit.codec import encode
from pdekit.errors import NonFiniteError, SamplingError, ShapeError
from pdekit.phenomena import Context, Size, Verdict
from pdekit.phenomena import chapter2 as chapter
from pdekit.phenomena.chapter2 import (
    annulus,
    approximation,
    ball_volume,
    barron,
    laws,
    pairs,
    projection,
    quadrature,
    separability,
    shell,
    sparsity,
    unknowns,
)
from pdekit.phenomena.chapter2.scan import each_dimension
from pdekit.phenomena.statistics import (
    deviations,
    in_blocks,
    log_log_slope,
    sample_ball,
    sample_sphere,
    share_error,
)
from pdekit.plot_style import new_figure

SEEDS = range(5)


def rng(*seed):
    return np.random.default_rng(seed)


# Closed forms --------------------------------------------------------------------------------------------------


def test_volume_of_the_ball_by_recursion():
    volume = [1.0, 2.0]  # of dimensions 0 and 1
    for d in range(2, 40):
        volume.append(volume[d - 2] * 2 * math.pi / d)
    assert laws.ball_volume(np.arange(1, 40)) == pytest.approx(volume[1:], rel=1e-12)
    assert laws.ball_volume(3, 2.0) == pytest.approx(32 / 3 * math.pi, rel=1e-12)
    assert laws.ball_volume(5, 0.0) == 0.0


@pytest.mark.parametrize("d", [1, 2, 3, 10, 100])
def test_share_of_a_slab_by_quadrature(d):
    def slice_(t):  # volume of the (d-1)-ball that the plane x_1 = t cuts out, up to a factor
        return (1 - t * t) ** ((d - 1) / 2)

    for t in (0.05, 1 / math.sqrt(d), 0.7):
        expected = integrate.quad(slice_, 0, t)[0] / integrate.quad(slice_, 0, 1)[0]
        assert laws.slab_share(d, t) == pytest.approx(expected, rel=1e-9)
    assert laws.slab_share(d, 2.0) == 1.0


def test_distances_have_the_known_laws_on_a_segment_and_in_space():
    s = np.linspace(0.0, 2.0, 41)
    assert laws.distance_density(s, 1) == pytest.approx(1 - s / 2, abs=1e-12)
    assert laws.distance_density(s, 3) == pytest.approx(3 * s**2 - 9 / 4 * s**3 + 3 / 16 * s**5, abs=1e-12)


@pytest.mark.parametrize("d", [1, 2, 5, 100, 1000])
def test_means_of_the_distance_by_quadrature(d):
    def moment(power):
        return integrate.quad(lambda s: s**power * laws.distance_density(s, d), 0, 2, points=(1.3, 1.41, 1.5))[0]

    assert moment(0) == pytest.approx(1.0, rel=1e-8)
    assert moment(1) == pytest.approx(laws.distance_mean(d), rel=1e-8)
    assert moment(2) == pytest.approx(laws.square_distance_mean(d), rel=1e-8)


def test_the_angle_is_uniform_in_the_plane_and_its_cosine_in_space():
    theta = np.linspace(0.0, math.pi, 13)
    assert laws.angle_cdf(theta, 2) == pytest.approx(theta / math.pi, abs=1e-12)
    assert laws.angle_cdf(theta, 3) == pytest.approx((1 - np.cos(theta)) / 2, abs=1e-12)


@pytest.mark.parametrize("d", [2, 3, 10, 1000])
def test_the_angle_by_quadrature(d):
    for theta in (1.2, 1.55, 1.7):
        expected = integrate.quad(lambda t: laws.angle_density(t, d), 0, theta, points=(1.5,))[0]
        assert laws.angle_cdf(theta, d) == pytest.approx(expected, abs=1e-8)
    variance = integrate.quad(
        lambda t: (t - math.pi / 2) ** 2 * laws.angle_density(t, d), 0, math.pi, points=(1.5, 1.6)
    )[0]
    assert laws.angle_deviation(d) == pytest.approx(math.sqrt(variance), rel=1e-8)


def test_occupied_cells_by_enumeration():
    for cells, n in ((2, 3), (4, 3), (3, 5)):
        shares = [len(set(where)) / cells for where in itertools.product(range(cells), repeat=n)]
        mean, deviation = sparsity.occupied_share(n, np.array([float(cells)]))
        assert mean[0] == pytest.approx(np.mean(shares), rel=1e-12)
        assert deviation[0] == pytest.approx(np.std(shares), rel=1e-12)


def test_occupied_cells_as_the_catalogue_has_them():
    mean, _ = sparsity.occupied_share(10_000, 2.0 ** np.array([10, 12, 14, 16, 20]))
    assert mean == pytest.approx([0.99994, 0.9130, 0.4569, 0.1415, 0.00949], rel=5e-4)


def test_covers_count_by_recursion():
    def count(n, d):
        return 2 if n == 1 or d == 1 else count(n - 1, d) + count(n - 1, d - 1)

    for n, d in itertools.product(range(1, 12), range(1, 6)):
        assert separability.cover_share(n, d) == pytest.approx(count(n, d) / 2**n, rel=1e-12)


def test_integral_and_deviation_by_quadrature():
    def moment(power, d):
        return integrate.quad(lambda x: math.exp(-power * x), 0, 1)[0] ** d

    for d in (1, 4, 20):
        assert quadrature.integral(d) == pytest.approx(moment(1, d), rel=1e-12)
        assert quadrature.deviation(d) ** 2 == pytest.approx(moment(2, d) - moment(1, d) ** 2, rel=1e-9)


# Sampling --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 7])
def test_points_of_the_ball(d):
    """Radii to the power d and the sign or angle of the direction are uniform; one seed in 50 may miss p > 0.01."""
    held = []
    for seed in SEEDS:
        x = sample_ball(4000, d, rng(seed, d))
        radius = np.linalg.norm(x, axis=1)
        first = x[:, 0] / radius
        if d == 1:
            direction = stats.binomtest(int((first > 0).sum()), len(first)).pvalue
        else:
            direction = stats.kstest(np.arccos(first), lambda t: laws.angle_cdf(t, d)).pvalue
        held.append(direction > 0.01 and stats.kstest(radius**d, "uniform").pvalue > 0.01)
    assert sum(held) >= 4


def test_points_of_the_sphere():
    x = sample_sphere(20_000, 3, rng(0))
    assert np.linalg.norm(x, axis=1) == pytest.approx(1.0, abs=1e-12)
    # covariance 1/3; entries of the sample's have standard errors of at most 0.0021
    assert np.cov(x.T) == pytest.approx(np.eye(3) / 3, abs=0.0085)


def test_points_of_the_cross_polytope():
    held = []
    for seed in SEEDS:
        w = barron.sample_cross_polytope(4000, 5, rng(seed))
        assert np.abs(w).sum(axis=1) == pytest.approx(1.0, abs=1e-12)
        # on a simplex of dimension d - 1 a coordinate follows beta(1, d - 1); signs are fair
        size = stats.kstest(np.abs(w[:, 1]), stats.beta(1, 4).cdf).pvalue
        held.append(size > 0.01 and stats.binomtest(int((w[:, 1] > 0).sum()), 4000).pvalue > 0.01)
    assert sum(held) >= 4


def test_blocks_make_up_the_sample():
    taken = []

    def draw(count):
        taken.append(count)
        return np.full((count, 2), len(taken))

    assert in_blocks(7, 2**20, draw).shape == (7, 2)
    assert taken == [2, 2, 2, 1]


@pytest.mark.parametrize(("n", "d"), [(0, 3), (3, 0), (-1, 2), (2.5, 2)])
def test_no_points_are_refused(n, d):
    with pytest.raises(SamplingError):
        sample_ball(n, d, rng(0))


# Statistics ------------------------------------------------------------------------------------------------------


def test_slopes_agree_with_scipy():
    x = np.geomspace(1, 1e4, 9)
    y = 3 * x**-0.7 * np.exp(0.1 * rng(3).standard_normal(9))
    line, known = log_log_slope(x, y), stats.linregress(np.log(x), np.log(y))
    assert (line.value, line.error, line.intercept) == pytest.approx(
        (known.slope, known.stderr, known.intercept), rel=1e-10
    )
    assert line.solve(0.05) == pytest.approx(math.exp((math.log(0.05) - known.intercept) / known.slope), rel=1e-10)


@pytest.mark.parametrize(
    ("x", "y", "error"),
    [
        ([1.0, 2.0], [1.0], ShapeError),
        ([2.0, 2.0], [1.0, 2.0], ShapeError),
        ([1.0, 2.0], [0.0, 1.0], NonFiniteError),
        ([1.0, math.nan], [1.0, 1.0], NonFiniteError),
    ],
)
def test_slopes_of_nothing_are_refused(x, y, error):
    with pytest.raises(error):
        log_log_slope(x, y)


def test_deviations_in_standard_errors():
    assert share_error(0.5, 100) == pytest.approx(0.05)
    assert deviations([0.6, 1.0], [0.5, 1.0], [0.05, 0.0]).tolist() == pytest.approx([2.0, 0.0])
    assert deviations([0.9], [1.0], [0.0]).tolist() == [math.inf]


# Separation ------------------------------------------------------------------------------------------------------


def test_separation_agrees_with_linear_programming():
    """300 random labellings, from nearly always to hardly ever separable."""
    generator, outcomes = rng(11), []
    for _ in range(300):
        n, d = int(generator.integers(2, 16)), int(generator.integers(1, 6))
        x, labels = generator.standard_normal((n, d)), generator.choice([-1.0, 1.0], n)
        program = optimize.linprog(
            np.zeros(d), A_ub=-labels[:, None] * x, b_ub=-np.ones(n), bounds=(None, None), method="highs"
        )
        found = separability.separating(x, labels)
        assert (found is not None) == (program.status == 0)
        outcomes.append(found is not None)
    assert 60 < sum(outcomes) < 240


def test_separation_has_the_largest_margin():
    angles = np.linspace(0, 2 * math.pi, 100_001)
    normals = np.stack([np.cos(angles), np.sin(angles)])
    for seed in SEEDS:
        x = rng(seed).standard_normal((6, 2)) + np.array([2.0, 0.0])
        labels = np.ones(6)
        x[3:], labels[3:] = -x[3:], -1.0
        best = (labels[:, None] * x @ normals).min(axis=0).max()
        found = separability.separating(x, labels)
        if best <= 0:
            assert found is None
        else:
            assert np.linalg.norm(found) == pytest.approx(best, abs=2e-4)  # the scan is 6e-5 wide


def test_separation_refuses_labels_that_are_not_one_per_point():
    with pytest.raises(ShapeError):
        separability.separating(np.ones((3, 2)), np.ones(4))


# Experiments -------------------------------------------------------------------------------------------------------

TINY = {
    "hd-sparsity": sparsity.Sparsity(points=300, dims=12),
    "hd-shell-table": shell.Shell(points=1000),
    "hd-shell-equator": shell.Equator(dims=(2, 10, 100), points=1000),
    "hd-distance": pairs.Pairs(dims=(2, 100), pairs=500),
    "hd-angle": pairs.Pairs(dims=(2, 100), pairs=500),
    "hd-annulus": annulus.Annulus(samples=500, walks=500, high=64, high_walks=20),
    "hd-ball-volume": ball_volume.BallVolume(points=1000),
    "hd-jl": projection.Projection(dim=200, points=40, targets=(20, 50), counts=(10, 40), distortion=0.6),
    "hd-separability": separability.Separability(draws=2, trials=20),
    "cod-quadrature": quadrature.Quadrature(evaluations=5000, random_dims=(1, 2, 6), samples=(50, 200), repetitions=20),
    "cod-pde-unknowns": unknowns.Unknowns(n=3, dims=4, refused=30, products=1),
    "cod-approximation": approximation.Approximation(finest=(64, 24, 16), points=300),
    "cod-barron-mc": barron.Barron(dims=(2, 20), widths=(10, 100), repetitions=5, reference=3000, points=20),
}
"""Sizes that test the mechanics; their claims need not hold."""

BY_ID = {experiment.id: experiment for experiment in chapter.EXPERIMENTS}


def test_every_entry_of_the_catalogue_is_there():
    assert set(BY_ID) == {*TINY, "hd-quadratic-fit"}
    assert all(experiment.chapter == 2 for experiment in chapter.EXPERIMENTS)


@pytest.mark.parametrize("size", Size)
def test_configurations_can_be_written_down(size):
    for experiment in chapter.EXPERIMENTS:
        table = json.loads(json.dumps(encode(experiment.config(size))))
        assert table["kind"] == type(experiment.config(size)).__name__


def test_a_scan_gives_each_seed_and_dimension_its_own_numbers():
    context = Context(seeds=(0, 1, 5))
    values = each_dimension(context, "name", (2, 3), lambda dim, generator: [dim, generator.random()])
    assert values.shape == (3, 2, 2)
    assert values[..., 0].tolist() == [[2, 3]] * 3
    assert len(np.unique(values[..., 1])) == 6
    assert values[2, 1, 1] == context.numpy_generator(5, "name", 3).random()


def draw_all(finding):
    for name, draw in finding.figures.items():
        figure = new_figure(8.0, 4.0)
        draw(figure)
        figure.draw_without_rendering()
        # every panel that shows data names its horizontal axis, itself or for all
        assert any(ax.get_xlabel() for ax in figure.axes) or figure.get_supxlabel(), name


@pytest.mark.parametrize("name", TINY)
def test_experiment_at_a_tiny_size(name):
    context = Context(seeds=(3, 4))
    finding = BY_ID[name].run(TINY[name], context)
    again = BY_ID[name].run(TINY[name], context)
    assert finding.verdict in (Verdict.PASS, Verdict.FAIL)
    for key, array in finding.arrays.items():
        if "seconds" not in key:
            assert np.array_equal(array, again.arrays[key], equal_nan=True), key
        if key not in ("margin", "needed"):
            assert np.isfinite(array).all(), key
    assert [claim.holds for claim in finding.claims] == [claim.holds for claim in again.claims]
    assert finding.figures
    draw_all(finding)


def uniform_in_the_cube(n, dim, generator):
    return generator.random((n, dim))


@pytest.mark.parametrize(
    ("name", "module", "config"),
    [
        ("hd-shell-table", shell, shell.Shell(points=2000)),
        ("hd-shell-equator", shell, shell.Equator(dims=(2, 10, 100), points=2000)),
        ("hd-distance", pairs, pairs.Pairs(dims=(2, 100), pairs=2000)),
        ("hd-angle", pairs, pairs.Pairs(dims=(2, 100), pairs=20_000)),
    ],
)
def test_points_of_a_cube_do_not_pass_for_points_of_a_ball(name, module, config, monkeypatch):
    monkeypatch.setattr(module, "sample_ball", uniform_in_the_cube)
    assert BY_ID[name].run(config, Context(seeds=(0, 1, 2))).verdict is Verdict.FAIL


def test_networks_that_are_too_rough_break_barrons_bound(monkeypatch):
    """Directions of length d instead of 1: the error grows by d^2 = 400."""
    monkeypatch.setattr(barron, "sample_cross_polytope", lambda m, d, g: d * g.dirichlet(np.ones(d), m))
    finding = BY_ID["cod-barron-mc"].run(barron.Barron(dims=(20,), repetitions=5, reference=5000), Context())
    assert not finding.claims[1].holds


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_ID)
def test_quick_run_holds(name):
    experiment = BY_ID[name]
    finding = experiment.run(experiment.quick, Context(seeds=experiment.seeds(Size.QUICK)))
    assert finding.verdict is Verdict.PASS, [claim for claim in finding.claims if not claim.holds]
    draw_all(finding)
