"""`Problem.check`: what it reports of good problems, and which errors and warnings it finds in others."""

from __future__ import annotations

import time
import warnings

import pytest
import torch
from labels import stable
from pdekit.problems import Heat, NewtonLaw, PoissonND, PoissonSine

from pdekit.check import check_precision
from pdekit.conditions import Dirichlet, Initial, Neumann, Observations, Periodic, Robin
from pdekit.domain import Hypercube, Interval, Rectangle
from pdekit.errors import (
    CompatibilityWarning,
    ConflictError,
    DomainError,
    IllPosedError,
    IndefiniteWarning,
    PrecisionWarning,
    ProblemError,
)
from pdekit.kernels import Plan
from pdekit.problem import Elliptic, Parabolic, Problem


def make(base, **members):
    """A problem class from its members, instantiated."""
    defaults = {"name": "case", "domain": Rectangle(), "conditions": (Dirichlet(),)}
    if base in (Elliptic, Parabolic):
        defaults["source"] = lambda self, x: torch.zeros_like(x[:, 0:1])
    return type("Case", (base,), defaults | members)()


def elliptic(**members):
    return make(Elliptic, **members)


def constant(value):
    return lambda self, x: torch.full_like(x[:, 0:1], value)


X_T = Interval(0, 1).with_time(0, 1)

# Plans ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "plan"),
    [
        (PoissonSine(), Plan(frozenset(), (0, 1))),
        (Heat(), Plan(frozenset({(1,)}), (0,))),
        (NewtonLaw(), Plan(frozenset({(0, 0)}))),
        (elliptic(reaction=constant(1.0)), Plan(frozenset({()}), (0, 1))),
        (elliptic(diffusion=constant(2.0)), Plan(frozenset(), (0, 1))),
        (elliptic(diffusion=lambda self, x: 1 + x[:, 0:1]), Plan(frozenset({(0,), (1,)}), (0, 1))),
    ],
    ids=stable,
)
def test_the_plan_holds_what_the_residual_asks_for(problem, plan):
    report = problem.check()
    assert report.plan == plan
    assert report.equations == 1
    assert report.warnings == ()


def test_several_equations_and_unknowns():
    flow = make(
        Problem,
        outputs=("u", "v", "p"),
        conditions=(Dirichlet("boundary", 0.0, "u"), Dirichlet("boundary", 1.0, "v")),
        residual=lambda self, u: (
            u["u"].laplacian - u["p"].d("x"),
            u["v"].laplacian - u["p"].d("y"),
            u["u"].d("x") + u["v"].d("y"),
        ),
    )
    assert flow.check().equations == 3


@pytest.mark.parametrize("problem", [PoissonSine(), Heat(dim=4), PoissonND(dim=10)], ids=str)
def test_it_is_quick_and_repeats_itself(problem):
    problem.check()
    state, start = torch.get_rng_state(), time.process_time()
    assert problem.check() == problem.check()
    assert time.process_time() - start < 1.0  # two checks of about 20 ms each
    assert torch.equal(torch.get_rng_state(), state)


# Coverage ---------------------------------------------------------------------------------------------------------

X = Interval(0, 1)


def bilaplacian(self, u):
    return u.d("x", "x", "x", "x") + 2 * u.d("x", "x", "y", "y") + u.d("y", "y", "y", "y")


GOOD = [
    elliptic(conditions=(Dirichlet("left"), Neumann(("right", "bottom", "top")))),
    elliptic(conditions=(Periodic("x"), Dirichlet(("bottom", "top")))),
    elliptic(conditions=(Robin("boundary", 1.0),)),
    elliptic(conditions=(Neumann(),), reaction=constant(1.0)),
    elliptic(conditions=(Neumann(),), mean=lambda self: 0.0),
    elliptic(conditions=(Neumann(("left", "right"), 0.5), Neumann(("bottom", "top"), -0.5)), mean=lambda self: 2.0),
    elliptic(conditions=(Neumann("boundary", 1.0),), source=constant(-4.0), mean=lambda self: 0.0),
    elliptic(conditions=(Neumann(), Observations(torch.full((1, 2), 0.5), torch.zeros(1, 1)))),
    elliptic(conditions=(Periodic("x"), Periodic("y")), mean=lambda self: 0.0),
    make(Parabolic, domain=X_T, conditions=(Neumann(), Initial())),
    make(Problem, domain=X_T, conditions=(Dirichlet("left"), Initial()), residual=lambda self, u: u.d("t") + u.d("x")),
    make(
        Problem,
        domain=X_T,
        conditions=(Dirichlet(), Initial(), Initial(order=1)),
        residual=lambda self, u: u.d("t", "t") - u.laplacian,
    ),
    make(
        Problem,
        domain=X_T,
        conditions=(Dirichlet(), Dirichlet("final")),
        residual=lambda self, u: u.d("t") + u.laplacian,
    ),
    make(Problem, conditions=(Dirichlet(), Neumann()), residual=bilaplacian),
    make(Problem, domain=X, conditions=(Dirichlet("left"), Neumann("left")), residual=lambda self, u: u.laplacian),
    make(Problem, domain=X, conditions=(Periodic("x"),), residual=lambda self, u: u.laplacian - u.value),
]


@pytest.mark.parametrize("problem", GOOD, ids=lambda p: str(p.conditions))
def test_complete_conditions_pass(problem):
    assert problem.check().warnings == ()


BAD = [
    (elliptic(conditions=()), IllPosedError, "no boundary condition.*constants"),
    (elliptic(conditions=(Dirichlet("left"),)), IllPosedError, "no condition on 'right', 'bottom', 'top'"),
    (elliptic(conditions=(Neumann(),)), IllPosedError, "mean of u is not fixed; override `mean`"),
    (elliptic(conditions=(Robin("boundary", 0.0),)), IllPosedError, "mean"),
    (elliptic(conditions=(Periodic("x"), Periodic("y"))), IllPosedError, "constants in the kernel"),
    (
        elliptic(conditions=(Neumann("boundary", 1.0),), source=constant(1.0), mean=lambda self: 0.0),
        IllPosedError,
        "got 1 and 4, gap 5",
    ),
    (
        elliptic(conditions=(Dirichlet(), Dirichlet("left", 2.0))),
        ConflictError,
        r"'left' has two conditions for 'u': dirichlet\(boundary\) = 0 and dirichlet\(left\) = 2 at \[0.0, ",
    ),
    (elliptic(conditions=(Dirichlet(), Robin("top", 1.0, 5.0))), ConflictError, r"robin\(top\) = 5"),
    (elliptic(conditions=(Dirichlet(), Periodic("y"))), ConflictError, "the other face's"),
    (make(Parabolic, domain=X_T), IllPosedError, "no initial value although the equation is of order 1 in 't'"),
    (
        make(Parabolic, domain=X_T, conditions=(Dirichlet(), Initial(), Initial(order=1))),
        IllPosedError,
        "order 1 for an equation of order 1",
    ),
    (
        make(Parabolic, domain=X_T, conditions=(Dirichlet(), Initial(), Initial(1.0))),
        ConflictError,
        "declared twice",
    ),
    (
        make(
            Problem,
            domain=X_T,
            conditions=(Dirichlet(), Initial()),
            residual=lambda self, u: u.d("t", "t") - u.laplacian,
        ),
        IllPosedError,
        "no initial derivative d/dt although the equation is of order 2",
    ),
    (
        make(Problem, conditions=(Dirichlet(("left", "bottom", "top")),), residual=lambda self, u: u.laplacian),
        IllPosedError,
        r"order 2 in 'x', expected 2 conditions on the two faces, got 1; add one, such as Dirichlet\('right'\)",
    ),
    (
        make(Problem, residual=bilaplacian),
        IllPosedError,
        r"order 4 in 'x', .* got 2; add one, such as Neumann\('left'\)",
    ),
    (
        make(Problem, conditions=(Dirichlet(), Neumann("left")), residual=lambda self, u: u.laplacian),
        ConflictError,
        r"order 2 in 'x', .* got 3: dirichlet\(boundary\), neumann\(left\), dirichlet\(boundary\); remove 1",
    ),
    (elliptic(conditions=(Dirichlet(), Initial())), ProblemError, "without time"),
    (
        elliptic(conditions=(Dirichlet(), Observations(torch.full((1, 2), 2.0), torch.zeros(1, 1)))),
        DomainError,
        "1 of 1 points lie outside",
    ),
]


@pytest.mark.parametrize(("problem", "error", "message"), BAD, ids=[case[2] for case in BAD])
def test_incomplete_and_contradicting_conditions(problem, error, message):
    with pytest.raises(error, match=message):
        problem.check()


def test_an_oscillating_source_does_not_upset_the_balance():
    """Fifty waves integrate to zero only up to the quadrature's error, which is taken into account."""
    problem = elliptic(
        domain=Interval(0, 1),
        conditions=(Neumann(),),
        source=lambda self, x: 1e4 * torch.cos(100 * torch.pi * x),
        mean=lambda self: 0.0,
    )
    assert problem.check().warnings == ()


# Warnings ---------------------------------------------------------------------------------------------------------

DOUBTFUL = [
    (
        elliptic(conditions=(Dirichlet("left", 1.0), Dirichlet(("right", "bottom", "top")))),
        CompatibilityWarning,
        r"dirichlet\(left\) and dirichlet\(right\+bottom\+top\) meet at \[0.0, .* with a jump of 1;",
    ),
    (
        make(Parabolic, domain=X_T, conditions=(Dirichlet(), Initial(lambda x: 1 - x[:, 0:1]))),
        CompatibilityWarning,
        r"meet at \[0.0, 0.0\] with a jump of 1;",
    ),
    (elliptic(conditions=(Robin("boundary", -0.5),)), IndefiniteWarning, "alpha = -0.5"),
    (elliptic(reaction=constant(-25.0)), IndefiniteWarning, r"got -25, below -19.74"),
    (elliptic(conditions=(Neumann(),), reaction=constant(-0.1)), IndefiniteWarning, "below -0"),
]


@pytest.mark.parametrize(("problem", "category", "message"), DOUBTFUL, ids=[case[2] for case in DOUBTFUL])
def test_doubtful_declarations_warn_and_are_reported(problem, category, message):
    with pytest.warns(category, match=message):
        report = problem.check()
    assert [type(w) for w in report.warnings] == [category]


def test_a_negative_reaction_within_bounds_is_silent():
    assert elliptic(reaction=constant(-19.0)).check().warnings == ()


@pytest.mark.parametrize(
    ("region", "dtype", "order", "count"),
    [
        (Interval(1e6, 1e6 + 1), torch.float32, 2, 1),
        (Interval(1e6, 1e6 + 1), torch.float64, 2, 0),
        (Interval(0, 1e-9), torch.float32, 2, 0),
        (Hypercube(3), torch.float16, 2, 4),
        (Hypercube(3), torch.float32, 4, 0),
    ],
)
def test_precision(region, dtype, order, count):
    """Rows A12 and E14 of the bad inputs."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = check_precision(region, dtype, order)
    assert len(found) == len(caught) == count
    assert all(isinstance(w, PrecisionWarning) for w in found)
    if region == Interval(1e6, 1e6 + 1) and count:
        assert "0.12" in str(found[0])


# Exact solutions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"exact": lambda self, x: x[:, 0:1] ** 2}, "equation 0: the exact solution leaves -2"),
        ({"exact": lambda self, x: x[:, 0:1]}, r"dirichlet\(boundary\): the exact solution leaves"),
        (
            {"exact": lambda self, x: x[:, 0:1], "conditions": (Dirichlet("boundary", lambda x: -x[:, 0:1]),)},
            r"check the signs",
        ),
        (
            {
                "exact": lambda self, x: x[:, 0:1],
                "conditions": (
                    Dirichlet(("left", "right"), lambda x: x[:, 0:1]),
                    Neumann(("bottom", "top"), 0.1),
                ),
            },
            r"neumann\(bottom\+top\): the exact solution leaves -0.1",
        ),
    ],
)
def test_a_wrong_exact_solution_is_found(members, message):
    with pytest.raises(ProblemError, match=message):
        elliptic(**members).check()


def test_an_exact_solution_without_derivatives_is_compared_on_the_boundary_only():
    def table(self, x):
        return torch.from_numpy(x.detach().numpy()[:, 0:1] ** 2)

    square = Dirichlet("boundary", lambda x: x[:, 0:1] ** 2)
    assert elliptic(exact=table, conditions=(square,)).check().warnings == ()
    with pytest.raises(ProblemError, match="leaves"):
        elliptic(exact=table).check()


def test_unknown_coefficients_are_not_held_against_the_exact_solution():
    problem = make(
        Problem,
        domain=Interval(0, 1),
        unknowns={"k": 1.0},
        conditions=(Dirichlet("boundary", lambda x: x**2),),
        residual=lambda self, u: u.coefficients["k"] * u.laplacian - 6,
        exact=lambda self, x: x**2,
    )
    assert problem.check().plan == Plan(frozenset(), (0,))


@pytest.mark.parametrize("end", [1e-9, 1e9])
def test_any_time_scale_passes(end):
    assert NewtonLaw(end=end).check().warnings == ()
