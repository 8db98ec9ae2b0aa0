"""The history of a run: columns of numbers that grow row by row."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import final

import numpy as np

from .errors import ShapeError, unknown_name

_EXACT_INTEGERS = 1e15  # below this a float without fraction prints all its digits as an integer


@final
class Record:
    """A table that grows by rows and is read by columns; NaN stands where a row lacks a column.

    >>> record = Record()
    >>> record.append({"step": 0, "loss": 2.0})
    >>> record.append({"step": 100, "loss": 0.5, "error": 0.1})
    >>> record["error"]
    array([nan, 0.1])
    """

    def __init__(self) -> None:
        """Start with no rows and no columns."""
        self._columns: dict[str, list[float]] = {}
        self._rows = 0

    @classmethod
    def from_columns(cls, columns: Mapping[str, Sequence[float] | np.ndarray]) -> Record:
        """Build from whole columns of equal length.

        Raises:
            ShapeError: if the lengths differ.
        """
        record = cls()
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise ShapeError(f"Record: got columns of lengths {lengths}, expected equal lengths")
        record._columns = {name: [float(v) for v in column] for name, column in columns.items()}
        record._rows = next(iter(lengths.values()), 0)
        return record

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names in the order of their first appearance."""
        return tuple(self._columns)

    def append(self, row: Mapping[str, float]) -> None:
        """Add one row; columns it lacks get NaN, columns it brings are NaN in earlier rows."""
        for name in row:
            if name not in self._columns:
                self._columns[name] = [math.nan] * self._rows
        for name, column in self._columns.items():
            column.append(float(row.get(name, math.nan)))
        self._rows += 1

    def __getitem__(self, name: str) -> np.ndarray:
        """Return one column as a new float64 array of shape (rows,)."""
        return np.array(self._column(name), dtype=np.float64)

    def __contains__(self, name: object) -> bool:
        """Tell whether the column exists."""
        return name in self._columns

    def __len__(self) -> int:
        """Count the rows."""
        return self._rows

    def __iter__(self) -> Iterator[dict[str, float]]:
        """Iterate over the rows."""
        for i in range(self._rows):
            yield {name: column[i] for name, column in self._columns.items()}

    def __repr__(self) -> str:
        """Say the size and the columns."""
        return f"Record({self._rows} rows; {', '.join(self._columns)})"

    def last(self, name: str) -> float:
        """Return the newest value of a column that is not NaN; NaN if there is none."""
        return next((v for v in reversed(self._column(name)) if not math.isnan(v)), math.nan)

    def copy(self) -> Record:
        """Return an independent copy."""
        return Record.from_columns(self._columns)

    def to_csv(self) -> str:
        """Return the table as CSV text; reading it back gives the same floats, bit for bit."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self._columns)
        writer.writerows([_cell(value) for value in row.values()] for row in self)
        return text.getvalue()

    @classmethod
    def from_csv(cls, text: str) -> Record:
        """Read the text `to_csv` wrote.

        Raises:
            ShapeError: if a row has more or fewer cells than the header, or a cell is no number; says which row.
        """
        header, *rows = list(csv.reader(io.StringIO(text))) or [[]]
        columns: dict[str, list[float]] = {name: [] for name in header}
        for number, row in enumerate(rows, start=1):
            if len(row) != len(header):
                raise ShapeError(f"Record.from_csv: row {number}: got {len(row)} cells, expected {len(header)}")
            for name, cell in zip(header, row, strict=True):
                try:
                    columns[name].append(float(cell) if cell else math.nan)
                except ValueError as error:
                    raise ShapeError(
                        f"Record.from_csv: row {number}, column {name!r}: got {cell!r}, expected a number"
                    ) from error
        return cls.from_columns(columns)

    def _column(self, name: str) -> list[float]:
        try:
            return self._columns[name]
        except KeyError:
            raise unknown_name("history column", name, self._columns) from None


def _cell(value: float) -> str:
    if math.isnan(value):
        return ""
    if value.is_integer() and abs(value) < _EXACT_INTEGERS:
        return f"{value:.0f}"
    return repr(value)
