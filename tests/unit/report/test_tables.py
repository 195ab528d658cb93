from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from ferrogen.core.errors import ArgumentError, OutputError
from ferrogen.report.tables import stack_tables, write_csv


def read(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_columns_come_back_with_units_scalars_repeated_and_gaps_empty(tmp_path: Path) -> None:
    path = tmp_path / "new" / "numbers.csv"
    write_csv(path, {"of": "cell, one", "voltage [V]": 1.2, "noise [A]": np.array([1e-12 / 3.0, np.nan])})
    rows = read(path)
    assert rows[0] == ["of", "voltage [V]", "noise [A]"]
    assert [row[0] for row in rows[1:]] == ["cell, one"] * 2
    assert float(rows[1][2]) == pytest.approx(1e-12 / 3.0, rel=1e-8)
    assert rows[2] == ["cell, one", "1.2", ""]


def test_tables_stack_in_order() -> None:
    table = stack_tables([{"level": 0, "x": np.array([1.0, 2.0])}, {"level": 1, "x": np.array([3.0])}])
    assert table["level"].tolist() == [0, 0, 1]
    assert table["x"].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "columns", [{}, {"a": np.zeros(2), "b": np.zeros(3)}, {"a": np.zeros((2, 2))}], ids=["none", "ragged", "matrix"]
)
def test_unusable_columns_are_refused_and_nothing_is_written(tmp_path: Path, columns: dict[str, object]) -> None:
    with pytest.raises(ArgumentError, match="columns"):
        write_csv(tmp_path / "x.csv", columns)
    assert list(tmp_path.iterdir()) == []


def test_tables_of_different_columns_do_not_stack() -> None:
    with pytest.raises(ArgumentError, match="tables"):
        stack_tables([{"a": 1}, {"b": 1}])


def test_a_folder_that_is_a_file_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError):
        write_csv(tmp_path / "file" / "x.csv", {"a": 1.0})
    assert (tmp_path / "file").read_text() == "mine"
