"""mscale-stretch: stretching the coordinate turns a high frequency into a low one, which is learnt sooner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from ...optim import Adam
from ...plot_style import grid_lines, style
from ...spectrum import settled_at, spectrum
from ..curves import Curve, Sines, quotient
from ..experiment import Context, Experiment
from ..finding import Claim, Finding
from ..fitting import Fit
from ..panels import draw_spectrum
from ..records import Periodic
from ..statistics import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ComplexArray = NDArray[np.complex128]

REACHED = 0.1
"""Relative L2 error that counts as learnt."""


@final
@dataclass(frozen=True)
class Stretch:
    """The fit of sin k x on [-1, 1], and of the same stretched k-fold.

    Args:
        curve: network, points and training.
        wavenumber: k.
        factors: by which a windowed sine is stretched for the identity of transforms.
    """

    curve: Curve = field(
        default_factory=lambda: Curve(lower=-1.0, upper=1.0, points=200, fit=Fit(2000, Adam(1e-3), record=Periodic(5)))
    )
    wavenumber: float = 23.0
    factors: tuple[float, ...] = (1 / 23, 0.5, 3.0, -2.0)


def windowed_sine(x: FloatArray, wavenumber: float) -> FloatArray:
    """exp(-x^2 / 2) sin(k x)."""
    wave: FloatArray = np.exp(-0.5 * x**2) * np.sin(wavenumber * x)
    return wave


def transform(wavenumber: float, factor: float, zeta: FloatArray, nodes: int) -> ComplexArray:
    """Integral over x of g(factor x) exp(-2 pi i zeta x) for the windowed sine g, by the trapezoid rule.

    Notes: exact to round-off with steps below about 1 / (wave number) of g, for g is smooth and vanishes at the ends.
    """
    x = np.linspace(-9.0, 9.0, nodes) / abs(factor)
    values = windowed_sine(factor * x, wavenumber)
    integral: ComplexArray = np.exp(-2j * np.pi * np.outer(zeta, x)) @ values * (x[1] - x[0])
    return integral


def identity_error(config: Stretch) -> dict[str, float]:
    """Largest |F(g(f x))(zeta) - F(g)(zeta / f) / |f|| over the largest |F(g(f x))|, for each factor f.

    Both transforms are integrated on grids of their own, of which neither is the other one stretched.
    """
    errors = {}
    for factor in config.factors:
        zeta = factor * np.linspace(0.0, 1.5 * config.wavenumber / (2 * np.pi), 101)
        stretched = transform(config.wavenumber, factor, zeta, 2003)
        scaled = transform(config.wavenumber, 1.0, zeta / factor, 1601) / abs(factor)
        errors[f"stretched by {factor:.3g}"] = float(np.abs(stretched - scaled).max() / np.abs(stretched).max())
    return errors


def run(config: Stretch, context: Context) -> Finding:
    """Fit both functions by the same networks, and check how a transform scales."""
    curve, count = config.curve, len(context.seeds)
    targets = (Sines((config.wavenumber,)), Sines((1.0,)))
    trained = curve.train(context, "a sine and the same stretched", targets=targets)
    norms = np.linalg.norm(trained.target, axis=1)
    error = np.linalg.norm(trained.outputs - trained.target, axis=2) / norms
    times = settled_at(trained.steps, error, REACHED, hold=1).astype(np.float64)
    original, stretched = times[:count], times[count:]
    ratio = quotient(stretched, original)
    identity = identity_error(config)
    claims = (
        Claim(
            "stretching by k moves the transform: F(f(k x))(zeta) = F(f)(zeta / k) / |k|",
            "relative error below 1e-6 for a sine under a Gaussian window, by quadrature",
            identity,
            max(identity.values()) < 1e-6,
        ),
        Claim.over_seeds(
            "the stretched function is learnt sooner",
            f"steps to relative L2 error {REACHED:g}: at most a fifth of those for the original, or it never gets there",
            {
                "steps, original": original.tolist(),
                "steps, stretched": stretched.tolist(),
                "ratio": ratio.tolist(),
                "error at the end, original": error[-1, :count].tolist(),
                "error at the end, stretched": error[-1, count:].tolist(),
            },
            (np.isfinite(stretched) & (ratio <= 0.2)).tolist(),
        ),
    )
    names = (f"sin {config.wavenumber:g}x", "stretched: sin x")
    x = np.linspace(curve.lower, curve.upper, 1001)

    def draw_functions(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for number, (target, name) in enumerate(zip(targets, names, strict=True)):
            left.plot(x, target(x), label=name, **style(number))
        left.set(xlabel="x", ylabel="function")
        left.legend(loc="upper left")
        grid_lines(left)
        wide = np.linspace(-2 * np.pi, 2 * np.pi, 1024, endpoint=False)  # whole periods of both
        spectra = [spectrum(target(wide), wide[1] - wide[0]) for target in targets]
        k = spectra[0].wavenumbers[0]
        seen = (k >= 0) & (k <= 1.3 * config.wavenumber)
        draw_spectrum(right, k[seen], [2 * one.magnitude[seen] for one in spectra], names)

    def draw_errors(figure: Figure) -> None:
        ax = figure.subplots()
        for number, name in enumerate(names):
            part = error[:, number * count : (number + 1) * count]
            lines = ax.loglog(np.maximum(trained.steps, 1), part, linewidth=1.0, **style(number))
            lines[0].set_label(name)
        ax.axhline(REACHED, color="black", linewidth=0.8, linestyle=":")
        ax.set(xlabel="optimiser step", ylabel="relative L2 error")
        ax.legend()
        grid_lines(ax)

    return Finding(
        claims,
        {"steps": trained.steps, "loss": trained.loss, "error": error, "outputs_end": trained.outputs[-1]},
        {"functions": draw_functions, "errors": draw_errors},
    )


EXPERIMENT = Experiment(
    id="mscale-stretch",
    chapter=5,
    source="Fig. 5.1, Eq. 5.1, section 5.1",
    title="stretching the coordinate turns a high frequency into a low one, which is learnt sooner",
    quick=Stretch(),
    full=Stretch(Curve(lower=-1.0, upper=1.0, points=200, fit=Fit(20_000, Adam(1e-3), record=Periodic(10)))),
    run=run,
)
