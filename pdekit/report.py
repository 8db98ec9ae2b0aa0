"""What a solution says of itself: six lines for people, plain data for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from .spectrum import Bands
from .study import HybridStudy

if TYPE_CHECKING:
    from .operator_problem import OperatorProblem
    from .problem import Problem
    from .solution import Solution, Trust

WIDTH = 120
"""Longest line of the report."""
_BANDS_SHOWN = 8  # at most; fewer where they do not fit
LABEL = 10
"""Columns of the label that begins a line."""


def six_lines(solution: Solution) -> str:
    """Problem and solver, outcome, errors, bands, evidence, cost: one line each, at most 120 columns.

    Numbers that could not be had are left out.
    """
    lines = (
        ("problem", _subject(solution)),
        ("status", f"{words(solution.status.name)}{': ' if solution.message else ''}{solution.message}"),
        ("errors", _errors(solution)),
        ("bands", _bands(solution)),
        ("trust", _trust(solution.trust)),
        ("cost", _cost(solution)),
    )
    return "\n".join(line(label, text) for label, text in lines)


def as_json(solution: Solution) -> dict[str, Any]:
    """The result as plain data that strict JSON can hold; None where a number does not apply or is not finite."""
    measures, environment = solution.measures, solution.environment
    return plain(
        {
            "problem": solution.problem.name,
            "parameters_of_problem": solution.config.get("problem", {}),
            "solver": solution.solver,
            "seed": environment.get("seed"),
            "success": solution.success,
            "status": solution.status,
            "advice": solution.status.value,
            "message": solution.message,
            "rel_l2": measures.rel_l2,
            "max_error": measures.max_error,
            "max_error_discrete": measures.max_error_discrete,
            "estimate": solution.trust.estimate,
            "rtol": solution.config.get("run", {}).get("rtol"),
            "trust": trust_table(solution.trust),
            "bands": bands_table(solution.bands, solution.band_kind),
            "coefficients": solution.coefficients,
            "seconds": solution.timings.get("total"),
            "timings": solution.timings,
            "steps": measures.steps,
            "sweeps": measures.sweeps,
            "cycles": measures.cycles,
            "hand_over_step": measures.hand_over_step,
            "points": measures.points,
            "parameters": measures.parameters,
            "device": environment.get("device"),
            "dtype": environment.get("dtype"),
            "threads": environment.get("threads"),
            "machine": environment.get("machine"),
            "versions": environment.get("versions"),
            "study": solution.study.summary() if isinstance(solution.study, HybridStudy) else None,
        }
    )


def trust_table(trust: Trust) -> dict[str, Any]:
    """The evidence by name, with `trusted`."""
    return {
        "trusted": trust.trusted,
        "flags": list(trust.flags),
        "residual_train": trust.residual_train,
        "residual_held_out": trust.residual_held_out,
        "boundary_violation": trust.boundary_violation,
        "estimate": trust.estimate,
        "energy_estimate": trust.energy_estimate,
        "absolute_energy": trust.absolute_energy,
        "estimate_gap": trust.estimate_gap,
        "coarse_difference": trust.coarse_difference,
        "coarse_gap": trust.coarse_gap,
        "reference_error": trust.reference_error,
        "loss_estimate": trust.loss_estimate,
        "residual_bands": bands_table(trust.residual_bands, "residual"),
    }


def bands_table(bands: Bands | None, kind: str) -> dict[str, Any] | None:
    """Bands by columns: band i runs from edges[i] to edges[i + 1]."""
    if bands is None:
        return None
    return {
        "kind": kind,
        "edges": bands.edges,
        "relative": bands.relative,
        "share": bands.share,
        "error_energy": bands.error_energy,
        "reference_energy": bands.reference_energy,
    }


def plain(value: Any) -> Any:
    """Lists, dicts, numbers and strings for arrays, tuples and enumerations; None for NaN and infinity."""
    match value:
        case Enum():
            return value.name.lower()
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case np.ndarray() | np.generic():
            return plain(value.tolist())
        case tuple() | list():
            return [plain(item) for item in value]
        case float():
            return value if math.isfinite(value) else None
    return value


def merged(bands: Bands, most: int) -> Bands:
    """At most `most` bands, by joining neighbours."""
    size = math.ceil(len(bands.error_energy) / most)
    starts = np.arange(0, len(bands.error_energy), size)
    energies = (np.add.reduceat(energy, starts) for energy in (bands.error_energy, bands.reference_energy))
    return Bands(np.append(bands.edges[starts], bands.edges[-1]), *energies)


def called(problem: Problem | OperatorProblem) -> str:
    """Name and parameters of a problem or family."""
    parameters = ", ".join(f"{key}={brief(value)}" for key, value in problem.parameters().items())
    return f"{problem.name}({parameters})" if parameters else problem.name


def _subject(solution: Solution) -> str:
    size = [f"{count:,} {what}" for what, count in _sizes(solution).items() if count is not None]
    return ", ".join([f"{called(solution.problem)} by {solution.solver}", *size])


def _sizes(solution: Solution) -> dict[str, int | None]:
    return {"points": solution.measures.points, "parameters": solution.measures.parameters}


def _errors(solution: Solution) -> str:
    m = solution.measures
    parts = _given({"relative L2": m.rel_l2, "largest": m.max_error, "largest against discrete": m.max_error_discrete})
    found = ", ".join(f"{name} = {value:.6g}" for name, value in solution.coefficients.items())
    if solution.trust.reference_error:
        parts.append(f"reference known to {short(solution.trust.reference_error)}")
    known = ", ".join(parts) or "unknown: the problem has no exact solution"
    return f"{known}; found {found}" if found else known


def _bands(solution: Solution) -> str:
    if solution.bands is None:
        return "not measured"
    return bands_line(solution.bands, solution.band_kind)


def bands_line(bands: Bands, kind: str) -> str:
    """Error or residual by band in one line of a report; neighbours are joined until it fits."""
    texts = (_bands_text(merged(bands, most), kind) for most in range(_BANDS_SHOWN, 1, -1))
    return next((text for text in texts if len(text) <= WIDTH - LABEL), f"{kind} in too many bands")


def _bands_text(bands: Bands, kind: str) -> str:
    numbers = bands.relative if kind == "error" else bands.share
    edges = [f"{edge:.2g}" if edge < 10 else f"{edge:.0f}" for edge in bands.edges]
    texts = [f"{a}-{b} {short(number)}" for a, b, number in zip(edges, edges[1:], numbers, strict=False)]
    return f"{kind} at k = {' | '.join(texts)}"


def _trust(trust: Trust) -> str:
    flags = ", ".join(words(flag.name) for flag in trust.flags)
    numbers = {
        "estimate": trust.estimate,
        "residual": trust.residual_train,
        "held out": trust.residual_held_out,
        "boundary": trust.boundary_violation,
        "coarse": trust.coarse_difference,
    }
    return f"flags: {flags or 'none'}; {', '.join(_given(numbers)) or 'no evidence'}"


def _cost(solution: Solution) -> str:
    m, environment = solution.measures, solution.environment
    seconds = solution.timings.get("total")
    parts = [] if seconds is None else [f"{seconds:.3g} s"]
    counts = {"steps": m.steps, "sweeps": m.sweeps, "cycles": m.cycles}
    parts += [f"{count:,} {what if count != 1 else what[:-1]}" for what, count in counts.items() if count is not None]
    if m.hand_over_step is not None:
        parts.append(f"hand-over at step {m.hand_over_step:,}")
    return ", ".join([*parts, *(str(environment[key]) for key in ("device", "dtype") if key in environment)])


def _given(numbers: Mapping[str, float | None]) -> list[str]:
    return [f"{name} {short(number)}" for name, number in numbers.items() if number is not None]


def line(label: str, text: str) -> str:
    """One line of a report, cut to its width."""
    whole = f"{label:<{LABEL}}{' '.join(text.split())}"
    return whole if len(whole) <= WIDTH else whole[: WIDTH - 3] + "..."


def short(number: float) -> str:
    """A number to two digits."""
    if number == 0 or 0.1 <= number < 100:
        return f"{number:.2g}"
    return f"{number:.1e}".replace("e-0", "e-").replace("e+0", "e+")


def brief(value: object) -> str:
    """A parameter's value; members of enumerations by their names."""
    return words(value.name) if isinstance(value, Enum) else f"{value}"


def words(name: str) -> str:
    """The name of a member of an enumeration as words."""
    return name.lower().replace("_", " ")
