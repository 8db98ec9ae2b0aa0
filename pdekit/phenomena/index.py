"""One page over all experiments of a folder: their claims in tables, their figures below."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .finding import Verdict
from .store import Outcome

INDEX = "index.md"

_SEEDS_SHOWN = 5


def page(outcomes: Iterable[Outcome], order: Sequence[str]) -> str:
    """The page in Markdown.

    Args:
        outcomes: in any order; they are sorted by chapter, then as in `order`.
        order: ids as the catalogue lists them.
    """
    place = {name: number for number, name in enumerate(order)}
    found = sorted(outcomes, key=lambda o: (o.record["chapter"], place.get(o.id, len(place)), o.id))
    lines = ["# Phenomena", "", summary(found), "", *_contents(found)]
    chapter = None
    for outcome in found:
        if outcome.record["chapter"] != chapter:
            chapter = outcome.record["chapter"]
            lines += ["", f"## Chapter {chapter}"]
        lines += ["", *_section(outcome)]
    return "\n".join(lines) + "\n"


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many experiments passed, failed, did not run; how many claims hold."""
    counts = {verdict: sum(o.verdict is verdict for o in outcomes) for verdict in Verdict}
    claims = [claim for outcome in outcomes for claim in outcome.claims]
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count) or "none"
    return f"{len(outcomes)} experiments: {verdicts}; {sum(bool(c['holds']) for c in claims)} of {len(claims)} claims hold."


def as_text(outcomes: Sequence[Outcome]) -> str:
    """The outcomes for people, a line each; below it the claims that do not hold, with what was measured."""
    lines = []
    for outcome in outcomes:
        lines.append(line_of(outcome))
        for claim in outcome.claims:
            if not claim["holds"]:
                note = f" ({' '.join(claim['note'].split())})" if claim["note"] else ""
                lines.append(f"        does not hold: {claim['criterion']}; measured {measured(claim)}{note}")
    return "\n".join([*lines, summary(outcomes)])


def line_of(outcome: Outcome) -> str:
    """Verdict, name, claims and time; or why it did not run."""
    begin = f"{outcome.verdict!s:<8}{outcome.id}"
    if outcome.verdict in (Verdict.NOT_RUN, Verdict.ERROR):
        return f"{begin}  {' '.join(outcome.message.split())}"
    time = "found finished" if outcome.resumed else f"{outcome.record['seconds']:.1f} s"
    return f"{begin}  {_held(outcome)} claims  {time}"


def measured(claim: Mapping[str, Any]) -> str:
    """The numbers that decided a claim; one per seed where seeds were judged one by one."""
    return "; ".join(f"{name} {_numbers(value)}" for name, value in claim["measured"].items())


def _contents(outcomes: Sequence[Outcome]) -> list[str]:
    rows = [
        f"| {o.record['chapter']} | [{o.id}](#{o.id}) | {o.verdict} | {_held(o)} | {o.record['size']} "
        f"| {o.record['seconds']:.1f} | {_cell(o.record['title'])} |"
        for o in outcomes
    ]
    head = ["| chapter | experiment | verdict | claims | size | seconds | title |", "|---|---|---|---|---|---|---|"]
    return [*head, *rows] if rows else []


def _section(outcome: Outcome) -> list[str]:
    record = outcome.record
    seeds = ", ".join(map(str, record["seeds"]))
    lines = [f"### {outcome.id}", "", f"{record['title']} ({record['source']}). Verdict: **{outcome.verdict}**."]
    lines += ["", f"Size {record['size']}, seeds {seeds}, {record['seconds']:.1f} s.", *map(str, record["provenance"])]
    if outcome.message:
        lines += ["", f"> {_cell(outcome.message)}"]
    lines += [f"> warning: {_cell(text)}" for text in record["warnings"]]
    if outcome.claims:
        lines += ["", "| holds | claim | criterion | measured | note |", "|---|---|---|---|---|"]
        lines += [
            f"| {'yes' if c['holds'] else '**no**'}{_by_seed(c)} | {_cell(c['text'])} | {_cell(c['criterion'])} "
            f"| {_cell(measured(c))} | {_cell(c['note'])} |"
            for c in outcome.claims
        ]
    if record["numbers"]:
        lines += ["", "; ".join(f"{name}: {_numbers(value)}" for name, value in record["numbers"].items())]
    for figure in record["figures"]:
        lines += ["", f"![{outcome.id}, {figure}]({outcome.id}/{figure})"]
    return lines


def _held(outcome: Outcome) -> str:
    return f"{sum(bool(c['holds']) for c in outcome.claims)}/{len(outcome.claims)}"


def _by_seed(claim: Mapping[str, Any]) -> str:
    seeds = claim["holds_by_seed"]
    return f" ({sum(map(bool, seeds))} of {len(seeds)})" if seeds else ""


def _numbers(value: Any) -> str:
    if isinstance(value, list):
        if len(value) > _SEEDS_SHOWN and all(isinstance(v, float | int) for v in value):
            return f"{_numbers(min(value))} to {_numbers(max(value))} ({len(value)} values)"
        return ", ".join(_numbers(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_numbers(item)}" for name, item in value.items())
    if isinstance(value, bool) or not isinstance(value, float | int):
        return "none" if value is None else str(value)
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e6):
        return f"{int(value)}"
    return f"{value:.3g}" if math.isfinite(value) else "none"


def _cell(text: str) -> str:
    """Text that stays within its cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")
