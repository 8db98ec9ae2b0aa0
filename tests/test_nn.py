"""Networks: shapes, reproducible weights, laws, scaling and what bad input gets."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from pdekit.errors import ConfigError, DtypeError, NonFiniteError, ShapeError, UnknownNameError
from pdekit.nn import (
    ACTIVATIONS,
    MLP,
    Activation,
    AntiSymmetric,
    Architecture,
    Concatenation,
    CosineSine,
    Dilation,
    Elementwise,
    Frame,
    Glorot,
    HardConstraint,
    He,
    Initialisation,
    LeCun,
    Monomials,
    Perceptron,
    Polynomial,
    PowerLaw,
    ReLU,
    Residual,
    ResNet,
    Scaling,
    Sine,
    Siren,
    Site,
    Sum,
    Tanh,
    TorchDefault,
    activation,
    check_parameters,
    linear,
)

ARCHITECTURES = [
    *(MLP(8, 2), MLP(8, 1, Sine(3.0), Siren()), MLP(8, 3, ReLU(2), He()), ResNet(6, 2), Polynomial(3)),
    *(Perceptron((8, 6, 4)), Perceptron((6, 4), CosineSine(), biased=False), AntiSymmetric(MLP(8, 2))),
]
LAWS = [
    Glorot(),
    Glorot(uniform=True, scale=0.5),
    He(),
    LeCun(uniform=True),
    Siren(),
    PowerLaw(1.5),
    He(bias=0.1),
    TorchDefault(),
]


def build(architecture: Architecture, seed: int = 97, dtype: torch.dtype = torch.float64, d: int = 2) -> nn.Module:
    g = torch.Generator().manual_seed(seed)
    return architecture.build(Frame((0.0,) * d, (2.0,) * d, 3, dtype), g)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [0, 1, 7])
def test_output_has_the_asked_shape_and_type(architecture: Architecture, dtype: torch.dtype, n: int) -> None:
    value = build(architecture, dtype=dtype)(torch.rand(n, 2, dtype=dtype))
    assert value.shape == (n, 3)
    assert value.dtype == dtype


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_same_generator_same_weights_and_the_global_one_untouched(architecture: Architecture) -> None:
    before = torch.get_rng_state()
    one, two, other = build(architecture, 11), build(architecture, 11), build(architecture, 12)
    single = build(architecture, 11, torch.float32)
    assert torch.equal(before, torch.get_rng_state())
    for name, parameter in one.named_parameters():
        assert torch.equal(parameter, two.get_parameter(name))
        assert torch.equal(parameter.float(), single.get_parameter(name))
    if not isinstance(architecture, Polynomial):
        assert any(not torch.equal(p, other.get_parameter(name)) for name, p in one.named_parameters())


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_configurations_are_values(architecture: Architecture) -> None:
    assert {architecture: 1}[architecture] == 1
    assert architecture == eval(repr(architecture), globals() | {"VarianceScaling": type(He())})


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize(
    "site", [Site(40, 60, 50, False, Sine(5.0)), Site(3, 500, 500, True, Sine(5.0))], ids=["hidden", "first"]
)
def test_weights_have_the_variance_of_their_law(law: Initialisation, site: Site) -> None:
    if isinstance(law, Siren):
        expected = (1 / site.inputs if site.first else math.sqrt(6 / site.inputs) / 5.0) ** 2 / 3
    elif isinstance(law, PowerLaw):
        expected = site.width**-law.gamma
    elif isinstance(law, TorchDefault):
        expected = 1 / (3 * site.inputs)
    else:
        fan = (site.inputs + site.outputs) / 2 if law.to_outputs else site.inputs
        expected = law.scale**2 * law.gain / fan
    g = torch.Generator().manual_seed(5)
    draws = torch.stack([law.draw(site, g)[0] for _ in range(20)])
    # The variance of N draws scatters by at most sqrt(2 / N); N >= 30,000, so 5 % is six deviations.
    assert float(draws.square().mean()) == pytest.approx(expected, rel=0.05)
    assert abs(float(draws.mean())) < 6 * math.sqrt(expected / draws.numel())
    if isinstance(law, Siren | TorchDefault) or getattr(law, "uniform", False):
        assert float(draws.abs().max()) <= math.sqrt(3 * expected) * (1 + 1e-12)


def test_biases() -> None:
    site, g = Site(4, 20_000, 8, False, Tanh()), torch.Generator().manual_seed(5)
    assert not He().draw(site, g)[1].any()
    assert float(He(bias=0.1).draw(site, g)[1].std()) == pytest.approx(0.1, rel=0.05)
    weight, bias = TorchDefault().draw(site, g)
    own = torch.nn.Linear(4, 20_000)
    assert float(weight.abs().max()) <= 0.5 and float(own.weight.detach().abs().max()) <= 0.5
    assert float(bias.std()) == pytest.approx(float(own.bias.detach().std()), rel=0.05)
    layer = linear(site, He(bias=0.1), g, torch.float32)
    assert layer.weight.dtype == torch.float32
    assert layer.bias.abs().max() > 0


@pytest.mark.parametrize("size", [1e-9, 1e6])
@pytest.mark.parametrize("architecture", [MLP(8, 2), ResNet(6, 1), Polynomial(3)], ids=str)
def test_the_domains_size_does_not_matter(architecture: Architecture, size: float) -> None:
    x = torch.rand(9, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    values = []
    for scale in (1.0, size):
        g = torch.Generator().manual_seed(4)
        network = architecture.build(Frame((0.0,), (scale,), 1, torch.float64), g)
        values.append(network(x * scale))
    torch.testing.assert_close(values[0], values[1], rtol=1e-9, atol=1e-12)


def test_a_perceptron_has_the_widths_asked_for() -> None:
    network = build(Perceptron((8, 6, 4), biased=False))
    shapes = [tuple(p.shape) for name, p in network.named_parameters() if name.endswith("weight")]
    assert shapes == [(8, 2), (6, 8), (4, 6), (3, 4)]
    assert sum(name.endswith("bias") for name, _ in network.named_parameters()) == 3
    equal, reference = build(Perceptron((8, 8))), build(MLP(8, 2))
    x = torch.rand(5, 2, dtype=torch.float64)
    torch.testing.assert_close(equal(x), reference(x))


def test_an_antisymmetric_network_starts_at_zero_and_moves() -> None:
    network = build(AntiSymmetric(MLP(8, 2, init=PowerLaw(-1.0))))
    x = torch.rand(5, 2, dtype=torch.float64)
    assert not network(x).any()
    network(x).sum().backward()
    halves = list(network.parameters())
    a, b = halves[: len(halves) // 2], halves[len(halves) // 2 :]
    for p, q in zip(a, b, strict=True):
        assert p.grad is not None and q.grad is not None and p.grad.any()
        torch.testing.assert_close(p.grad, -q.grad)


def test_scaling_maps_corners_to_corners_and_keeps_digits_far_from_the_origin() -> None:
    scaling = Scaling(Frame((1e6, -2.0), (1e6 + 1, 4.0), 1, torch.float64))
    corners = scaling(torch.tensor([[1e6, -2.0], [1e6 + 1, 4.0], [1e6 + 0.5, 1.0]], dtype=torch.float64))
    torch.testing.assert_close(corners, torch.tensor([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]], dtype=torch.float64))


def test_composites_do_what_their_names_say() -> None:
    x = torch.rand(5, 2, generator=torch.Generator().manual_seed(1))
    a, b = nn.Linear(2, 2), nn.Linear(2, 2)
    torch.testing.assert_close(Residual(a)(x), x + a(x))
    torch.testing.assert_close(Sum(a, b)(x), a(x) + b(x))
    torch.testing.assert_close(Concatenation(a, b)(x), torch.cat([a(x), b(x)], 1))
    distance = nn.Linear(2, 1)
    torch.testing.assert_close(HardConstraint(a, distance, b)(x), b(x) + distance(x) * a(x))
    torch.testing.assert_close(HardConstraint(a, distance)(x), distance(x) * a(x))
    torch.testing.assert_close(Dilation(torch.tensor([2.0, 3.0]))(x), x * torch.tensor([2.0, 3.0]))
    torch.testing.assert_close(Elementwise(Sine(2.0))(x), torch.sin(2 * x))


@pytest.mark.parametrize(("tensor", "count"), [(False, math.comb(3 + 4, 4)), (True, 4**4)])
def test_polynomials_have_the_right_number_of_terms(tensor: bool, count: int) -> None:
    top = build(Polynomial(3, tensor), d=4).get_submodule("body.2")
    assert top.weight.shape == (3, count)


def test_monomials() -> None:
    x = torch.tensor([[2.0, 3.0]])
    assert Monomials(torch.tensor([[0, 0], [2, 0], [1, 1], [0, 3]]))(x).tolist() == [[1.0, 4.0, 6.0, 27.0]]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_by_name(name: str) -> None:
    function: Activation = activation(name)
    z = torch.linspace(-2, 2, 9)
    assert function(z).shape == (18 if function == CosineSine() else 9,)
    assert function == activation(name)


@pytest.mark.parametrize(
    ("function", "smoothness"), [(Tanh(), math.inf), (Sine(4.0), math.inf), (ReLU(1), 0), (ReLU(3), 2)]
)
def test_smoothness(function: Activation, smoothness: float) -> None:
    assert function.smoothness == smoothness


# Bad input ------------------------------------------------------------------------------------------------------------


def test_unknown_activation_names_the_closest() -> None:  # E3
    with pytest.raises(UnknownNameError, match=r"'tahn'.*did you mean 'tanh'"):
        activation("tahn")


@pytest.mark.parametrize("shape", [(5,), (5, 3), (2, 5), (1, 5, 2)])
@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_wrong_input_shape_names_the_network(architecture: Architecture, shape: tuple[int, ...]) -> None:  # E1
    network = build(architecture)
    with pytest.raises(ShapeError, match=r"(MLP|ResNet|Polynomial|Perceptron|AntiSymmetric) 2-.*expected \(n, 2\)"):
        network(torch.rand(shape, dtype=torch.float64))


@pytest.mark.parametrize(
    "make",
    [
        lambda: MLP(width=0),  # E12
        lambda: MLP(depth=-1),
        lambda: MLP(width=3.5),
        lambda: MLP(width=True),
        lambda: ResNet(width=0),
        lambda: Perceptron(()),
        lambda: Perceptron((8, 0)),
        lambda: Perceptron((8, 3), CosineSine()),
        lambda: Polynomial(0),
        lambda: Frame((), (), 1, torch.float64),
        lambda: Frame((0.0,), (1.0,), 0, torch.float64),
        lambda: Frame((0.0,), (0.0,), 1, torch.float64),
        lambda: Frame((0.0,), (math.inf,), 1, torch.float64),
        lambda: ReLU(0),
        lambda: Sine(0.0),
        lambda: Sine(math.nan),
        lambda: Glorot(scale=0.0),
        lambda: He(bias=-1.0),
        lambda: PowerLaw(gamma=math.inf),
        lambda: Siren(scale=math.nan),
        Sum,
        Concatenation,
    ],
)
def test_impossible_options_are_refused(make: object) -> None:
    with pytest.raises(ConfigError, match="expected"):
        make()  # type: ignore[operator]


def test_bounds_of_two_lengths_are_refused() -> None:
    with pytest.raises(ShapeError, match="1 lower and 2 upper"):
        Frame((0.0,), (1.0, 1.0), 1, torch.float64)


def test_whole_numbers_are_no_type_for_weights() -> None:
    with pytest.raises(DtypeError, match="expected a floating-point type"):
        Frame((0.0,), (1.0,), 1, torch.int64)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_in_the_weights_names_the_parameter(bad: float) -> None:  # E17
    network = build(MLP(4, 1))
    check_parameters(network)
    with torch.no_grad():
        network.get_parameter("body.1.weight")[2, 1] = bad
    with pytest.raises(NonFiniteError, match=r"'body\.1\.weight': got 1 of 8"):
        check_parameters(network)
