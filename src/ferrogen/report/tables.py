"""The numbers behind a figure: named columns with units in the header become one tidy CSV file."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error
from ferrogen.core.files import atomic_path

Columns = Mapping[str, Any]
"""Column name with its unit, e.g. ``"voltage [V]"``, to numbers or text; a scalar is repeated in every row."""


def _columns(columns: Columns) -> dict[str, NDArray[Any]]:
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    lengths = {name: array.shape[0] for name, array in arrays.items() if array.ndim == 1}
    if any(array.ndim > 1 for array in arrays.values()) or len(set(lengths.values())) > 1:
        shapes = {name: array.shape for name, array in arrays.items()}
        raise argument_error("columns", "hold scalars and one-dimensional arrays of one length", shapes)
    rows = next(iter(lengths.values()), 1)
    return {name: np.broadcast_to(array, (rows,)) for name, array in arrays.items()}


def stack_tables(tables: Sequence[Columns]) -> dict[str, NDArray[Any]]:
    """Put tables with the same columns under one another: one series after the other, in tidy form.

    Raises:
        ArgumentError: no table, tables with different columns, or columns of different length.
    """
    if not tables or any(list(table) != list(tables[0]) for table in tables):
        raise argument_error("tables", "share their columns, in order", [list(table) for table in tables])
    parts = [_columns(table) for table in tables]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _cell(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{float(value):.9g}"
    return str(value)


def write_csv(path: Path, columns: Columns) -> None:
    """Write columns as CSV (UTF-8, comma, point as decimal mark), atomically; NaN becomes an empty field.

    Args:
        path: the file.
        columns: name with unit in brackets -> values of shape ``(rows,)``, or one scalar for all rows.

    Raises:
        ArgumentError: no columns, or columns of different length.
        OutputError: the folder cannot be written.
    """
    if not columns:
        raise argument_error("columns", "hold at least one column", "empty")
    arrays = _columns(columns)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(arrays)
        writer.writerows([_cell(value) for value in row] for row in zip(*arrays.values(), strict=True))
