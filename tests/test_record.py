"""The history: columns that grow by rows and survive CSV bit for bit."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdekit.errors import ShapeError, UnknownNameError
from pdekit.record import Record


def bits(values: np.ndarray) -> list[bytes]:
    return [b"nan" if math.isnan(v) else struct.pack("<d", v) for v in values]


def filled() -> Record:
    record = Record()
    record.append({"step": 0, "loss": 2.0})
    record.append({"step": 10, "loss": 0.5, "error": 0.25})
    record.append({"step": 20, "loss": 0.1})
    return record


def test_columns_are_padded_with_nan_before_and_after():
    record = filled()
    assert record.columns == ("step", "loss", "error")
    assert len(record) == 3
    np.testing.assert_array_equal(record["error"], [math.nan, 0.25, math.nan])
    np.testing.assert_array_equal(record["step"], [0, 10, 20])


def test_last_skips_rows_without_the_column():
    assert filled().last("error") == 0.25
    assert filled().last("loss") == 0.1
    assert math.isnan(Record.from_columns({"a": [math.nan]}).last("a"))


def test_reading_a_column_gives_a_copy():
    record = filled()
    record["loss"][:] = 7.0
    record.copy().append({"loss": 9.0})
    assert record.last("loss") == 0.1
    assert len(record) == 3


def test_an_unknown_column_names_the_closest():
    with pytest.raises(UnknownNameError, match="did you mean 'loss'"):
        filled()["los"]


def test_rows_come_back_as_given():
    assert next(iter(filled()))["loss"] == 2.0
    assert [row["step"] for row in filled()] == [0.0, 10.0, 20.0]


@given(st.lists(st.tuples(st.floats(), st.floats(allow_nan=False)), max_size=20))
def test_csv_keeps_every_bit(rows):
    record = Record()
    for a, b in rows:
        record.append({"a, quoted": a, "b": b})
    back = Record.from_csv(record.to_csv())
    assert back.columns == record.columns
    assert len(back) == len(record)
    for name in record.columns:
        assert bits(back[name]) == bits(record[name])


def test_csv_prints_steps_as_integers():
    assert filled().to_csv().splitlines() == ["step,loss,error", "0,2,", "10,0.5,0.25", "20,0.1,"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("a,b\n1,2\n3\n", "row 2: got 1 cells, expected 2"), ("a\n1\nx\n", "row 2, column 'a': got 'x'")],
)
def test_damaged_csv_names_the_row(text, message):
    with pytest.raises(ShapeError, match=message):
        Record.from_csv(text)


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ShapeError, match="lengths"):
        Record.from_columns({"a": [1.0], "b": [1.0, 2.0]})
