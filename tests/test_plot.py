"""Figures: what is drawn where, with which labels and scales; and that nothing global is touched."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import pytest
import torch
from fakes import SineProduct, solved, training_history
from matplotlib.figure import Figure

from pdekit.conditions import Condition, Dirichlet, Initial, Neumann, Observations, Periodic
from pdekit.domain import Box, Hypercube, Interval, Rectangle
from pdekit.errors import NotApplicableError, UnknownNameError, UnsafePathError
from pdekit.field import SumField
from pdekit.jet import Jet
from pdekit.plot import plot_bands, plot_error, plot_field, plot_history, plot_spectrum, write_figures
from pdekit.plot_problem import plot_problem
from pdekit.plot_study import plot_study
from pdekit.problem import Problem
from pdekit.record import Record
from pdekit.spectrum import Bands
from pdekit.study import HandOver, HybridStudy, Role, Trace

LINE, PLANE, SOLID = Interval(-1, 1), Box((0, 0), (2, 1)), Box((0, 0, 0), (1, 1, 1))
SPACE_TIME = Interval(-1, 1).with_time(0, 2)
ALL = (plot_field, plot_error, plot_history, plot_spectrum, plot_bands)


def image(axes):
    return axes.collections[0]


# Any function ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draw", ALL)
@pytest.mark.parametrize("box", [LINE, PLANE, SOLID, SPACE_TIME], ids=str)
def test_draws_on_the_axes_it_is_given_and_labels_them(draw, box):
    ax = Figure().subplots()
    solution = solved(box, history=training_history())
    assert draw(solution, ax) is ax
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert ax.get_title().startswith("sine-product, fake")
    assert ax.has_data()


def test_makes_figures_that_pyplot_does_not_know():
    script = """
import io, sys
sys.path.insert(0, sys.argv[1])
from fakes import Box, solved, training_history
import pdekit.plot as p
for draw in (p.plot_field, p.plot_error, p.plot_history, p.plot_spectrum, p.plot_bands):
    ax = draw(solved(Box((-1,), (1,)), history=training_history()))
ax.figure.savefig(io.BytesIO())
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", script, __file__.rpartition("/")[0]], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# Field and error ---------------------------------------------------------------------------------------------


def test_curve_beside_the_dashed_exact_one():
    ax = plot_field(solved(LINE))
    u, exact = ax.lines
    assert (u.get_linestyle(), exact.get_linestyle()) == ("-", "--")
    np.testing.assert_allclose(exact.get_ydata(), np.sin(4 * exact.get_xdata()), atol=1e-14)
    assert np.abs(u.get_ydata() - exact.get_ydata()).max() == pytest.approx(0.01, rel=1e-3)
    assert len(plot_field(solved(LINE, known=False)).lines) == 1


@pytest.mark.parametrize(
    ("box", "labels", "aspect", "title"),
    [
        (PLANE, ("x", "y"), 1.0, ""),
        (SOLID, ("x", "y"), 1.0, ", z = 0.5"),
        (SPACE_TIME, ("t", "x"), "auto", ""),
        (Rectangle().with_time(0, 3), ("x", "y"), 1.0, ", t = 3"),
        (Hypercube(5), ("x1", "x2"), 1.0, ", x3 = 0.5, x4 = 0.5, x5 = 0.5"),
    ],
    ids=str,
)
def test_images(box, labels, aspect, title):
    ax = plot_field(solved(box, banded=False, shape=(9,) * box.dim))
    assert (ax.get_xlabel(), ax.get_ylabel()) == labels
    assert ax.get_aspect() == aspect
    assert ax.get_title() == f"sine-product, fake{title}"
    assert image(ax).get_cmap().name == "viridis"


def test_image_is_neither_transposed_nor_mirrored():
    made = solved(PLANE)
    values = image(plot_field(made)).get_array().reshape(201, 201)  # rows run along y
    points = np.array([[2.0, 0.0], [0.0, 1.0], [2.0, 1.0]])
    np.testing.assert_allclose([values[0, -1], values[-1, 0], values[-1, -1]], made(points)[:, 0], atol=1e-12)


@pytest.mark.parametrize("box", [PLANE, SPACE_TIME], ids=str)
def test_error_colours_are_centred_at_zero(box):
    mesh = image(plot_error(solved(box)))
    low, high = mesh.get_clim()
    assert low == -high
    assert high == pytest.approx(0.01, rel=0.02)  # interpolation of the grid values included
    assert mesh.get_cmap().name == "RdBu_r"


def test_error_of_an_exact_answer_can_be_drawn():
    made = solved(PLANE)
    grid = made.field.grid
    zero = replace(made.field, values=np.zeros(grid.shape))

    @final
    @dataclass(frozen=True)
    class Nothing(Problem):
        domain = PLANE
        conditions = (Dirichlet(),)

        def residual(self, u: Jet) -> torch.Tensor:
            return u.value

        def exact(self, x: torch.Tensor) -> torch.Tensor:
            return 0 * x[:, 0:1]

    flat = replace(made, problem=Nothing(), field=SumField((zero,)))
    assert image(plot_error(flat)).get_clim() == (-1.0, 1.0)
    assert plot_spectrum(flat).has_data()


def test_error_needs_an_exact_solution():
    with pytest.raises(NotApplicableError, match="no exact solution"):
        plot_error(solved(LINE, known=False))


def test_unknown_component():
    with pytest.raises(UnknownNameError, match="'p'"):
        plot_field(solved(LINE), component="p")


# History -----------------------------------------------------------------------------------------------------


def test_history_on_a_log_scale_against_steps():
    ax = plot_history(solved(LINE, history=training_history()))
    assert (ax.get_xlabel(), ax.get_yscale()) == ("step", "log")
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["loss", "residual", "dirichlet(boundary)", "rel_l2"]  # neither phase nor seconds nor zeros
    measured = next(line for line in ax.lines if line.get_label() == "rel_l2")
    assert len(measured.get_xdata()) == 25  # every other row; no gaps
    assert [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == ":"] == [300]  # the second phase


def test_energies_have_a_linear_scale_of_their_own():
    ax = plot_history(solved(LINE, history=training_history(energy=True)))
    twin = next(other for other in ax.figure.axes if other is not ax)
    assert (ax.get_yscale(), twin.get_yscale(), twin.get_ylabel()) == ("log", "linear", "loss")
    assert [line.get_label() for line in twin.lines] == ["loss (linear)"]


def test_energies_alone():
    ax = plot_history(solved(LINE, history=Record.from_columns({"sweep": [0, 5], "energy": [0.0, -1.0]})))
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("sweep", "energy", "linear")


@pytest.mark.parametrize("columns", [{}, {"step": [1.0, 2.0]}, {"step": [1.0], "loss": [np.nan]}])
def test_no_history(columns):
    with pytest.raises(NotApplicableError, match="no history"):
        plot_history(solved(LINE, history=Record.from_columns(columns)))


# Spectrum and bands --------------------------------------------------------------------------------------------


def test_spectrum_marks_the_peak_where_it_is():
    long = solved(Interval(-8, 8), shape=(513,))
    ax = plot_spectrum(long)
    assert ax.get_yscale() == "log"
    marks = [line for line in ax.lines if line.get_marker() == "v"]
    # sin 4x on a length of 16: the spectrum is sampled every 2 pi / (8 x 16) = 0.05.
    assert [float(mark.get_xdata()[0]) for mark in marks] == [pytest.approx(4.0, abs=0.05)]
    assert float(marks[0].get_ydata()[0]) == pytest.approx(0.5, rel=0.05)  # a sine of height 1 has 1/2 at k and -k
    assert [line.get_label() for line in ax.lines[:2]] == ["u", "u_exact"]


def test_spectrum_of_each_axis():
    ax = plot_spectrum(solved(SPACE_TIME, known=False))
    labels = [line.get_label() for line in ax.lines if not line.get_label().startswith("_")]
    assert labels == ["u, k_t", "u, k_x"]


def test_bars_of_error_bands():
    solution = replace(
        solved(LINE), bands=Bands(np.array([1.0, 2.0, 4.0, 8.0]), np.array([1e-4, 0, 4e-4]), np.array([1.0, 0.5, 1e-2]))
    )
    ax = plot_bands(solution)
    heights = [bar.get_height() for bar in ax.patches]
    assert heights[::2] == pytest.approx([1e-2, 0.2])
    assert ax.get_ylim()[0] >= heights[1] > 0  # a zero is drawn at the lower edge
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1-2", "2-4", "4-8"]
    assert (ax.get_yscale(), ax.get_ylabel()) == ("log", "relative error")


def test_bars_of_residual_bands_are_shares():
    bands = Bands(np.array([1.0, 2.0, 4.0]), np.array([9.0, 16.0]), np.array([9.0, 16.0]))
    ax = plot_bands(replace(solved(LINE), bands=bands, band_kind="residual"))
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([0.6, 0.8])
    assert ax.get_ylabel() == "part of the residual"


def test_no_bands():
    with pytest.raises(NotApplicableError, match="no bands"):
        plot_bands(solved(LINE, banded=False))


# Problems ------------------------------------------------------------------------------------------------------


@final
@dataclass(frozen=True)
class Declared(Problem):
    name = "declared"
    box: Box
    given: tuple[Condition, ...]

    @property
    def domain(self) -> Box:
        return self.box

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.given

    def residual(self, u: Jet) -> torch.Tensor:
        return u.value


SEEN = Observations(torch.zeros(3, 2, dtype=torch.float64), torch.zeros(3, 1, dtype=torch.float64))


@pytest.mark.parametrize(
    ("problem", "legend"),
    [
        (Declared(LINE, (Dirichlet("left"), Neumann("x+"))), ["Dirichlet: left (1)", "Neumann: right (1)"]),
        (
            Declared(PLANE, (Dirichlet(("left", "top")), SEEN)),
            ["Dirichlet: left, top (128)", "Observations (3)", "no condition: right, bottom (128)"],
        ),
        (
            Declared(SPACE_TIME, (Dirichlet(), Initial(order=1))),
            ["Dirichlet: left, right (128)", "Initial of d/dt: initial (128)"],
        ),
        (
            Declared(SPACE_TIME, (Periodic("x"),)),
            ["Periodic: left, right (128)", "no condition: initial (128)"],
        ),
        (Declared(SOLID, (Dirichlet(),)), ["Dirichlet: boundary (126)"]),
        (Declared(Hypercube(5), (Dirichlet(),)), ["Dirichlet: boundary (120)"]),
    ],
    ids=lambda value: value.domain.names if isinstance(value, Problem) else "",
)
def test_problem_names_conditions_and_bare_parts(problem, legend):
    ax = problem.plot()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["interior (512)", *legend]
    expected = {1: "rectilinear", 2: "rectilinear", 3: "3d", 5: "rectilinear"}[problem.domain.dim]
    assert ax.name == expected


def test_normals_point_outward():
    from matplotlib.quiver import Quiver

    ax = plot_problem(SineProduct(PLANE))
    arrows = [artist for artist in ax.collections if isinstance(artist, Quiver)]
    assert len(arrows) == 4
    for quiver in arrows:
        feet, tips = quiver.XY, quiver.XY + np.stack([quiver.U, quiver.V], axis=1)
        assert bool(PLANE.contains(torch.from_numpy(feet)).all())
        assert not bool(PLANE.contains(torch.from_numpy(tips)).any())


def test_problem_on_plane_axes_in_three_dimensions_is_projected():
    ax = Figure().subplots()
    assert plot_problem(SineProduct(SOLID), ax) is ax
    assert ax.get_title() == "sine-product, projected on x and y"


# The hybrid's figure, and files ----------------------------------------------------------------------------------


def a_study(**changes) -> HybridStudy:
    x, k, sweeps = np.linspace(-1, 1, 101), np.linspace(0, 50, 200), np.geomspace(1, 1e5, 40)
    wave = np.array([np.pi, 8 * np.pi])
    given = {
        "x": x,
        "reference": np.sin(np.pi * x) + 0.1 * np.sin(8 * np.pi * x),
        "wavenumbers": k,
        "magnitude": sum(np.exp(-((k - w) ** 2)) for w in wave),
        "peaks": wave,
        "steps": np.arange(0, 50, 10),
        "delta_network": np.exp(-np.outer(np.arange(5), [1.0, 0.1])),
        "sweeps": sweeps,
        "delta_relaxation": np.exp(-np.outer(sweeps, wave**2 * 1e-5)),
        "traces": tuple(Trace(role, np.linspace(0, 1, 9), np.geomspace(1, 1e-5, 9)) for role in Role),
        "hand_overs": (HandOver(10, 1.0, 100, 0.5, automatic=True),),
        "tolerance": 1e-4,
        "labels": ("low", "high"),
    }
    return HybridStudy(**(given | changes))


def test_four_panels():
    a, b, c, d = plot_study(a_study()).axes
    for axes, letter in zip((a, b, c, d), "abcd", strict=True):
        assert axes.get_title(loc="left").startswith(f"({letter})")
    inset = a.child_axes[0]
    np.testing.assert_array_equal(inset.lines[0].get_xdata(), a_study().wavenumbers)
    assert [float(mark.get_xdata()[0]) for mark in inset.lines[1:]] == pytest.approx([np.pi, 8 * np.pi])
    for axes, scale in ((b, "linear"), (c, "symlog")):  # four decades of sweeps, forty steps
        assert [line.get_label() for line in axes.lines] == ["low", "high"]
        assert (axes.get_xscale(), axes.get_yscale()) == (scale, "log")
    assert [t.get_text() for t in d.get_legend().get_texts()] == [role.value for role in Role]
    assert len({line.get_color() for line in d.lines[: len(Role)]}) == len(Role)
    assert d.lines[-1].get_ydata()[0] == 1e-4


def test_figure_given():
    figure = Figure()
    assert plot_study(a_study(), figure) is figure


@pytest.mark.parametrize(
    "changes",
    [
        {"traces": (), "tolerance": None},
        {"delta_network": np.zeros((5, 2))},
        {"peaks": [], "labels": (), "delta_network": np.zeros((5, 0)), "delta_relaxation": np.zeros((40, 0))},
        {"reference": np.zeros(101), "magnitude": np.zeros(200)},
        {"steps": [], "delta_network": np.zeros((0, 2)), "sweeps": [], "delta_relaxation": np.zeros((0, 2))},
    ],
    ids="+".join,
)
def test_studies_with_gaps_can_be_drawn(changes, tmp_path):
    plot_study(a_study(**changes), Figure()).savefig(tmp_path / "study.png", dpi=40)


@pytest.mark.parametrize(
    ("solution", "names"),
    [
        (solved(LINE, history=training_history(), study=a_study()), "field error history spectrum bands study"),
        (solved(PLANE, known=False, banded=False), "field spectrum"),
    ],
    ids=["everything", "little"],
)
def test_write_figures_that_apply(solution, names, tmp_path):
    written = write_figures(solution, tmp_path / "run")
    assert [path.name for path in written] == [f"{name}.png" for name in names.split()]
    assert {path.name for path in (tmp_path / "run").iterdir()} == {path.name for path in written}
    for path in written:
        assert path.read_bytes().startswith(b"\x89PNG")


def test_figures_do_not_follow_links(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "field.png").symlink_to(tmp_path / "precious")
    with pytest.raises(UnsafePathError):
        write_figures(solved(LINE), tmp_path)
    assert (tmp_path / "precious").read_text() == "precious"
