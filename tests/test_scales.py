"""Scales: what is read off problems and off residuals, and what is refused."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from pdekit.problems import (
    EllipticThreeScale,
    EllipticTwoScale,
    Heat,
    Helmholtz,
    NewtonLaw,
    PoissonFourModes,
    PoissonFourModes3D,
    PoissonMscale1D,
    PoissonND,
    PoissonSine,
    PoissonTwoFrequency,
)
from pdekit.solvers import Enforcement, Growing, Hybrid, Neural, Ritz, Training, deep_ritz, fourier, mscale

from pdekit import Budget, load, solve
from pdekit.conditions import Dirichlet
from pdekit.config import reader, solver_from_table
from pdekit.domain import Box, Hypercube, Interval, Rectangle
from pdekit.errors import ConfigError
from pdekit.field import NetworkField
from pdekit.nn import (
    Auto,
    FourierBands,
    Frame,
    Glorot,
    Grown,
    Multiscale,
    Scales,
    Shell,
    added_scales,
    is_weight,
    scale_values,
)
from pdekit.optim import Adam
from pdekit.options import with_options
from pdekit.problem import Elliptic
from pdekit.rundir import RunDirectory
from pdekit.scales import recommend_scales, scales_within, with_scales
from pdekit.spectrum import content, cover, slopes_of, solution_slopes

PI = math.pi


@dataclass(frozen=True)
class Wave(Elliptic):
    """-lap u = |k|^2 prod sin(k_a x_a) on a box, with a boundary value of its own."""

    name: ClassVar[str] = "wave"
    box: Box
    k: tuple[float, ...]
    boundary: float = 0.0

    @property
    def domain(self):
        return self.box

    @property
    def conditions(self):
        if not self.boundary:
            return (Dirichlet(),)
        return (Dirichlet(value=lambda x: torch.sin(self.boundary * x[:, 0:1])),)

    def source(self, x):
        k = torch.tensor(self.k, dtype=x.dtype)
        active = k != 0
        return (k**2).sum() * torch.sin(k[active] * x[:, active]).prod(dim=1, keepdim=True)


@dataclass(frozen=True)
class Oscillating(Elliptic):
    """-div(A grad u) = 1 on the unit square, A = a matrix or a number times 4 + sin(k (x + y))."""

    name: ClassVar[str] = "oscillating"
    k: float
    matrix: bool

    domain = Rectangle()
    conditions = (Dirichlet(),)

    def diffusion(self, x):
        a = 4 + torch.sin(self.k * x.sum(dim=1, keepdim=True))
        return a[:, :, None] * torch.tensor([[1.0, 0.2], [0.2, 0.5]], dtype=x.dtype) if self.matrix else a

    def source(self, x):
        return torch.ones_like(x[:, 0:1])


# The frequencies that solutions have, in coordinates scaled to [-1, 1] --------------------------------------------------

KNOWN = [
    (PoissonSine(k=1), ()),
    (PoissonSine(k=7), (7 * PI / 2,)),
    (PoissonMscale1D(), (6 * PI,)),
    (PoissonTwoFrequency(), (25 * PI,)),
    (PoissonFourModes(), (8.0, 24.0)),
    (PoissonFourModes3D(), (5 * PI / 2, 15 * PI / 2)),
    (EllipticTwoScale(), (10 * PI,)),
    (EllipticTwoScale(eps=0.01), (100 * PI,)),
    (EllipticTwoScale(eps=1e-3), (1000 * PI,)),
    (EllipticThreeScale(), (10 * PI, 100 * PI)),
    (Helmholtz(), (4 * PI, 20 * PI)),
    (Heat(), (4 * PI,)),
    (PoissonND(dim=5), ()),
    (PoissonND(dim=2), ()),
    (NewtonLaw(), ()),
    (Wave(Rectangle((0, 0), (2, 2)), (25 * PI, 25 * PI)), (25 * PI,)),
    (Wave(Rectangle((0, 0), (1, 8)), (0.0, 10.0)), (40.0,)),
    (Wave(Hypercube(5), (40.0, 0.0, 0.0, 0.0, 0.0)), (20.0,)),
    (Wave(Interval(-1, 1), (0.0,), boundary=30.0), (30.0,)),
    (Oscillating(100.0, matrix=False), (50.0,)),
    (Oscillating(100.0, matrix=True), (50.0,)),
]


@pytest.mark.parametrize(("problem", "frequencies"), KNOWN, ids=lambda value: getattr(value, "name", None))
def test_scales_are_the_frequencies_of_the_solution(problem, frequencies):
    """A window over the box tells frequencies from each other that are 2 pi apart, so low ones come out 40 % off at worst."""
    found = recommend_scales(problem)
    assert found.values[0] == 1.0
    assert len(found.values) == 1 + len(frequencies)
    for scale, frequency in zip(found.values[1:], frequencies, strict=True):
        assert abs(scale - frequency) < (0.04 * frequency if frequency > 18 else 3.5)
    assert len(found.why) == len(found.values)


def test_beyond_the_finest_grid_the_reason_says_so():
    found = recommend_scales(EllipticTwoScale(eps=1e-5))
    assert "faster than the finest grid" in found.why[0]
    assert "faster" not in recommend_scales(EllipticTwoScale(eps=1e-3)).why[0]


@pytest.mark.parametrize(
    ("problem", "origin"),
    [
        (PoissonMscale1D(), "source: k = 18."),
        (EllipticTwoScale(), "coefficient: k = 62.8"),
        (Heat(), "initial data"),
        (Wave(Interval(-1, 1), (0.0,), boundary=30.0), "boundary data: k = 30"),
    ],
)
def test_reasons_name_the_data_and_the_wave_number(problem, origin):
    found = recommend_scales(problem)
    assert found.why[1].startswith(origin)
    assert "of the slope" in str(found)


def test_floor_and_most():
    problem = EllipticThreeScale()  # slopes of 50 %, 63 % and 59 %
    assert len(recommend_scales(problem, Auto(floor=0.7)).values) == 1
    assert recommend_scales(problem, Auto(most=1)).values[1:] == pytest.approx([10 * PI], rel=0.01)


def test_undefined_points_are_left_out():
    class Cracked(Elliptic):
        domain, conditions = Interval(0.0, 1.0), (Dirichlet(),)

        def source(self, x):
            return torch.where((x - 0.5).abs() < 0.01, torch.nan, 1e4 * torch.sin(50 * PI * x))

    assert min(abs(scale - 25 * PI) for scale in recommend_scales(Cracked()).values) < 4


# Off the residual of an approximation ----------------------------------------------------------------------------------


class _Function(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function
        self.unused = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x):
        return self.function(x) + 0 * self.unused


def _missing(function):
    return recommend_scales(PoissonTwoFrequency(), field=NetworkField(_Function(function)))


def test_the_residual_shows_only_what_is_missing():
    low, high = (lambda x: torch.sin(2 * PI * x)), (lambda x: 0.1 * torch.sin(50 * PI * x))
    assert _missing(lambda x: low(x) + high(x)).values == (1.0,)
    assert _missing(high).values == (1.0,)  # the low frequency is the smooth part
    found = _missing(low)
    assert found.values[1:] == pytest.approx([25 * PI], rel=1e-2)
    assert found.why[1].startswith("residual: k = 157")
    assert _missing(lambda x: low(x) + 0.99 * high(x)).values == (
        1.0,
    )  # 1 % of the solution's slope is below the floor


# The instruments ------------------------------------------------------------------------------------------------------


def test_slopes_are_exact_in_one_dimension():
    problem, x = EllipticTwoScale(), torch.linspace(0, 1, 4097, dtype=torch.float64)[:, None]
    (found,) = solution_slopes(problem.source(x)[:, 0].numpy(), [0.5], diffusion=problem.diffusion(x)[:, 0].numpy())
    expected = np.gradient(problem.exact(x)[:, 0].numpy(), 2 / 4096)
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize("reaction", [0.0, 30.0, -30.0])
def test_slopes_of_a_cosine(reaction):
    """-lap u + c u = f for u = cos 3x cos 2y, whose flux vanishes on the boundary of (0, pi)^2."""
    x, y = np.meshgrid(*[np.linspace(0, PI, 257)] * 2, indexing="ij")
    found = solution_slopes((13 + reaction) * np.cos(3 * x) * np.cos(2 * y), [PI / 2] * 2, reaction=reaction)
    assert np.abs(found[0] + 3 * PI / 2 * np.sin(3 * x) * np.cos(2 * y)).max() < 1e-2
    assert np.abs(found[1] + 2 * PI / 2 * np.cos(3 * x) * np.sin(2 * y)).max() < 1e-2


def test_slopes_of_order_four_and_in_time():
    x = np.linspace(-1, 1, 513)
    (found,) = solution_slopes(np.cos(8 * PI * x), [1.0], order=4)
    assert np.abs(found + np.sin(8 * PI * x) / (8 * PI) ** 3).max() < 1e-2 / (8 * PI) ** 3
    (found,) = solution_slopes(np.cos(8 * PI * x), [1.0], time_axis=0)
    assert np.abs(found + np.sin(8 * PI * x)).max() < 1e-2


def test_content_holds_the_energy_of_what_is_not_smooth():
    s = np.linspace(-1, 1, 1025)
    found = content([s**4 - s, np.sin(40 * s + 1)])
    assert found.energy.sum() == pytest.approx(0.5, rel=1e-2)
    assert found.whole == pytest.approx(0.5 + np.mean((np.cos(PI * s / 2) ** 2 * (s**4 - s)) ** 2) / 0.375, rel=1e-2)
    assert content([s**4 - 2 * s]).energy.sum() < 1e-20


def test_broad_spectra_are_covered_by_octaves():
    """A peak of width 0.02 has every frequency up to about 1/0.02."""
    s = np.linspace(-1, 1, 4097)
    bands = cover(content(slopes_of(np.exp(-((s / 0.02) ** 2)))), floor=0.05, most=8)
    scales = [band.wavenumber for band in bands]
    assert len(bands) >= 3
    assert scales[0] < 40
    assert 80 < scales[-1] < 250
    assert sum(band.share**2 for band in bands) == pytest.approx(1.0, abs=0.05)


# Values ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [(), (0.0,), (1.0, -2.0), (math.nan,), (math.inf,), ("1",), (True,), "12", 3.0])
def test_bad_scales_are_refused_by_name(values):
    with pytest.raises(ConfigError, match=r"scales"):
        Scales(values)


def test_reasons_fit_the_scales_and_auto_cannot_be_built():
    with pytest.raises(ConfigError, match="2 reasons for 1 scales"):
        Scales((1.0,), ("a", "b"))
    with pytest.raises(ConfigError, match="recommend_scales"):
        scale_values("Multiscale", Auto())
    assert scale_values("Multiscale", Scales((1.0, 2.0))) == scale_values("Multiscale", (1, 2.0)) == (1.0, 2.0)
    for bad in ({"floor": 0.0}, {"floor": 2.0}, {"most": 0}):
        with pytest.raises(ConfigError, match="Auto"):
            Auto(**bad)


# Configurations -------------------------------------------------------------------------------------------------------


def test_solving_chooses_the_scales_and_says_why():
    network = Multiscale(8, 1, scales=Auto())
    solver = Neural("tried", Ritz(), network, training=Training(steps=3, polish=0), conditions=Enforcement.HARD)
    solution = solve(PoissonMscale1D(), solver)
    kept = solution.config["solver"]["network"]["scales"]
    assert kept["values"] == pytest.approx([1.0, 6 * PI], rel=0.01)
    assert "source: k = 18." in kept["why"][1]
    assert "source: k = 18." in solution.message
    again = solver_from_table(solution.config["solver"])
    assert again.network.scales.values == tuple(kept["values"])
    assert solve(PoissonMscale1D(), again)(np.array([[0.3]])) == solution(np.array([[0.3]]))


def test_open_scales_are_found_at_any_depth_and_others_are_left_alone():
    given = Neural("given", Ritz(), Multiscale(scales=(1.0, 2.0)))
    assert with_scales(given, PoissonMscale1D()) is given
    nested = Hybrid(dataclasses.replace(given, network=Multiscale(scales=Auto())))
    found = list(scales_within(with_scales(nested, PoissonMscale1D())))
    assert [scales.values for scales in found] == [recommend_scales(PoissonMscale1D()).values]
    assert not list(scales_within(given))


@pytest.mark.parametrize("text", ["auto", "1,2,4", "(1.0, 5)"])
def test_scales_from_the_command_line(text):
    solver = with_options(mscale(), {"scales": text}, reader())
    expected = Auto() if text == "auto" else tuple(float(v) for v in text.strip("()").split(","))
    assert solver.network.scales == expected


@pytest.mark.parametrize("text", ["0", "1,-2", "nan", "", "1,x"])
@pytest.mark.parametrize("preset", [mscale, fourier])
def test_bad_scales_from_the_command_line(preset, text):
    with pytest.raises(ConfigError, match="scales"):
        with_options(preset(), {"scales": text}, reader())


# Bands of Fourier features --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_shells_hold_frequencies_around_their_radius(inputs):
    drawn = Shell(20.0, 0.5, 4000).draw(inputs, torch.Generator().manual_seed(4))
    size = drawn.abs().amax(dim=1)
    assert drawn.shape == (4000, inputs)
    assert float(size.mean()) == pytest.approx(20.0, abs=5 * 0.5 / 4000**0.5)
    assert float(size[10:].std()) == pytest.approx(0.5, rel=0.06)
    assert size[0] == 20.0  # the radius itself comes first
    assert float(drawn[:, 0].mean()) == pytest.approx(0.0, abs=5 * 20 / 4000**0.5)


def test_bands_start_from_zero_and_train_their_frequencies_relative_to_the_scale():
    network = FourierBands(6, 1, scales=(1.0, 50.0), count=4)
    built = _built(network, inputs=2)
    assert not built(torch.rand(5, 2, dtype=torch.float64)).any()
    vectors = [parameter for name, parameter in built.named_parameters() if name.endswith("vectors")]
    assert [tuple(v.shape) for v in vectors] == [(4, 2)] * 2
    assert all(float(v.detach()[0].abs().amax()) == pytest.approx(1.0) for v in vectors)
    with pytest.raises(ConfigError, match=r"FourierBands\.scales\[1\]"):
        FourierBands(scales=(1.0, -1.0))


# Growth ---------------------------------------------------------------------------------------------------------------


def _built(network, inputs=1, seed=3):
    return network.build(Frame((0.0,) * inputs, (1.0,) * inputs, 1, torch.float64), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "base", [Multiscale(6, 2, (1.0, 3.0), init=Glorot()), FourierBands(6, scales=(1.0,), init=Glorot())]
)
def test_growing_leaves_the_function_as_it_was(base):
    x = torch.rand(7, 1, dtype=torch.float64)
    before, after = _built(Grown(base)), _built(Grown(base, (20.0, 40.0)), seed=5)
    assert (after(x) - before(x)).abs().max() > 0.01
    kept = {name: value for name, value in before.state_dict().items() if is_weight(name)}
    after.load_state_dict(after.state_dict() | kept)
    assert torch.equal(after(x), before(x))
    assert added_scales(after.state_dict()) == (20.0, 40.0)
    assert Grown(base, (20.0,)).scales == (*base.scales, 20.0)
    loss = (after(x) - torch.sin(20 * x)).square().mean()
    added = [parameter for name, parameter in after.named_parameters() if name.startswith("body.parts.2.")]
    assert all(slope.any() for slope in torch.autograd.grad(loss, added)[-2:])  # the last layer learns at once


def _growing(steps=200, rounds=1):
    """Two-frequency, of which the network knows the lower one."""
    training = Training(steps, Adam(1e-2), polish=0, record_every=20)
    first = dataclasses.replace(mscale(), network=Multiscale(10, 2, (2.0,)), training=training)
    return Growing(first, rounds=rounds)


def test_the_missing_scale_is_added_and_the_error_falls():
    """Without growth the error is 0.1 (all of the high part); the largest of ten seeds with it is 0.06."""
    solution = solve(PoissonTwoFrequency(), _growing(), seed=3)
    assert "added after 200 steps: 78.5 (residual: k = 157" in solution.message
    assert solution.measures.rel_l2 < 0.08
    assert solve(PoissonTwoFrequency(), _growing(rounds=0), seed=3).measures.rel_l2 > 0.095
    history = solution.history
    assert history["scales"][[0, -1]].tolist() == [1, 2]
    assert history["round"][[0, -1]].tolist() == [0, 1]
    assert (np.diff(history["step"]) >= 0).all()
    assert solution.measures.steps == history["step"][-1] == 400


def test_nothing_is_added_where_nothing_is_missing():
    solution = solve(PoissonSine(k=1), dataclasses.replace(_growing(rounds=2), first=_quick(PoissonSine(k=1))), seed=3)
    assert "nothing missing after" in solution.message
    assert solution.history["scales"].max() == 1


def _quick(problem):
    return dataclasses.replace(mscale(), training=Training(100, Adam(1e-2), polish=100))


def test_growth_survives_saving_and_goes_on_after_an_interruption(tmp_path):
    problem, solver = PoissonTwoFrequency(), _growing(40)
    whole = solve(problem, solver, seed=3)
    x = np.linspace(0, 1, 9)[:, None]
    assert (load(whole.save(tmp_path / "kept"))(x) == whole(x)).all()
    for stop in (20, 60):  # in the first round, in the second
        with RunDirectory.create(tmp_path / f"run{stop}") as run:
            solve(problem, solver, seed=3, budget=Budget(steps=stop), run=run)
            assert (solve(problem, solver, seed=3, run=run, resume=True)(x) == whole(x)).all()


def test_growth_needs_scales_to_grow():
    with pytest.raises(ConfigError, match="MLP, has no scales"):
        Growing(deep_ritz())
    with pytest.raises(ConfigError, match="rounds"):
        Growing(rounds=-1)
