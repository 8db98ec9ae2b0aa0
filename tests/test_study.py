"""The data of the hybrid's figure: shapes, hand-over table, round trip."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from pdekit.errors import NonFiniteError, ShapeError
from pdekit.study import HandOver, HybridStudy, Role, Trace


def study(**changes):
    x = np.linspace(-1, 1, 21)
    given = {
        "x": x,
        "reference": np.sin(3 * x),
        "wavenumbers": np.arange(5.0),
        "magnitude": np.array([0.0, 0.1, 0.2, 1.0, 0.1]),
        "peaks": [3.0, 4.0],
        "steps": [0, 10, 20],
        "delta_network": np.full((3, 2), 0.5),
        "sweeps": [0, 100],
        "delta_relaxation": [[1.0, 1.0], [0.9, 0.1]],
        "traces": (
            Trace(Role.NETWORK, [0.0, 1.0, 2.0], [1.0, np.nan, 0.5]),
            Trace(Role.HYBRID_AUTO, [0.0, 1.0, 2.0, 3.0], [1.0, 1e-4, 1e-3, 1e-5], "hybrid after 20 steps"),
        ),
        "hand_overs": (
            HandOver(50, 5.0, 100, 1.0),
            HandOver(20, 2.0, 250, 2.5, automatic=True),
            HandOver(5, 0.5, 900, 0.1, reached=False),
        ),
        "tolerance": 1e-4,
    }
    return HybridStudy(**(given | changes))


def test_summary_compares_the_automatic_with_the_best_hand_over():
    summary = json.loads(json.dumps(study().summary(), allow_nan=False))
    assert [row["step"] for row in summary["hand_overs"]] == [5, 20, 50]
    # The row at 5 took the least time but never met the tolerance.
    assert (summary["automatic_step"], summary["best_step"], summary["automatic_over_best"]) == (20, 20, 1.0)
    assert summary["seconds_to_tolerance"] == {"network alone": None, "hybrid after 20 steps": 1.0}


def test_ratio_needs_both_rows():
    rows = (HandOver(5, 1.0, 10, 1.0), HandOver(9, 2.0, 5, 1.0, automatic=True))
    assert study(hand_overs=rows).summary()["automatic_over_best"] == 1.5
    assert study(hand_overs=rows[:1]).summary()["automatic_over_best"] is None
    assert study(hand_overs=()).best is None


def test_npz_round_trip_without_pickle():
    before = study(labels=("low", "high"), axis="r", relaxation="Gauss-Seidel")
    file = io.BytesIO()
    np.savez(file, **before.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        after = HybridStudy.from_arrays(arrays)
    assert after.summary() == before.summary()
    assert (after.labels, after.axis, after.relaxation) == (before.labels, before.axis, before.relaxation)
    for name, array in before.to_arrays().items():
        np.testing.assert_array_equal(after.to_arrays()[name], array)
    assert [t.role for t in after.traces] == [t.role for t in before.traces]


def test_round_trip_of_the_barest_study():
    bare = study(traces=(), hand_overs=(), tolerance=None)
    after = HybridStudy.from_arrays(bare.to_arrays())
    assert (after.traces, after.hand_overs, after.tolerance) == ((), (), None)
    assert after.labels == ("k = 3", "k = 4")


def test_arrays_are_copies_that_stay():
    x = np.linspace(0, 1, 21)
    kept = study(x=x)
    x[:] = 7
    assert kept.x[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        kept.x[0] = 1


@pytest.mark.parametrize(
    ("change", "error", "named"),
    [
        ({"reference": np.zeros(20)}, ShapeError, "reference"),
        ({"magnitude": np.zeros(6)}, ShapeError, "magnitude"),
        ({"delta_network": np.zeros((3, 3))}, ShapeError, "delta_network"),
        ({"delta_network": np.zeros(3)}, ShapeError, "delta_network"),
        ({"delta_relaxation": np.zeros((3, 2))}, ShapeError, "delta_relaxation"),
        ({"labels": ("one",)}, ShapeError, "labels"),
        ({"reference": np.full(21, np.nan)}, NonFiniteError, "reference"),
    ],
)
def test_arrays_that_do_not_fit(change, error, named):
    with pytest.raises(error, match=named):
        study(**change)


def test_trace_arrays_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"Trace\.max_error"):
        Trace(Role.NETWORK, np.zeros(3), np.zeros(2))
