"""A comparison as text, Markdown and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

import numpy as np

from ..report import merged
from ..spectrum import Bands
from .result import Comparison, Standing
from .run import TOLERANCES

_MOST_BANDS = 6
_NEVER = "-"


def as_text(comparison: Comparison) -> str:
    """For terminals: heading, errors and times, bands, notes."""
    blocks = [_heading(comparison), _aligned(*_main(comparison))]
    bands = _bands(comparison)
    if bands is not None:
        blocks.append(_aligned(*bands))
    blocks += ["\n".join(notes)] if (notes := _notes(comparison)) else []
    return "\n\n".join(blocks)


def as_markdown(comparison: Comparison) -> str:
    """The same with Markdown's tables."""
    blocks = [f"## {subject(comparison)}", _heading(comparison), _piped(*_main(comparison))]
    bands = _bands(comparison)
    if bands is not None:
        blocks += [
            "Relative error by band of wave numbers (radians per unit length), run with the median error:",
            _piped(*bands),
        ]
    blocks += ["\n".join(f"- {note}" for note in _notes(comparison))]
    return "\n\n".join(block for block in blocks if block) + "\n"


def as_csv(comparison: Comparison) -> str:
    """One line for each solver, then the classical one and the best constant."""
    head = ["solver", "runs", "failed", "error_median", "error_worst", *(f"seconds_to_{t:.0e}" for t in TOLERANCES)]
    head += ["seconds", "estimate", "parameters", "steps", "mebibytes", "absent"]
    lines: list[list[object]] = []
    for s in comparison.standings:
        times = [s.time_to(tolerance) for tolerance in TOLERANCES]
        numbers = [s.number(key) for key in ("seconds", "estimate", "parameters", "steps", "mebibytes")]
        lines.append([s.label, len(s.runs), len(s.failures), s.median, s.worst, *times, *numbers, s.absent])
    blank = [""] * len(TOLERANCES)
    best = None if comparison.classical is None else comparison.classical.best
    if best is not None:
        name = f"classical: {best.family}, {best.told}"
        lines.append([name, 1, 0, best.error, best.error, *blank, best.seconds, "", best.parameters, "", "", ""])
    if comparison.trivial is not None:
        lines.append(["best constant", 1, 0, comparison.trivial, comparison.trivial, *blank, 0.0, "", 1, "", "", ""])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *([_raw(v) for v in line] for line in lines)])
    return text.getvalue()


# Parts -------------------------------------------------------------------------------------------------------------


def subject(comparison: Comparison) -> str:
    """Name and parameters of the problem."""
    told = ("name", "file", "source")
    parameters = ", ".join(f"{key}={value}" for key, value in comparison.problem.items() if key not in told)
    name = str(comparison.problem["name"])
    return f"{name}({parameters})" if parameters else name


def _heading(comparison: Comparison) -> str:
    terms = comparison.terms
    seeds = ", ".join(map(str, comparison.seeds))
    threads = f"{terms['threads']} thread{'s' if terms['threads'] != 1 else ''}"
    return (
        f"{subject(comparison)}: {terms['seconds']:g} s ({terms['clock']} clock) for each whole solve, {threads}, "
        f"seeds {seeds}; errors are relative L2"
    )


def _main(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    head = ["solver", "runs", "error", "worst", *(f"to 1e-{k}" for k in range(1, len(TOLERANCES) + 1))]
    head += ["estimate", "verdict", "numbers", "MiB"]
    lines = [_line(standing) for standing in comparison.standings if not standing.absent]
    blank = [_NEVER] * len(TOLERANCES)
    classical = comparison.classical
    if classical is not None and (best := classical.best) is not None:
        when = f"{_brief(best.seconds)} s" + ("" if classical.as_good else ", not as good")
        times = [_NEVER if best.error > t else _brief(best.seconds) for t in TOLERANCES]
        name = f"classical: {best.family}"
        lines.append([name, "1", _short(best.error), _short(best.error), *times, "", when, f"{best.parameters:,}", ""])
    if comparison.trivial is not None:
        error = _short(comparison.trivial)
        lines.append(["best constant", "1", error, error, *blank, "", "", "1", ""])
    return head, lines


def _line(standing: Standing) -> list[str]:
    done = len(standing.runs) - len(standing.failures)
    worst = "failed" if standing.failures else _short(standing.worst)
    verdict = ", ".join(
        name if count == len(standing.runs) else f"{name} {count}x" for name, count in standing.verdicts.items()
    )
    return [
        standing.label,
        f"{done}/{len(standing.runs)}",
        "failed" if math.isinf(standing.median) else _short(standing.median),
        worst,
        *(_brief(standing.time_to(tolerance)) for tolerance in TOLERANCES),
        _short(standing.number("estimate")),
        verdict,
        _count(standing.number("parameters")),
        _count(standing.number("mebibytes")),
    ]


def _bands(comparison: Comparison) -> tuple[list[str], list[list[str]]] | None:
    """Error by band of the typical runs, in at most six bands; None where there are none."""
    found = {s.label: s.typical.record["bands"] for s in comparison.standings if s.bands() is not None and s.typical}
    if not found:
        return None
    rows, head = [], ["error at k ="]
    for label, table in found.items():
        bands = merged(
            Bands(*(np.array(table[key]) for key in ("edges", "error_energy", "reference_energy"))), _MOST_BANDS
        )
        head = ["error at k =", *(f"{a:.3g}-{b:.3g}" for a, b in zip(bands.edges, bands.edges[1:], strict=False))]
        rows.append([label, *(_short(value) for value in bands.relative)])
    return head, rows


def _notes(comparison: Comparison) -> list[str]:
    notes = [f"{s.label} did not run: {s.absent}" for s in comparison.standings if s.absent]
    for standing in comparison.standings:
        notes += [
            f"{standing.label}, seed {run.seed} {run.fate.value}: {run.record['message']}" for run in standing.failures
        ]
    classical = comparison.classical
    if classical is not None:
        best = classical.best
        if best is None:
            why = "; ".join(f"{family}: {reason}" for family, reason in classical.reasons.items())
            notes.append(f"no classical solver: {why}")
        else:
            fit = (
                "the fastest that is as good as the best solver"
                if classical.as_good
                else "none is as good; the closest"
            )
            notes.append(f"classical: {best.family} with {best.told}, {fit}")
    return [" ".join(note.split()) for note in notes]


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need be, without those that are empty all the way down."""
    used = [i for i in range(len(head)) if i < 2 or any(row[i] not in ("", _NEVER) for row in rows)]
    table = [[row[i] for i in used] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in table) for i in range(len(used))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    )


def _piped(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def _short(value: float) -> str:
    return "" if math.isnan(value) else "inf" if math.isinf(value) else f"{value:.1e}"


def _brief(seconds: float) -> str:
    return _NEVER if not math.isfinite(seconds) else f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"


def _count(value: float) -> str:
    return "" if math.isnan(value) else f"{value:,.0f}"


def _raw(value: object) -> object:
    return "" if isinstance(value, float) and not math.isfinite(value) else value
