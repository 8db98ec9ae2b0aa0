"""Networks for many frequencies: what they compute, how their options act, and what bad input gets."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from pdekit.errors import ConfigError, NotApplicableError, ShapeError
from pdekit.nn import (
    GELU,
    MLP,
    Activation,
    Adaptive,
    Architecture,
    Around,
    BSpline,
    CosineSine,
    Dilation,
    Elementwise,
    FourierFeatures,
    Frame,
    Gaussian,
    Given,
    Glorot,
    HardConstraint,
    He,
    Initialisation,
    LeCun,
    Mixed,
    Modulation,
    Multiscale,
    Parts,
    PhaseShift,
    Positional,
    ReLU,
    ResNet,
    Ricker,
    S2ReLU,
    Sine,
    Siren,
    Site,
    Slope,
    Spread,
    SReLU,
    Structure,
    Subspace,
    Tanh,
    Tuned,
    Waves,
    parts_of,
    spanning,
)

PER_UNIT, SUBNETWORKS = Structure
ARCHITECTURES: list[Architecture] = [
    Multiscale(6, 2, (1.0, 4.0), PER_UNIT),
    Multiscale(6, 2, (1.0, 4.0), SUBNETWORKS, BSpline()),
    Subspace(4, 1, (1.0, 8.0, 40.0), MLP(4, 1)),
    FourierFeatures(6, 1, (Gaussian(2.0, 5),)),
    FourierFeatures(6, 2, (Positional(3), Given(((1.0, 0.0),) * 6)), trainable=True, amplitude=0.5),
    PhaseShift(4, 1, (1.0, 3.0)),
    MLP(6, 2, Adaptive(Sine(), per_unit=True, gain=5.0), Siren()),
    ResNet(6, 1, Mixed((Tanh(), Sine(2.0))), He()),
]


def build(
    architecture: Architecture, seed: int = 97, dtype: torch.dtype = torch.float64, d: int = 2, m: int = 3
) -> nn.Module:
    g = torch.Generator().manual_seed(seed)
    return architecture.build(Frame((0.0,) * d, (2.0,) * d, m, dtype), g)


def points(n: int = 7, d: int = 2, dtype: torch.dtype = torch.float64) -> Tensor:
    return 2 * torch.rand(n, d, generator=torch.Generator().manual_seed(5), dtype=dtype)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [0, 1, 7])
def test_output_has_the_asked_shape_and_type(architecture: Architecture, dtype: torch.dtype, n: int) -> None:
    value = build(architecture, dtype=dtype)(points(n, dtype=dtype))
    assert value.shape == (n, 3)
    assert value.dtype == dtype


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_same_generator_same_weights(architecture: Architecture) -> None:
    before = torch.get_rng_state()
    one, two, other = build(architecture, 11), build(architecture, 11), build(architecture, 12)
    single = build(architecture, 11, torch.float32)
    assert torch.equal(before, torch.get_rng_state())
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, two.state_dict()[name])
        assert torch.equal(tensor.float(), single.state_dict()[name])
    assert any(not torch.equal(p, other.get_parameter(name)) for name, p in one.named_parameters())


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_configurations_are_values(architecture: Architecture) -> None:
    assert {architecture: 1}[architecture] == 1


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_a_state_holds_each_tensor_once(architecture: Architecture) -> None:
    """Files of weights refuse tensors that share memory."""
    pointers = [tensor.data_ptr() for tensor in build(architecture).state_dict().values()]
    assert len(set(pointers)) == len(pointers)


# Multiscale ---------------------------------------------------------------------------------------------------------


def test_scales_stretch_the_coordinates_but_not_the_biases() -> None:
    """Book, eq. 5.2: units s(K W x + b)."""
    network = build(Multiscale(7, 1, (1.0, 5.0, 25.0), PER_UNIT, Tanh(), Glorot(bias=1.0)), m=1)
    _, first, _, last = network.get_submodule("body")
    weight = torch.cat([group[1].weight for group in first.parts])
    bias = torch.cat([group[1].bias for group in first.parts])
    assert [len(group[1].bias) for group in first.parts] == [3, 2, 2]  # equal groups, as far as 7 units go
    factor = torch.tensor([1.0, 1.0, 1.0, 5.0, 5.0, 25.0, 25.0], dtype=torch.float64)
    x = points()
    torch.testing.assert_close(network(x), torch.tanh((x - 1) @ weight.T * factor + bias) @ last.weight.T + last.bias)


def test_subnetworks_are_a_sum_of_stretched_networks() -> None:
    scales = (1.0, 4.0, 9.0)
    network = build(Multiscale(5, 2, scales), m=2)
    x, parts = points(), network.get_submodule("body.1.parts")
    total = torch.zeros(7, 2, dtype=torch.float64)
    for scale, part in zip(scales, parts, strict=True):
        inner = nn.Sequential(part[0][1], *part[1:])  # without its dilation
        total = total + inner(scale * (x - 1))
    torch.testing.assert_close(network(x), total)


@pytest.mark.parametrize("structure", Structure)
def test_a_network_without_constant_has_no_last_bias(structure: Structure) -> None:
    network = build(Multiscale(6, 1, (1.0, 3.0), structure, constant=False))
    last = [m for m in network.modules() if isinstance(m, nn.Linear) and m.out_features == 3 and m.in_features == 6]
    assert [layer.bias for layer in last] == [None] * (1 if structure is PER_UNIT else 2)


def test_unconnected_subnetworks_have_far_fewer_weights() -> None:
    together, apart = Multiscale(60, 3, (1.0, 2.0, 4.0), PER_UNIT), Multiscale(20, 3, (1.0, 2.0, 4.0))
    count = lambda a: sum(p.numel() for p in build(a, m=1).parameters())
    assert count(together) == 60 * 3 + 2 * 60 * 61 + 61
    assert count(apart) == 3 * (20 * 3 + 2 * 20 * 21 + 21)


@pytest.mark.parametrize("structure", Structure)
def test_spread_centres_stay_in_the_domain_at_every_scale(structure: Structure) -> None:
    """A unit tanh(K w.(z - c)) bends where K w.z + b = 0; in one dimension that is z = c in [-1, 1]."""
    network = build(Multiscale(40, 1, (1.0, 30.0), structure, Tanh(), Spread(3.0)), d=1, m=1)
    layers = [m for m in network.modules() if isinstance(m, nn.Sequential) and isinstance(m[0], Dilation)]
    assert len(layers) >= 2
    for layer in (m for m in layers if isinstance(m[1], nn.Linear)):
        z = -(layer[1].bias / (layer[0].factor * layer[1].weight[:, 0])).detach()
        assert float(z.abs().max()) <= 1
        assert float(z.abs().max()) > 0.5


def test_around_draws_waves_of_one_size_in_all_directions() -> None:
    """max |w_a| ~ N(1, 1/4), diagonals and axes first, and centres in the domain: |bias| <= sum |K w_a|."""
    generator = torch.Generator().manual_seed(7)
    weight, bias = Around().draw(Site(2, 4000, 4000, True, Sine(), factor=3.0), generator)
    assert weight[:4].tolist() == [[1, 1], [1, -1], [1, 0], [0, 1]]
    size = weight[4:].abs().amax(dim=1)
    assert abs(float(size.mean()) - 1) < 0.02 and abs(float(size.std()) - 0.25) < 0.015  # 4 standard errors
    assert bool((bias.abs() <= 3 * weight.abs().sum(dim=1)).all())
    last, _ = Around().draw(Site(2, 1, 8, False, Sine(), last=True), generator)
    assert not last.any()


def test_a_network_of_large_scale_starts_with_high_frequencies() -> None:
    """The mean frequency of an untrained network grows with its scale."""
    x = torch.linspace(0, 2, 513, dtype=torch.float64)[:-1, None]
    means = []
    for scale in (8.0, 32.0, 128.0):
        with torch.no_grad():
            values = build(Multiscale(30, 1, (scale,), init=Spread(1.0, start=1.0)), d=1, m=1)(x)[:, 0]
        power = torch.fft.rfft((values - values.mean()) * torch.hann_window(512, dtype=torch.float64)).abs() ** 2
        means.append(float((torch.arange(257) * power).sum() / power.sum()))
    assert 2 * means[0] < means[1] and 2 * means[1] < means[2]


def test_spanning() -> None:
    assert spanning(1.0) == (1.0,)
    assert spanning(32.0) == (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
    assert spanning(33.0, 4.0) == (1.0, 4.0, 16.0, 64.0)


# Parts --------------------------------------------------------------------------------------------------------------


def test_parts_sum_to_the_network_and_keep_hard_conditions() -> None:
    free = build(ARCHITECTURES[2], m=1)
    distance, lift = build(MLP(3, 1), 1, m=1), build(MLP(3, 1), 2, m=1)
    x = points()
    for network in (free, HardConstraint(free, distance, lift), HardConstraint(free, distance)):
        parts = parts_of(network)
        assert list(parts) == ["smooth", "oscillating1", "oscillating2"]
        assert [part.scale for part in parts.values()] == [1.0, 8.0, 40.0]
        torch.testing.assert_close(sum(part.function(x) for part in parts.values()), network(x))
    torch.testing.assert_close(
        parts_of(HardConstraint(free, distance, lift))["oscillating2"].function(x),
        distance(x) * parts_of(free)["oscillating2"].function(x),
    )
    assert not parts_of(build(MLP(3, 1)))


@pytest.mark.parametrize("d", [1, 2])
def test_tuned_units_oscillate_near_their_scale(d: int) -> None:
    law, g = Tuned(0.1, start=0.25), torch.Generator().manual_seed(3)
    weight, phase = law.draw(Site(d, 4000, 8, True, Sine()), g)
    sizes = weight.abs().amax(1)
    assert float(sizes.mean()) == pytest.approx(1.0, abs=6 * 0.1 / math.sqrt(4000))
    assert float(sizes.std()) == pytest.approx(0.1, rel=0.07)  # six deviations
    assert abs(float(weight.sign().mean())) < 0.1  # both directions
    assert 3.0 < float(phase.abs().max()) <= math.pi
    last = law.draw(Site(50, 600, 50, False, Sine(), last=True), g)[0]
    assert float(last.std()) == pytest.approx(0.25 * math.sqrt(2 / 650), rel=0.03)


# Fourier features ---------------------------------------------------------------------------------------------------


def test_one_law_is_a_network_behind_its_waves() -> None:
    """Book, eq. 5.11; half a period of phase is the only freedom that v's origin leaves."""
    frequencies = ((1.0, 0.0), (2.0, -3.0))
    network = build(FourierFeatures(4, 1, (Given(frequencies),), amplitude=0.5), m=1)
    hidden, last = network.get_submodule("body.1.body"), network.get_submodule("body.2")
    x = points()
    phase = 2 * math.pi * ((x - 1) / 2) @ torch.tensor(frequencies, dtype=torch.float64).T  # the domain has size 2
    torch.testing.assert_close(network(x), last(hidden(0.5 * torch.cat([phase.cos(), phase.sin()], 1))))


def test_several_laws_share_their_hidden_layers() -> None:
    one, two = FourierFeatures(6, 3, (Gaussian(1.0, 5),)), FourierFeatures(6, 3, (Gaussian(1.0, 5), Gaussian(9.0, 5)))
    extra = sum(p.numel() for p in build(two).parameters()) - sum(p.numel() for p in build(one).parameters())
    assert extra == 3 * 6  # the last layer reads both


def test_frequencies_are_trained_only_where_asked() -> None:
    for trainable in (False, True):
        network = build(FourierFeatures(6, 1, (Gaussian(1.0, 5),), trainable))
        (waves,) = [module for module in network.modules() if isinstance(module, Waves)]
        assert ("vectors" in dict(waves.named_parameters())) == trainable
        assert ("vectors" in dict(waves.named_buffers())) != trainable


def test_laws_of_frequencies() -> None:
    g = torch.Generator().manual_seed(2)
    assert Positional(3).draw(2, g).tolist() == [[1, 0], [2, 0], [4, 0], [0, 1], [0, 2], [0, 4]]
    draws = Gaussian(7.0, 20_000).draw(2, g)
    assert float(draws.std()) == pytest.approx(7.0, rel=0.03)  # 40,000 draws: six deviations are 2.1 %
    p = torch.tensor([[0.3]], dtype=torch.float64)  # NeRF's formula in its own words
    network = FourierFeatures(2, 1, (Positional(2),)).build(Frame((-1.0,), (1.0,), 1, p.dtype), g)
    entry = network.get_submodule("body.1.entries.0")
    expected = [
        math.cos(math.pi * 0.3),
        math.cos(2 * math.pi * 0.3),
        math.sin(math.pi * 0.3),
        math.sin(2 * math.pi * 0.3),
    ]
    assert entry(p)[0].tolist() == pytest.approx(expected, abs=1e-15)


# Phase shift --------------------------------------------------------------------------------------------------------


def test_cells_cover_a_half_plane() -> None:
    assert PhaseShift(scales=(1.0, 5.0)).cells(1) == [(0.0,), (5.0,)]
    assert PhaseShift(scales=(1.0, 5.0)).cells(2) == [(0.0, 0.0), (0.0, 5.0), (5.0, 0.0), (5.0, 5.0), (5.0, -5.0)]


def test_modulation_is_a_sum_of_waves_with_smooth_amplitudes() -> None:
    vectors = torch.tensor([[3.0, -1.0]], dtype=torch.float64)
    envelope = build(MLP(4, 1), m=4)
    network = Modulation(nn.Sequential(Waves(vectors), Elementwise(CosineSine(1.0))), envelope)
    x = points()
    phase, amplitudes = x @ vectors.T, envelope(x)
    torch.testing.assert_close(network(x), phase.cos() * amplitudes[:, :2] + phase.sin() * amplitudes[:, 2:])


def test_the_zero_cell_is_a_plain_network() -> None:
    plain, shifted = build(PhaseShift(4, 1, (1.0,))), build(PhaseShift(4, 1, (1.0, 2.0)))
    assert not any(isinstance(module, Modulation) for module in plain.modules())
    assert sum(isinstance(module, Modulation) for module in shifted.modules()) == 4


def test_phase_shift_is_for_one_and_two_dimensions() -> None:
    with pytest.raises(NotApplicableError, match="at most 2"):
        build(PhaseShift(), d=3)


# Activations ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [2, 3])
def test_splines_are_their_truncated_powers(degree: int) -> None:
    """The formula of Liu, Cai, Xu 2020, and scipy's normalised spline."""
    from scipy.interpolate import BSpline as Reference

    z = torch.linspace(-1, 5, 61, dtype=torch.float64)
    powers = sum((-1) ** k * math.comb(degree + 1, k) * torch.relu(z - k) ** degree for k in range(degree + 2))
    torch.testing.assert_close(BSpline(degree)(z), powers, rtol=1e-12, atol=1e-12)
    basis = Reference.basis_element(range(degree + 2), extrapolate=False)(z.numpy())
    torch.testing.assert_close(BSpline(degree)(z), math.factorial(degree) * torch.from_numpy(basis).nan_to_num())
    assert not BSpline(degree)(torch.tensor([1e8, -1e8])).any()


def test_compact_functions_by_their_formulas() -> None:
    z = torch.linspace(-1, 2, 31, dtype=torch.float64)
    parabola = torch.relu(z) * torch.relu(1 - z)
    torch.testing.assert_close(SReLU()(z), parabola)
    torch.testing.assert_close(S2ReLU()(z), torch.sin(2 * math.pi * z) * parabola)
    a = 0.3
    expected = math.pi**0.25 / (15 * a) * (1 - (z / a) ** 2) * torch.exp(-0.5 * (z / a) ** 2)
    torch.testing.assert_close(Ricker(a)(z), expected)


@pytest.mark.parametrize("width", [0.1, 0.3])
def test_rickers_spectrum_peaks_where_its_docstring_says(width: float) -> None:
    z = torch.linspace(-8, 8, 4097, dtype=torch.float64)[:-1]
    spectrum = torch.fft.rfft(Ricker(width)(z)).abs()
    step = 2 * math.pi / 16
    assert abs(step * int(spectrum.argmax()) - math.sqrt(2) / width) <= step


@pytest.mark.parametrize(
    ("function", "smoothness"),
    [
        (SReLU(), 0),
        (BSpline(2), 1),
        (BSpline(3), 2),
        (S2ReLU(), 1),
        (Ricker(), math.inf),
        (GELU(), math.inf),
        (CosineSine(), math.inf),
        (Adaptive(ReLU(3)), 2),
        (Mixed((Tanh(), ReLU(2), Sine())), 1),
    ],
)
def test_smoothness(function: Activation, smoothness: float) -> None:
    assert function.smoothness == smoothness


def test_mixed_functions_have_their_own_units() -> None:
    z = torch.randn(4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    mixed = Mixed((Tanh(), Sine(2.0)))
    torch.testing.assert_close(mixed(z), torch.cat([torch.tanh(z[:, :3]), torch.sin(2 * z[:, 3:])], 1))


def test_a_pair_halves_the_linear_layers() -> None:
    network = build(MLP(6, 2, CosineSine(0.5)), m=1)
    assert [tuple(m.weight.shape) for m in network.modules() if isinstance(m, nn.Linear)] == [(3, 2), (3, 6), (1, 6)]


@pytest.mark.parametrize("per_unit", [True, False])
def test_slopes_start_at_one_and_are_trained(per_unit: bool) -> None:
    plain, adaptive = build(MLP(5, 2, Tanh())), build(MLP(5, 2, Adaptive(Tanh(), per_unit, gain=4.0)))
    x = points()
    torch.testing.assert_close(adaptive(x), plain(x))
    slopes = [module.slope for module in adaptive.modules() if isinstance(module, Slope)]
    assert [len(slope) for slope in slopes] == [5 if per_unit else 1] * 2
    assert all(bool(gradient.any()) for gradient in torch.autograd.grad(adaptive(x).square().sum(), slopes))


@pytest.mark.parametrize("activation", [Adaptive(Sine(20.0)), Sine(20.0)])
def test_adaptive_sines_get_the_law_of_sines(activation: Activation) -> None:
    weight, _ = Siren().draw(Site(50, 60, 50, False, activation), torch.Generator().manual_seed(1))
    assert float(weight.abs().max()) <= math.sqrt(6 / 50) / 20


# Bad input ------------------------------------------------------------------------------------------------------------

BAD_SCALES = [(), (0.0,), (1.0, -2.0), (math.nan,), (math.inf,)]


@pytest.mark.parametrize("scales", BAD_SCALES)
@pytest.mark.parametrize("structure", Structure)
def test_bad_scales_are_refused(scales: tuple[float, ...], structure: Structure) -> None:
    with pytest.raises(ConfigError, match=r"Multiscale.*scales.*expected"):
        Multiscale(8, 2, scales, structure)


def tiny(activation: Activation = Tanh(), init: Initialisation = LeCun(), width: int = 7) -> MLP:  # noqa: B008
    return MLP(width, 1, activation, init)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Multiscale(2, 1, (1.0, 2.0, 3.0), PER_UNIT), "Multiscale.width"),
        (lambda: Multiscale(0), "Multiscale.width"),
        (lambda: Multiscale(structure="subnetworks"), "Multiscale.structure"),  # type: ignore[arg-type]
        (lambda: tiny(CosineSine()), "even number"),
        (lambda: tiny(Adaptive(CosineSine())), "even number"),
        (lambda: tiny(Mixed((Tanh(), Sine())), width=1), "MLP.width"),
        (lambda: Mixed(()), "Mixed.functions"),
        (lambda: Mixed((Tanh(), CosineSine())), "Mixed.functions"),
        (lambda: Adaptive(Adaptive()), "Adaptive.function"),
        (lambda: Adaptive(gain=0.0), "Adaptive"),
        (lambda: CosineSine(1.5), "CosineSine"),
        (lambda: BSpline(1), "BSpline.degree"),
        (lambda: Ricker(0.0), "Ricker"),
        (lambda: Subspace(scales=()), "Subspace.scales"),
        (lambda: Subspace(width=3), "even number"),
        (lambda: build(Subspace()), "Subspace.scales"),  # Auto: solvers choose before they build
        (lambda: Tuned(-0.1), "Tuned"),
        (lambda: Tuned(start=math.nan), "Tuned"),
        (lambda: FourierFeatures(features=()), "FourierFeatures.features"),
        (lambda: FourierFeatures(amplitude=0.0), "FourierFeatures"),
        (lambda: Gaussian(0.0), "Gaussian"),
        (lambda: Gaussian(math.nan), "Gaussian"),
        (lambda: Gaussian(count=0), "Gaussian"),
        (lambda: Positional(0), "Positional"),
        (lambda: Given(()), "Given.frequencies"),
        (lambda: Given(((math.nan,),)), r"Given.*frequencies\[0\]\[0\]"),
        (lambda: PhaseShift(scales=()), "PhaseShift.scales"),
        (lambda: PhaseShift(scales=(-1.0,)), r"PhaseShift.*scales\[0\]"),
        (lambda: PhaseShift(scales=(2.0, 2.0)), "twice"),
        (lambda: spanning(0.5), "spanning"),
        (lambda: Parts({}, ()), "Parts"),
        (lambda: Parts({"a": nn.Identity()}, (1.0, 2.0)), "Parts"),
    ],
)
def test_impossible_options_are_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        make()
    assert "expected" in str(caught.value)


@pytest.mark.parametrize(
    "features", [(Given(((1.0,),)),), (Gaussian(1.0, 5), Gaussian(1.0, 6))], ids=["dimension", "counts"]
)
def test_frequencies_that_do_not_fit_are_refused(features: tuple[Given | Gaussian, ...]) -> None:
    with pytest.raises(ShapeError, match="expected"):
        build(FourierFeatures(4, 1, features))
