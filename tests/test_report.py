"""The report of a solution: always six lines that fit, always strict JSON with the same keys."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from fakes import solved

from pdekit.domain import Box, Interval, Rectangle
from pdekit.report import WIDTH, as_json, merged, plain, six_lines
from pdekit.solution import Flag, Measures, Status, Trust

KEYS = (
    *("problem", "solver", "seed", "success", "status", "message", "rel_l2", "max_error", "max_error_discrete"),
    *("estimate", "trust", "bands", "seconds", "steps", "sweeps", "cycles", "hand_over_step", "points", "parameters"),
    *("device", "dtype", "versions"),
)


def full(solution):
    return dataclasses.replace(
        solution,
        message="estimated relative error 8e-4 <= rtol 1e-3",
        status=Status.CONVERGED,
        measures=Measures(1.25e-3, 3.5e-3, 1e-6, 2000, 317, 1, 200, 2048, 12673),
        trust=Trust(*np.linspace(1e-3, 9e-3, 9).tolist(), flags=(Flag.REFERENCE_UNRESOLVED,)),
        timings={"solve": 12.3, "total": 12.3},
        environment={"seed": 7, "device": "cpu", "dtype": "float64", "versions": {"torch": "2"}},
    )


def test_the_six_lines():
    lines = six_lines(full(solved(Interval(0.0, 1.0)))).splitlines()
    expected = (
        ("problem", "sine-product", "by fake", "2,048 points", "12,673 parameters"),
        ("status", "converged: estimated relative error 8e-4 <= rtol 1e-3"),
        ("errors", "relative L2 1.3e-3", "largest 3.5e-3", "discrete 1.0e-6"),
        ("bands", "error at k = "),
        ("trust", "flags: reference unresolved", "estimate 4.0e-3", "residual 1.0e-3", "held out 2.0e-3"),
        ("cost", "12.3 s", "2,000 steps", "317 sweeps", "hand-over at step 200", "cpu", "float64"),
    )
    assert len(lines) == len(expected)
    for line, words in zip(lines, expected, strict=True):
        assert line.startswith(words[0])
        assert all(word in line for word in words), line


@pytest.mark.parametrize(
    "box", [Interval(0.0, 1.0), Rectangle(), Box((0,) * 3, (1,) * 3), Box((0, 0), (1, 1), None, "t")]
)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("message", ["", "long " * 100, "two\nlines\r\n\tand a tab"])
@pytest.mark.parametrize("change", [lambda s: s, full, lambda s: dataclasses.replace(s, bands=None)])
def test_always_six_lines_that_fit(box, known, message, change):
    solution = dataclasses.replace(change(solved(box, known=known)), message=message)
    lines = str(solution).split("\n")
    assert len(lines) == 6
    assert max(map(len, lines)) <= WIDTH
    assert all(len(line.split()) > 1 for line in lines), lines  # each says something


@pytest.mark.parametrize("change", [lambda s: s, full])
def test_json_has_every_key(change):
    data = as_json(change(solved(Interval(0.0, 1.0))))
    assert [key for key in KEYS if key not in data] == []
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_json_values():
    data = as_json(full(solved(Interval(0.0, 1.0))))
    assert (data["status"], data["success"], data["seed"], data["seconds"]) == ("converged", True, 7, 12.3)
    assert data["trust"]["flags"] == ["reference_unresolved"]
    assert data["trust"]["trusted"] is True
    assert data["estimate"] == data["trust"]["estimate"] == pytest.approx(4e-3)
    bands = data["bands"]
    assert bands["kind"] == "error"
    assert len(bands["edges"]) == len(bands["relative"]) + 1 == len(bands["share"]) + 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        (np.float64("inf"), None),
        (np.array([1.0, np.nan]), [1.0, None]),
        (np.int64(3), 3),
        (np.bool_(True), True),
        ((1, {"a": Status.BUDGET}), [1, {"a": "budget"}]),
        ({3: "x"}, {"3": "x"}),
    ],
)
def test_plain_data(value, expected):
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("most", [1, 2, 3, 5, 6, 20])
def test_joined_bands_keep_the_energy(most):
    bands = solved(Interval(0.0, 1.0)).bands
    few = merged(bands, most)
    assert len(few.relative) <= most
    assert few.total == pytest.approx(bands.total, rel=1e-12)
    assert (few.edges[0], few.edges[-1]) == (bands.edges[0], bands.edges[-1])
    assert set(few.edges) <= set(bands.edges)


def test_all_evidence_fits():
    """Nothing of the evidence is cut off, however many flags there are."""
    solution = full(solved(Interval(0.0, 1.0)))
    trust = dataclasses.replace(solution.trust, flags=(Flag.ALIASED, Flag.ILL_POSED))
    line = six_lines(dataclasses.replace(solution, trust=trust)).splitlines()[4]
    assert "flags: aliased, ill posed;" in line
    assert line.endswith("coarse 8.0e-3")
