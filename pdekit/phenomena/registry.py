"""The experiments by chapter and by name; a chapter is imported when one of its experiments is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from ..errors import ConfigError, unknown_name
from .experiment import Experiment

CHAPTERS: Mapping[int, str] = MappingProxyType({2: "chapter2", 4: "chapter4", 5: "chapter5", 6: "chapter6"})
"""The module of each chapter; it offers its experiments as `EXPERIMENTS`."""

ALL = "all"
"""Stands for every experiment where a name is expected."""


def experiments(chapter: int | None = None) -> tuple[Experiment[Any], ...]:
    """The experiments of one chapter, or of all in order.

    Raises:
        UnknownNameError: no such chapter.
    """
    if chapter is not None and chapter not in CHAPTERS:
        raise unknown_name("chapter", chapter, map(str, CHAPTERS))
    chosen = CHAPTERS if chapter is None else {chapter: CHAPTERS[chapter]}
    found = [
        experiment
        for module in chosen.values()
        for experiment in importlib.import_module(f".{module}", __package__).EXPERIMENTS
    ]
    names = [experiment.id for experiment in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"experiments: got {', '.join(twice)} more than once, expected every id once; rename one")
    return tuple(found)


def select(names: Iterable[str], chapter: int | None = None) -> tuple[Experiment[Any], ...]:
    """The experiments of these names, each once, in the order of the catalogue.

    Args:
        names: ids, or "all".
        chapter: take "all" to mean this chapter's; names of other chapters are refused.

    Raises:
        UnknownNameError: no such experiment or chapter; the message gives the closest names.
    """
    wanted = tuple(names)
    known = experiments(chapter)
    ids = {experiment.id for experiment in known}
    for name in wanted:
        if name not in ids and name != ALL:
            raise unknown_name("experiment", name, [*ids, ALL])
    return tuple(experiment for experiment in known if ALL in wanted or experiment.id in wanted)
