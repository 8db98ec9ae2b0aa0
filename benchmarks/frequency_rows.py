"""The rows of frequency.py: what is solved, by what, and what must come out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from cases import AtLeast, AtMost, Beats, Case, Row
from pdekit.problems import Variant
from pdekit.solvers import (
    CoarseSolve,
    Collocation,
    DualResidual,
    Enforcement,
    FiniteDifference,
    FiniteElement,
    Hybrid,
    Law,
    Neural,
    RandomFeatures,
    Ritz,
    StrongForm,
    Training,
)

from pdekit import problems, solvers
from pdekit.nn import MLP, Architecture, Around, Auto, FourierBands, Multiscale, Sine, Spread
from pdekit.optim import Adam, Constant, Cosine, LevenbergMarquardt, NaturalGradient
from pdekit.parts import field_parts, own_shares
from pdekit.problem import Problem
from pdekit.scales import recommend_scales
from pdekit.solution import Solution
from pdekit.solver import Solver

MINUTE = 60.0

# Solvers ----------------------------------------------------------------------------------------------------------

SECOND_ORDER = Training(steps=300, optimizer=LevenbergMarquardt(), schedule=Constant(), polish=0, record_every=10)


def strong(network: Architecture, points: int, conditions: Enforcement, law: Law = Law.SOBOL) -> Neural:
    """Least squares of the strong residual by Levenberg-Marquardt."""
    collocation = Collocation(points=points, law=law, boundary_points=max(200, points // 4))
    return Neural("pinn", StrongForm(), network, collocation, SECOND_ORDER, conditions)


def by_adam(solver: Neural, steps: int) -> Neural:
    """The same by Adam alone."""
    return dataclasses.replace(solver, training=Training(steps, Adam(3e-3), Cosine(), polish=0))


def by_lbfgs(solver: Neural) -> Neural:
    """The same by L-BFGS after a few steps of Adam."""
    return dataclasses.replace(solver, training=Training(100, Adam(3e-3), Constant(), polish=100_000))


def trained_on(solver: Neural, **options: object) -> Neural:
    """A preset with other options."""
    return dataclasses.replace(solver, **options)  # type: ignore[arg-type]


def with_scales(solver: Neural, *scales: float) -> Neural:
    """A preset with scales set by hand."""
    network = solver.network
    assert isinstance(network, Multiscale | FourierBands)
    return dataclasses.replace(solver, network=dataclasses.replace(network, scales=scales))


def plain(solver: Neural, width: int, depth: int = 2) -> Neural:
    """The same training of a network without scales."""
    return dataclasses.replace(solver, name="plain", network=MLP(width, depth, init=Spread(3.0)))


def natural(steps: int, optimizer: NaturalGradient) -> Training:
    """Natural gradients alone."""
    return Training(steps, optimizer, Constant(), polish=0, record_every=10)


def differences(order: int, *points: int) -> tuple[Solver, ...]:
    """Finite differences from coarse to fine."""
    return tuple(FiniteDifference(points=n, order=order) for n in points)


def elements(*sizes: float) -> tuple[Solver, ...]:
    """Finite elements of degree 2 from coarse to fine."""
    return tuple(FiniteElement(size=size) for size in sizes)


# Cases ------------------------------------------------------------------------------------------------------------


def second_order(problem: Problem, solver: Neural, steps: int, adam_steps: int) -> tuple[Case, ...]:
    """Second-order training for so many steps beside Adam and L-BFGS with the same network and seconds.

    Steps rather than seconds, so that the result is the same on a busy machine.
    """
    trained = trained_on(solver, training=dataclasses.replace(solver.training, steps=steps))
    main = Case("levenberg-marquardt", problem, trained)
    adam = Case("adam", problem, by_adam(solver, adam_steps), equal_time_to=main.label)
    return main, adam, Case("l-bfgs", problem, by_lbfgs(solver), equal_time_to=main.label)


def within(seconds: float) -> tuple[AtMost, AtMost]:
    """Second-order training in so many seconds, start included: by the clock, and by the processor if others share it."""
    return AtMost("levenberg-marquardt", seconds, "command"), AtMost("levenberg-marquardt", seconds, "cpu")


def boundary(solution: Solution) -> Mapping[str, float]:
    """Largest error on the boundary, relative to u."""
    return {"on the boundary": solution.trust.boundary_violation or 0.0}


def own_bands(solution: Solution) -> Mapping[str, float]:
    """Smallest share of its energy that a part has in its own band."""
    return {
        "own band": min(
            own_shares(field_parts(solution.field, solution.problem.domain), solution.problem.domain).values()
        )
    }


def scales_found(solution: Solution) -> Mapping[str, float]:
    """How many scales were read off the problem."""
    return {"scales": len(recommend_scales(solution.problem).values)}


SMALL = MLP(width=32, depth=2)
SINE = problems.PoissonSine()
CUBE = problems.PoissonND(5, Variant.COSINE)
HARMONIC = problems.PoissonND(10, Variant.HARMONIC)
HEAT = problems.Heat()
ON_HEAT = strong(  # soft: behind hard ones the network would have to take the initial data back for all times
    MLP(20, 3, Sine(), Spread(3.0)), 1600, Enforcement.SOFT, Law.GAUSS_LEGENDRE
)
MSCALE_1D = problems.PoissonMscale1D()
THREE = problems.EllipticThreeScale()
TWO = problems.EllipticTwoScale(eps=0.01)
TWO_FREQUENCIES = problems.PoissonTwoFrequency()
SEVEN = problems.PoissonSine(k=7)
POROUS = problems.PoissonPorous()
DISK = problems.PoissonDisk()
MSCALE, FOURIER, SD2, DUAL = solvers.mscale(), solvers.fourier(), solvers.sd2(), solvers.dual_residual()
DUAL_30 = trained_on(DUAL, training=dataclasses.replace(DUAL.training, steps=30))  # 1e-5 by then
MSCALE_WITH_HOLES = solvers.mscale_for(POROUS)
OCTAVES_WITH_HOLES = trained_on(  # as large as by auto
    MSCALE_WITH_HOLES, network=Multiscale(width=33, depth=1, scales=(1.0, 2.0, 4.0, 8.0, 16.0, 32.0), init=Around())
)
FEW_FEATURES = RandomFeatures(features=60, cells=8, stiffness=10.0)
FOURIER_SECOND_ORDER = trained_on(  # the dual norm: the strong residual leaves a smooth error of 1e-3
    FOURIER,
    network=FourierBands(width=12, depth=1, count=8),
    formulation=DualResidual(),
    collocation=Collocation(points=1024, law=Law.GAUSS_LEGENDRE),
    training=dataclasses.replace(SECOND_ORDER, steps=120),
    conditions=Enforcement.SOFT,  # hard ones leave 1e-5: the waves would have to be divided by the distance
)
BY_OCTAVES = trained_on(MSCALE, network=Multiscale(width=15, scales=(1.0, 2.0, 4.0, 8.0, 16.0)))  # as large as by auto
MSCALE_AS_SD2 = trained_on(  # as many parameters, the same energy, points and optimiser
    SD2, name="mscale", formulation=Ritz(1e3), network=Multiscale(width=11, scales=Auto())
)
FIVE_POINTS = 0.057  # cells of degree 2 on porous: five nodes per wavelength 2/7 along an axis, two nodes per cell
ON_DISK = MLP(width=60, depth=1, init=Spread(1.0))  # smooth: a steep one makes Nitsche's energy unbounded
CIRCLE = Collocation(points=900, law=Law.GAUSS_LEGENDRE, boundary_points=120)
NITSCHE = trained_on(
    solvers.deep_nitsche(), network=ON_DISK, collocation=CIRCLE, training=natural(40, NaturalGradient(smallest=1e-9))
)
RITZ = trained_on(  # the penalty leaves 1e-4 on the boundary; by stiffer ones training takes far longer
    NITSCHE, name="deep-ritz", formulation=Ritz(1e4), training=natural(200, NaturalGradient(damping=1e-5))
)

_ROWS = (
    Row(
        "poisson-sine-second-order",
        "poisson-sine, k = 1: 1e-6 within 60 s, start included; aim 1e-7. Adam stays at 1e-4, L-BFGS does not.",
        second_order(SINE, strong(SMALL, 900, Enforcement.HARD), 150, 3000),
        (AtMost("levenberg-marquardt", 1e-6), *within(MINUTE), AtLeast("adam", 1e-5)),
        differences(4, 17, 33, 65, 129, 257),
    ),
    Row(
        "poisson-nd-second-order",
        "poisson-nd, d = 5, sum of cosines: 1e-5 within 5 minutes.",
        second_order(CUBE, strong(MLP(width=64, depth=1), 2000, Enforcement.SOFT), 300, 3000),
        (AtMost("levenberg-marquardt", 1e-5), *within(5 * MINUTE)),
    ),
    Row(
        "harmonic-second-order",
        "poisson-nd, d = 10, harmonic: 1e-3 within 5 minutes.",
        second_order(HARMONIC, strong(MLP(width=24, depth=2), 2000, Enforcement.SOFT), 100, 3000),
        (AtMost("levenberg-marquardt", 1e-3), *within(5 * MINUTE)),
    ),
    Row(
        "heat-second-order",
        "heat in 1 + 1 dimensions: 1e-6 within 60 s, start included.",
        second_order(HEAT, ON_HEAT, 240, 3000),
        (AtMost("levenberg-marquardt", 1e-6), *within(MINUTE)),
        differences(2, 65, 129, 257, 513, 1025, 2049),
    ),
    Row(
        "poisson-mscale-1d",
        "poisson-mscale-1d: mscale 0.01 in 5,000 steps (its authors: 0.133), scales=auto as good as those set by hand "
        "with as many parameters and seconds.",
        (
            Case("mscale, auto", MSCALE_1D, MSCALE),
            Case("mscale, by hand", MSCALE_1D, BY_OCTAVES, equal_time_to="mscale, auto"),
            Case("plain", MSCALE_1D, plain(MSCALE, 35), equal_time_to="mscale, auto"),
        ),
        (
            AtMost("mscale, auto", 0.01),
            AtMost("mscale, auto", 5000, "steps"),
            AtMost("mscale, by hand", 0.01),
            Beats("mscale, auto", "mscale, by hand"),
        ),
        differences(4, 65, 129, 257, 513, 1025),
    ),
    Row(
        "no-needless-scale",
        "scales=auto adds no needless scale to poisson-sine, k = 1.",
        (Case("mscale, auto", SINE, MSCALE, extra=scales_found),),
        (AtMost("mscale, auto", 1, "scales"), AtMost("mscale, auto", 1e-3)),
        differences(4, 17, 33, 65),
    ),
    Row(
        "elliptic-three-scale",
        "elliptic-three-scale: sd2 3e-3 and strictly below mscale with as many parameters and seconds; 90 % of the energy "
        "of each part in its own band.",
        (
            Case("sd2", THREE, SD2, extra=own_bands),
            Case("mscale", THREE, MSCALE_AS_SD2, equal_time_to="sd2"),
            Case("mscale as it is", THREE, MSCALE, equal_time_to="sd2"),
        ),
        (AtMost("sd2", 3e-3), Beats("sd2", "mscale"), AtLeast("sd2", 0.9, "own band")),
        differences(4, 2001, 8001),
    ),
    Row(
        "poisson-two-frequency",
        "poisson-two-frequency: fourier 1e-3 by first-order training, 1e-6 by second-order.",
        (
            Case("fourier, auto", TWO_FREQUENCIES, trained_on(FOURIER, training=Training(3000, Adam(5e-3), polish=0))),
            Case(
                "fourier, by hand",
                TWO_FREQUENCIES,
                with_scales(trained_on(FOURIER, training=Training(3000, Adam(5e-3), polish=0)), 3.14, 78.5),
            ),
            Case("fourier, second order", TWO_FREQUENCIES, FOURIER_SECOND_ORDER, seconds=2 * MINUTE),
            Case("plain", TWO_FREQUENCIES, plain(FOURIER, 39), equal_time_to="fourier, auto"),
        ),
        (
            AtMost("fourier, auto", 1e-3),
            AtMost("fourier, second order", 1e-6),
            Beats("fourier, auto", "fourier, by hand"),
        ),
        differences(4, 129, 257, 513, 1025, 2049),
    ),
    Row(
        "poisson-sine-7",
        "poisson-sine, k = 7: dual-residual with at most 1,000 parameters 1e-3 in 2 minutes, ten times below the strong "
        "residual with the same network, optimiser and time. (The factor is not reached: Levenberg-Marquardt evens out the "
        "weights of the frequencies, and sines reach 1e-5 by either residual.)",
        (
            Case("dual-residual", SEVEN, DUAL_30),
            Case(
                "strong residual", SEVEN, trained_on(DUAL_30, formulation=StrongForm()), equal_time_to="dual-residual"
            ),
        ),
        (
            AtMost("dual-residual", 1e-3),
            AtMost("dual-residual", 1000, "parameters"),
            AtMost("dual-residual", 2 * MINUTE, "command"),
            Beats("dual-residual", "strong residual", 10.0),
        ),
        differences(4, 33, 65, 129, 257),
    ),
    Row(
        "poisson-porous-mscale",
        "poisson-porous: mscale alone 5e-2 in 10 minutes (aim 1e-2), plain networks of equal size above 0.5, scales=auto "
        "as good as those set by hand, all in as many second-order steps, which cost the same.",
        (
            Case("mscale, auto", POROUS, MSCALE_WITH_HOLES, seconds=9 * MINUTE),
            Case("mscale, by hand", POROUS, OCTAVES_WITH_HOLES, seconds=9 * MINUTE),
            Case("plain", POROUS, plain(MSCALE_WITH_HOLES, 200, 1), seconds=9 * MINUTE),
            Case("plain, two layers", POROUS, plain(MSCALE_WITH_HOLES, 27), seconds=9 * MINUTE),
        ),
        (
            AtMost("mscale, auto", 5e-2),
            AtMost("mscale, auto", 10 * MINUTE, "command"),
            AtLeast("plain", 0.5),
            AtLeast("plain, two layers", 0.5),
            Beats("mscale, auto", "mscale, by hand"),
        ),
        elements(0.1, 0.06, 0.04, 0.03, 0.02),
    ),
    Row(
        "poisson-porous-corrected",
        "poisson-porous: mscale with a coarse correction on a mesh of five points per wavelength 5e-3, and five times "
        "better than finite elements on that mesh.",
        (
            Case(
                "hybrid",
                POROUS,
                Hybrid(first=MSCALE_WITH_HOLES, then=CoarseSolve(size=FIVE_POINTS * 2)),
                seconds=9 * MINUTE,
            ),
            Case("same mesh alone", POROUS, FiniteElement(size=FIVE_POINTS * 2), random=False),
        ),
        (AtMost("hybrid", 5e-3), Beats("hybrid", "same mesh alone", 5.0)),
        elements(0.1, 0.06, 0.04, 0.03, 0.02),
    ),
    Row(
        "random-features-helmholtz",
        "helmholtz in 1-D: 1e-13 with at most 800 unknowns.",
        (Case("random-features", problems.Helmholtz(), RandomFeatures()),),
        (AtMost("random-features", 1e-13), AtMost("random-features", 800, "parameters")),
        differences(4, 257, 1025, 4097, 16385),
    ),
    Row(
        "random-features-2d",
        "Poisson in 2-D: 1e-9 with 1,600 unknowns.",
        (Case("random-features", SINE, RandomFeatures()),),
        (AtMost("random-features", 1e-9), AtMost("random-features", 1600, "parameters")),
        differences(4, 33, 65, 129, 257),
    ),
    Row(
        "random-features-three-scale",
        "elliptic-three-scale: 1e-8 with 3,000 unknowns.",
        (Case("random-features", THREE, RandomFeatures()),),
        (AtMost("random-features", 1e-8), AtMost("random-features", 3000, "parameters")),
        differences(4, 2001, 8001, 32001),
    ),
    Row(
        "random-features-two-scale",
        "elliptic-two-scale, eps = 0.01: 1e-9.",
        (Case("random-features", TWO, RandomFeatures()),),
        (AtMost("random-features", 1e-9),),
        differences(4, 1025, 4097, 16385),
    ),
    Row(
        "random-features-porous",
        "poisson-porous: 1e-2 in 5 minutes (aim 1e-4). Ten times better with a coarse correction, on a mesh of ten points "
        "per wavelength, where features are few: after the default ones only rounding errors are left.",
        (
            Case("random-features", POROUS, RandomFeatures()),
            Case("few", POROUS, FEW_FEATURES),
            Case("few, corrected", POROUS, Hybrid(first=FEW_FEATURES, then=CoarseSolve(size=FIVE_POINTS))),
            Case("same mesh alone", POROUS, FiniteElement(size=FIVE_POINTS), random=False),
        ),
        (
            AtMost("random-features", 1e-4),
            AtMost("random-features", 5 * MINUTE, "command"),
            AtMost("few", 1e-2),
            Beats("few, corrected", "few", 10.0),
        ),
        elements(0.1, 0.06, 0.04, 0.03, 0.02),
    ),
    Row(
        "disk",
        "disk: deep-ritz and deep-nitsche 1e-3 with at most 700 parameters (published: 1.3e-2 with 671); deep-nitsche "
        "meets the boundary values to 1e-3 with a penalty of at most 100. Soft conditions, since the distance of hard ones "
        "is a multiple of the solution.",
        (
            Case("deep-nitsche", DISK, NITSCHE, extra=boundary),
            Case("deep-ritz", DISK, RITZ, extra=boundary),
        ),
        (
            AtMost("deep-ritz", 1e-3),
            AtMost("deep-nitsche", 1e-3),
            AtMost("deep-nitsche", 1e-3, "on the boundary"),
            AtMost("deep-ritz", 700, "parameters"),
            AtMost("deep-nitsche", 700, "parameters"),
        ),
        elements(0.5, 0.3, 0.2, 0.1, 0.05),
    ),
)

ROWS: Mapping[str, Row] = {row.name: row for row in _ROWS}
"""Rows by name."""
