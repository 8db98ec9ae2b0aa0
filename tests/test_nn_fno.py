"""Fourier neural operators: the transform and the spectral layer against direct sums, the same map at every resolution."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from pdekit.errors import ConfigError, FrequencyError, NotApplicableError, ShapeError
from pdekit.nn import MLP, Fno, OperatorFrame, Sine
from pdekit.nn.spectral_convolution import SpectralConvolution, SpectralGrid
from pdekit.nn.truncated_fourier import TruncatedFourier
from pdekit.quantity import Axis, Quantity

F64 = torch.float64
PERIODIC = Axis("x", 12, 0.5, 2.5, periodic=True)
CLOSED = Axis("y", 9, -1.0, 2.0)
LINE = Quantity((Axis("x", 32, periodic=True),), ("u0",))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=generator(seed), dtype=F64)


def frame(source: Quantity, target: Quantity, **more: object) -> OperatorFrame:
    return OperatorFrame(
        source, target, F64, random(5, *source.shape) + 1, 3 * random(5, *target.shape, seed=2), **more
    )


def test_on_a_periodic_axis_it_is_the_discrete_fourier_transform():
    v = random(12)
    waves = TruncatedFourier(PERIODIC, 4)
    expected = torch.fft.fft(v) / 12
    found = waves.analysis(v) @ v.to(torch.complex128)
    assert torch.allclose(found, torch.cat([expected[-3:], expected[:4]]), atol=1e-14)
    real, imaginary = (waves.half_analysis(v) @ v).chunk(2)
    assert torch.allclose(torch.complex(real, imaginary), expected[:4], atol=1e-14)


@pytest.mark.parametrize("axis", [PERIODIC, CLOSED], ids=["periodic", "closed"])
def test_synthesis_sums_the_waves(axis):
    waves = TruncatedFourier(axis, 4, 1.25)
    c = torch.complex(random(7), random(7, seed=2))
    s = axis.coordinates - axis.lower
    expected = sum(complex(c[k + 3]) * np.exp(2j * math.pi * k * s / waves.period) for k in range(-3, 4))
    assert np.allclose((waves.synthesis(c.real) @ c).numpy(), expected, atol=1e-13)
    half = torch.cat([c.real[3:], c.imag[3:]])
    expected = c.real[3].item() + sum(
        2 * (complex(c[k + 3]) * np.exp(2j * math.pi * k * s / waves.period)).real for k in range(1, 4)
    )
    assert np.allclose((waves.half_synthesis(c.real) @ half).numpy(), expected, atol=1e-13)


def test_on_a_closed_axis_it_converges_to_the_integral():
    """c_k = (1 / P) int_0^1 exp(s) exp(-i kappa s) ds in closed form; the trapezoidal rule is of order 2."""
    errors = []
    for points in (33, 65, 129):
        axis = Axis("x", points)
        waves = TruncatedFourier(axis, 5, 1.25)
        v = torch.from_numpy(np.exp(axis.coordinates))
        kappa = 2j * math.pi * np.arange(-4, 5) / 1.25
        exact = (np.exp(1 - kappa) - 1) / (1 - kappa) / 1.25
        errors.append(np.abs((waves.analysis(v) @ v.to(torch.complex128)).numpy() - exact).max())
    rates = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert all(1.95 < rate < 2.05 for rate in rates)


@pytest.mark.parametrize(
    "axes",
    [
        (PERIODIC,),
        (PERIODIC, CLOSED),
        (CLOSED, PERIODIC, Axis("z", 8)),
    ],
    ids=["1-D", "2-D", "3-D"],
)
def test_the_spectral_layer_is_the_direct_sum_over_modes(axes):
    """Against the definition, one mode, one component, one point at a time."""
    modes, width, count = 3, 2, 2
    waves = [TruncatedFourier(axis, modes, 1.5) for axis in axes]
    layer = SpectralConvolution(width, [modes] * len(axes), generator(), F64)
    v = random(*(axis.points for axis in axes), count, width)
    found = layer(v, SpectralGrid.of(waves, v)).detach().numpy()
    s = np.stack(np.meshgrid(*(a.coordinates - a.lower for a in axes), indexing="ij"), -1).reshape(-1, len(axes))
    weights = np.prod(np.stack(np.meshgrid(*(a.weights for a in axes), indexing="ij"), -1), -1).reshape(-1)
    flat, total = v.reshape(len(s), count, width).numpy(), np.zeros((len(s), count, width))
    matrices = torch.complex(layer.weight[0], layer.weight[1]).detach().numpy()
    numbers = itertools.product(range(modes), *[range(1 - modes, modes)] * (len(axes) - 1))
    for k, matrix in zip(numbers, matrices, strict=True):
        wave = np.exp(2j * math.pi * s @ (np.array(k) / [w.period for w in waves]))
        c = np.einsum("n,nbi->bi", weights * wave.conj(), flat) / math.prod(w.period for w in waves)
        twice = 1 if k[0] == 0 else 2
        total += twice * (wave[:, None, None] * (c @ matrix)[None]).real
    assert np.allclose(found.reshape(total.shape), total, atol=1e-13)


def test_gradients():
    axes = (Axis("x", 6, periodic=True), Axis("y", 5))
    layer = SpectralConvolution(2, [2, 2], generator(), F64)
    grid = SpectralGrid.of([TruncatedFourier(axis, 2, 1.5) for axis in axes], torch.zeros((), dtype=F64))
    v = random(6, 5, 1, 2).requires_grad_()

    def run(v: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(layer, {"weight": weight}, (v, grid))

    assert torch.autograd.gradcheck(run, (v, layer.weight.detach().clone().requires_grad_()))


def band_limited(points: int, count: int = 3) -> torch.Tensor:
    x = torch.arange(points, dtype=F64) / points
    waves = [f(2 * math.pi * k * x) for k in (1, 2) for f in (torch.sin, torch.cos)]
    return (random(count, 4) @ torch.stack(waves))[..., None]


def test_the_same_function_on_two_grids_has_the_same_output():
    """Tanh makes frequencies beyond the coarse grid; they fall off exponentially, so that 64 points hold the round-off."""
    network = Fno(6, 4, 3).build(frame(LINE, LINE), generator())
    coarse, fine = network(0.3 * band_limited(64)), network(0.3 * band_limited(128))
    assert (fine[:, ::2] - coarse).abs().max() < 1e-9 * coarse.abs().max()
    assert not torch.allclose(network(0.3 * band_limited(8)), coarse[:, ::8], rtol=1e-3)  # that one does not resolve it


def test_closed_axes_converge_under_refinement():
    square = Quantity((Axis("x", 9), Axis("y", 9)), ("a",))
    network = Fno(5, 3, 2).build(frame(square, square), generator())

    def smooth(points: int) -> torch.Tensor:
        x = torch.linspace(0, 1, points, dtype=F64)
        return torch.exp(x[:, None] - x**2)[None, ..., None]

    outputs = [network(smooth(n)).detach()[:, :: (n - 1) // 8, :: (n - 1) // 8] for n in (17, 33, 65)]
    first, second = (float((b - a).abs().max()) for a, b in itertools.pairwise(outputs))
    assert 3.6 < first / second < 4.4  # order 2


def test_it_commutes_with_translations_of_periodic_axes():
    network = Fno(6, 4, 3).build(frame(LINE, LINE), generator())
    v = random(2, 32, 1)
    assert torch.allclose(network(v.roll(5, 1)), network(v).roll(5, 1), atol=1e-12)


def test_time_is_an_axis_of_the_output_alone():
    target = Quantity((LINE.axes[0], Axis("t", 6)), ("u", "p"))
    network = Fno(4, 3, 2).build(frame(LINE, target), generator())
    outputs = network(random(2, 32, 1))
    assert outputs.shape == (2, 32, 6, 2)
    assert outputs.std(dim=2).min() > 0  # it does depend on t
    assert network(random(2, 48, 1)).shape == (2, 48, 6, 2)


def test_axes_are_matched_by_name():
    x, y = Axis("x", 8), Axis("y", 10)
    there = Fno(4, 2, 2).build(frame(Quantity((x, y)), Quantity((x, y))), generator())
    swapped = Fno(4, 2, 2).build(OperatorFrame(Quantity((y, x)), Quantity((x, y)), F64, None, None), generator())
    swapped.load_state_dict(there.state_dict())
    a = random(2, 8, 10, 1)
    assert torch.equal(swapped(a.transpose(1, 2)), there(a))


def test_the_output_may_be_asked_for_on_another_grid():
    network = Fno(6, 4, 3).build(frame(LINE, LINE), generator())
    v = 0.3 * band_limited(64)
    assert torch.allclose(network(v, (128,)), network(0.3 * band_limited(128)), rtol=1e-3, atol=1e-4)


def test_a_boundary_factor_is_multiplied_in():
    axis = Axis("x", 17)

    class Bump(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * (1 - x)

    line = Quantity((axis,))
    network = Fno(4, 3, 2).build(frame(line, line, factor=Bump()), generator())
    outputs = network(random(2, 17, 1))
    assert outputs[:, [0, -1]].abs().max() == 0.0
    assert outputs[:, 1:-1].abs().min() > 0.0


def test_statistics_travel_with_the_weights():
    network = Fno(4, 3, 2).build(frame(LINE, LINE), generator())
    empty = Fno(4, 3, 2).build(OperatorFrame(LINE, LINE, F64), generator(7))
    empty.load_state_dict(network.state_dict())
    v = random(2, 32, 1)
    assert torch.equal(empty(v), network(v))


def test_units_do_not_matter():
    """Data times a power of two: the same network, bit for bit, in the other unit."""
    source, target = random(5, 32, 1), random(5, 32, 1, seed=2)
    one = Fno(4, 3, 2).build(OperatorFrame(LINE, LINE, F64, source, target), generator())
    other = Fno(4, 3, 2).build(OperatorFrame(LINE, LINE, F64, 1024 * source, target / 64), generator())
    v = random(2, 32, 1, seed=3)
    assert torch.equal(other(1024 * v), one(v) / 64)


def test_bad_input():
    network = Fno(4, 5, 2).build(frame(LINE, LINE), generator())
    with pytest.raises(FrequencyError, match="8 points do not resolve 5 modes, expected at most 4"):
        network(random(1, 8, 1))
    with pytest.raises(FrequencyError, match="resolve 17 modes"):
        Fno(4, 17).build(frame(LINE, LINE), generator())
    with pytest.raises(ShapeError, match=r"got inputs of shape \(2, 32\)"):
        network(random(2, 32))
    with pytest.raises(ShapeError, match="expected 1 axes"):
        network.resolves((32, 32))
    with pytest.raises(NotApplicableError, match="lives on s"):
        Fno().build(frame(Quantity((Axis("s", 32),)), LINE), generator())
    with pytest.raises(ConfigError, match="extension"):
        Fno(extension=0.5)
    with pytest.raises(ConfigError, match="modes"):
        Fno(modes=0)
    assert Fno(activation=Sine()).activation == Sine()
    assert MLP() != Fno()
