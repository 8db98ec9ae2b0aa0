"""What an operator says of itself: six lines for people, plain data for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..report import bands_line, bands_table, called, line, plain, short, words

if TYPE_CHECKING:
    from .result import Operator


def six_lines(operator: Operator) -> str:
    """Family and solver, outcome, errors, bands, reach, cost: one line each, at most 120 columns."""
    lines = {
        "family": _subject(operator),
        "status": f"{words(operator.status.name)}{': ' if operator.message else ''}{operator.message}",
        "errors": _errors(operator),
        "bands": bands_line(operator.scores.test.bands, "error"),
        "finer": _finer(operator),
        "cost": _cost(operator),
    }
    return "\n".join(line(label, text) for label, text in lines.items())


def as_dict(operator: Operator) -> dict[str, Any]:
    """The result as plain data that strict JSON can hold; None where a number does not apply or is not finite."""
    scores, costs, environment = operator.scores, operator.costs, operator.environment
    found: dict[str, Any] = plain(
        {
            "problem": operator.predictor.family.name,
            "parameters_of_problem": operator.config.get("problem", {}),
            "solver": operator.learner.name,
            "seed": environment.get("seed"),
            "success": operator.success,
            "status": operator.status,
            "advice": operator.status.value,
            "message": operator.message,
            "rel_l2": scores.test.mean,
            "rel_l2_median": scores.test.median,
            "rel_l2_worst": scores.test.worst,
            "rel_l2_train": scores.train,
            "rel_l2_resolutions": scores.resolutions,
            "mean_predictor": scores.mean_predictor,
            "rtol": operator.config.get("run", {}).get("rtol"),
            "bands": bands_table(scores.test.bands, "error"),
            "reach": operator.predictor.reach.quantile,
            "seconds": costs.data + costs.train,
            "data_seconds": costs.data,
            "train_seconds": costs.train,
            "seconds_per_case": costs.case,
            "classical_seconds_per_case": costs.classical,
            "break_even_cases": costs.break_even,
            "train_cases": operator.train_cases,
            "test_cases": len(scores.test.each),
            "steps": operator.steps,
            "parameters": operator.parameters,
            "device": environment.get("device"),
            "dtype": environment.get("dtype"),
            "threads": environment.get("threads"),
            "machine": environment.get("machine"),
            "versions": environment.get("versions"),
        }
    )
    return found


def _subject(operator: Operator) -> str:
    name = f"{called(operator.predictor.family)} by {operator.learner.name}"
    return f"{name}, {operator.train_cases:,} cases, {operator.parameters:,} parameters"


def _errors(operator: Operator) -> str:
    scores = operator.scores
    train = "" if scores.train is None else f", training cases {short(scores.train)}"
    return (
        f"relative L2 over {len(scores.test.each):,} test cases: mean {short(scores.test.mean)}, median "
        f"{short(scores.test.median)}, worst {short(scores.test.worst)}{train}; mean output {short(scores.mean_predictor)}"
    )


def _finer(operator: Operator) -> str:
    finer = operator.scores.finer
    if not finer:
        return "known on the grid of the training only"
    texts = [f"{short(errors.mean)} at {' x '.join(map(str, errors.points))}" for errors in finer]
    return f"with the same weights {', '.join(texts)} points"


def _cost(operator: Operator) -> str:
    costs, environment = operator.costs, operator.environment
    parts = [f"data {costs.data:.3g} s", f"training {costs.train:.3g} s, {operator.steps:,} steps"]
    if costs.classical is None:
        parts.append(f"a case {short(costs.case)} s")
    else:
        repaid = "never repaid" if costs.break_even is None else f"repaid after {costs.break_even:,} cases"
        parts.append(f"a case {short(costs.case)} s, classical {short(costs.classical)} s, {repaid}")
    return "; ".join([*parts, *(str(environment[key]) for key in ("device", "dtype") if key in environment)])
