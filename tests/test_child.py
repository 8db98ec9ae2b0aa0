"""Functions called in processes of their own."""

from __future__ import annotations

import importlib.util
import os
import sys
from math import gcd

import pytest

from pdekit.child import in_child, peak_memory
from pdekit.errors import ChildError


def test_arguments_go_and_the_result_comes_back():
    assert in_child(gcd, 12, 18, threads=1) == 6


def test_errors_come_back_in_words():
    with pytest.raises(ChildError, match=r"ValueError: .*no number") as caught:
        in_child(int, "no number", threads=1)
    assert caught.value.kind == "ValueError"


def test_a_process_that_dies_is_an_error():
    with pytest.raises(ChildError, match="ended with code 7"):
        in_child(os._exit, 7, threads=1)


def test_a_process_that_does_not_end_is_killed():
    from time import sleep

    with pytest.raises(ChildError, match="not done after 0 s"):
        in_child(sleep, 60, threads=1, patience=0.1)


def test_threads_and_further_variables_are_set():
    found = in_child(os.getenv, "OMP_NUM_THREADS", threads=3)
    assert found == "3"
    assert in_child(os.getenv, "MINE", threads=1, environment={"MINE": "yes"}) == "yes"


def test_what_is_printed_does_not_mix_with_the_answer():
    assert in_child(print, "hello", threads=1) is None


def test_classes_that_the_other_process_cannot_import_go_along(tmp_path):
    source = (
        "from dataclasses import dataclass\n@dataclass\nclass Mine:\n    n: int\n    def __len__(self): return self.n\n"
    )
    (tmp_path / "hidden.py").write_text(source)
    spec = importlib.util.spec_from_file_location("no_such_module_anywhere", tmp_path / "hidden.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["no_such_module_anywhere"] = module
    try:
        spec.loader.exec_module(module)
        assert in_child(len, module.Mine(5), threads=1) == 5
    finally:
        del sys.modules["no_such_module_anywhere"]


def test_peak_memory_is_this_process_own():
    assert in_child(peak_memory, threads=1) < 200 < peak_memory()
