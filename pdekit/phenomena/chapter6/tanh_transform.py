"""freq-tanh-transform: a tanh neuron's spectrum falls exponentially, that of ReLU by a power."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from ...plot_style import grid_lines, style
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..statistics import FloatArray, log_log_slope

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ComplexArray = NDArray[np.complex128]


@final
@dataclass(frozen=True)
class TanhTransform:
    """Which neurons are transformed, and where.

    Args:
        weights: w of tanh(w x + b).
        bias: b.
        lowest: smallest wave number compared.
        highest: largest one.
        wavenumbers: how many between them.
        tail: from which wave number on the exponential rate is fitted.
        lobes: how many side lobes of the ReLU hat its power is fitted to.
    """

    weights: tuple[float, ...] = (0.5, 1.0, 2.0)
    bias: float = 0.3
    lowest: float = 0.5
    highest: float = 10.0
    wavenumbers: int = 96
    tail: float = 6.0
    lobes: int = 40


def neuron_transform(k: FloatArray, weight: FloatArray | float, bias: FloatArray | float) -> ComplexArray:
    """The transform of tanh(w x + b), integral over x of tanh(w x + b) exp(-i k x), for k other than 0.

    -i pi / (|w| sinh(pi k / (2 w))) exp(i b k / w)

    Reference: book, eq. 6.5.
    """
    transform: ComplexArray = (
        -1j * np.pi / (np.abs(weight) * np.sinh(np.pi * k / (2 * weight))) * np.exp(1j * bias * k / weight)
    )
    return transform


def quadrature(k: FloatArray, weight: float, bias: float) -> ComplexArray:
    """The same transform by the trapezoid rule: that of the slope w sech^2(w x + b), divided by i k.

    In t = w x + b the slope's transform is exp(i b k / w) times the integral of sech^2(t) exp(-i (k / w) t). On the real
    line that integral is the small difference of large numbers (1e-12 of them at k / w = 20), so the path runs through
    t = s -+ 1.3 i instead, which Cauchy's theorem allows: the nearest poles are at -+ i pi / 2.
    """
    turns = k / weight
    step, shift = 0.02, 1.3
    s = np.arange(-25.0, 25.0 + 0.5 * step, step)
    path = s - 1j * shift * np.sign(turns)[:, None]
    integral = step * (np.exp(-1j * turns[:, None] * path) / np.cosh(path) ** 2).sum(axis=1)
    transform: ComplexArray = np.sign(weight) * np.exp(1j * bias * turns) * integral / (1j * k)
    return transform


def relu_hat(x: FloatArray) -> FloatArray:
    """relu(x + 1) - 2 relu(x) + relu(x - 1): the simplest sum of ReLU neurons that has a transform."""
    total: FloatArray = np.maximum(x + 1, 0) - 2 * np.maximum(x, 0) + np.maximum(x - 1, 0)
    return total


def hat_transform(k: FloatArray) -> FloatArray:
    """|integral of relu_hat(x) exp(-i k x)| by Gauss-Legendre quadrature on cells that end at the kinks."""
    cells = max(8, int(np.ceil(np.abs(k).max() / np.pi)))
    nodes, weights = np.polynomial.legendre.leggauss(8)
    edges = np.linspace(-1.0, 1.0, 2 * cells + 1)
    radius = 0.5 / cells
    x = (edges[:-1, None] + radius * (nodes + 1)).ravel()
    area = np.tile(radius * weights, 2 * cells)
    magnitude: FloatArray = np.abs(np.exp(-1j * np.outer(k, x)) @ (area * relu_hat(x)))
    return magnitude


def run(config: TanhTransform, context: Context) -> Finding:
    """Compare the closed form with quadrature and fit both rates; nothing here is random."""
    k = np.linspace(config.lowest, config.highest, config.wavenumbers)
    measured = np.stack([quadrature(k, w, config.bias) for w in config.weights])
    formula = np.stack([neuron_transform(k, w, config.bias) for w in config.weights])
    errors = np.abs(formula - measured) / np.abs(measured)
    tail = k >= config.tail
    rates = np.array([np.polyfit(k[tail], np.log(np.abs(row[tail])), 1)[0] for row in measured])
    expected = -np.pi / (2 * np.array(config.weights))
    deviations = rates / expected - 1
    # Of the side lobes of (sin(k / 2) / (k / 2))^2.
    centres = (np.pi * np.linspace(3.0, 2.0 * config.lobes + 1.0, config.lobes)).astype(np.float64)
    lobes = hat_transform(centres)
    power = log_log_slope(centres, lobes)
    names = [f"w = {w:g}" for w in config.weights]
    claims = (
        Claim(
            "the transform of tanh(w x + b) is -i pi exp(i b k / w) / (w sinh(pi k / 2 w))",
            f"relative error against quadrature below 1e-6 for k from {config.lowest:g} to {config.highest:g}",
            dict(zip(names, errors.max(axis=1).tolist(), strict=True)),
            bool(errors.max() < 1e-6),
        ),
        Claim(
            "it decays like exp(-pi k / 2 w)",
            f"slope of log |g^| for k >= {config.tail:g} within 1 % of -pi / (2 w)",
            dict(zip(names, rates.tolist(), strict=True)) | {"largest deviation": float(np.abs(deviations).max())},
            bool((np.abs(deviations) <= 0.01).all()),
        ),
        Claim(
            "ReLU neurons decay like a power of k",
            "log-log slope of the side lobes of a hat made of three ReLU neurons is -2 within 0.05",
            {"slope": power.value, "standard error": power.error},
            bool(abs(power.value + 2) <= 0.05),
        ),
    )
    arrays = {
        "wavenumbers": k,
        "weights": np.array(config.weights),
        "tanh_quadrature": np.abs(measured),
        "tanh_formula": np.abs(formula),
        "hat_wavenumbers": centres,
        "hat": lobes,
    }

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for number, name in enumerate(names):
            left.semilogy(k, np.abs(measured[number]), label=f"{name}: rate {rates[number]:.3f}", **style(number))
            left.semilogy(k[::8], np.abs(formula[number, ::8]), "o", color=style(number)["color"], markersize=3)
        left.set(xlabel="wave number k", ylabel="|transform| of tanh(w x + b)", title="line: quadrature, dots: eq. 6.5")
        left.legend()
        fine = np.geomspace(1.0, float(centres[-1]), 2000)
        right.loglog(fine, np.maximum(hat_transform(fine), 1e-8), linewidth=0.7, color=style(5)["color"])
        right.loglog(centres, lobes, "o", markersize=3, label=f"side lobes: slope {power.value:.3f}", color="black")
        right.set(xlabel="wave number k", ylabel="|transform| of the ReLU hat", ylim=(1e-7, 2))
        right.legend()
        for ax in (left, right):
            grid_lines(ax)

    return Finding(claims, arrays, {"transforms": draw})


EXPERIMENT = Experiment(
    id="freq-tanh-transform",
    chapter=6,
    source="Eqs 6.5-6.7, section 6.2",
    title="the spectrum of a tanh neuron falls exponentially, that of ReLU by a power",
    quick=TanhTransform(),
    full=TanhTransform(wavenumbers=960, lobes=200),
    run=run,
    quick_seeds=1,
    full_seeds=1,
)
