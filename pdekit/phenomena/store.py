"""The folder of an experiment's results: figures, arrays and configuration first, `finding.json` last."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from ..codec import encode
from ..environment import version
from ..plot_style import new_figure, save_figure
from ..report import plain
from ..rundir import RunDirectory
from .experiment import Experiment, Size
from .finding import Finding, Verdict

FINDING = "finding.json"
ARRAYS = "arrays.npz"

_PACKAGE = __name__.partition(".")[0]
_WIDTH, _HEIGHT = 8.0, 5.0  # inches; a drawing may set its own


@final
@dataclass(frozen=True)
class Outcome:
    """One experiment of a run, as its `finding.json` has it.

    Args:
        record: the content of the file: id, chapter, source, title, verdict, message, claims, numbers, provenance,
            figures, arrays, warnings, size, seeds, seconds, processor_seconds, config, fingerprint.
        resumed: whether an earlier run found it.
    """

    record: Mapping[str, Any]
    resumed: bool = False

    @property
    def id(self) -> str:
        """The experiment's name."""
        return str(self.record["id"])

    @property
    def verdict(self) -> Verdict:
        """What its claims amount to."""
        return Verdict[str(self.record["verdict"]).upper().replace("-", "_")]

    @property
    def message(self) -> str:
        """Why it did not run, or the error it ended with."""
        return str(self.record["message"])

    @property
    def claims(self) -> list[Mapping[str, Any]]:
        """Claims as plain tables."""
        return list(self.record["claims"])


def description(
    experiment: Experiment[Any], size: Size, seeds: tuple[int, ...], data: Path | None, code: str
) -> dict[str, Any]:
    """What is run: the fields of a record that are known beforehand, with the fingerprint of all that decides.

    Args:
        experiment, size, seeds, data: as in the context.
        code: digest of the source, see `code_digest`.
    """
    subject = {
        "id": experiment.id,
        "chapter": experiment.chapter,
        "source": experiment.source,
        "title": experiment.title,
        "size": str(size),
        "seeds": list(seeds),
        "config": encode(experiment.config(size)),
        "data": None if data is None else str(data.resolve()),
        "version": version("pdekit"),
    }
    text = json.dumps([subject, code], sort_keys=True)
    return subject | {"fingerprint": hashlib.sha256(text.encode()).hexdigest()}


def contents(finding: Finding | None) -> dict[str, Any]:
    """The fields of a record that a finding fills; empty ones where there is none."""
    return {
        "claims": [] if finding is None else [vars(claim) for claim in finding.claims],
        "numbers": {} if finding is None else finding.numbers,
        "provenance": () if finding is None else finding.provenance,
        "figures": [] if finding is None else [f"{name}.png" for name in finding.figures],
        "arrays": {} if finding is None else {name: array.shape for name, array in finding.arrays.items()},
    }


def save(run: RunDirectory, record: dict[str, Any], finding: Finding | None) -> Outcome:
    """Write an experiment's files; `finding.json` goes first and comes last, so that it never stands for others."""
    run.file(FINDING).unlink(missing_ok=True)
    for old in run.path.glob("*.png"):
        old.unlink()
    run.write_config({"experiment": {key: record[key] for key in ("id", "size", "seeds", "data")}, **_table(record)})
    run.write_environment()
    if finding is not None:
        content = io.BytesIO()
        np.savez_compressed(content, **finding.arrays)  # type: ignore[arg-type]
        run.write_bytes(ARRAYS, content.getvalue())
        for name, draw in finding.figures.items():
            figure = new_figure(_WIDTH, _HEIGHT)
            draw(figure)
            save_figure(figure, run.file(f"{name}.png"), dpi=120)
    outcome = Outcome(plain(record))
    run.write_json(FINDING, outcome.record)
    return outcome


def load(path: Path) -> Outcome | None:
    """The outcome in an experiment's folder; None where there is none that can be read."""
    try:
        record = json.loads((path / FINDING).read_text(encoding="utf-8"))
        outcome = Outcome(record, resumed=True)
        return outcome if outcome.id and outcome.verdict and outcome.claims is not None else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def found_in(out: Path) -> Iterator[Outcome]:
    """All outcomes below a folder of results."""
    for path in sorted(out.glob(f"*/{FINDING}")):
        outcome = load(path.parent)
        if outcome is not None:
            yield outcome


def _table(record: Mapping[str, Any]) -> dict[str, Any]:
    config = record["config"]
    return {"config": config} if isinstance(config, Mapping) else {"config": {"value": config}}


def code_digest() -> str:
    """A digest of the package's source: what other code found is not taken for what this one finds."""
    digest = hashlib.sha256()
    for name in ("", ".problems", ".solvers"):
        spec = importlib.util.find_spec(f"{_PACKAGE}{name}")
        for directory in (spec.submodule_search_locations or ()) if spec is not None else ():
            for path in sorted(Path(directory).rglob("*.py")):
                digest.update(path.read_bytes())
    return digest.hexdigest()
