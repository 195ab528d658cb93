"""Raw files: what the simulator writes is read to the last bit; what is broken is refused, whatever it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ferrogen.circuit.spice.rawfile import parse_rawfile
from ferrogen.core.errors import DataFileError


def raw(table: np.ndarray, names: list[str], plot: str = "Operating Point", flags: str = "real") -> bytes:
    """Write a plot as ngspice 39 does."""
    points, variables = table.shape
    head = [
        "Title: * array", "Date: Tue Nov 24 16:25:16  2026", f"Plotname: {plot}", f"Flags: {flags}",
        f"No. Variables: {variables}", f"No. Points: {points}       ", "Variables:",
        *(f"\t{k}\t{name}\tvoltage" for k, name in enumerate(names)), "Binary:",
    ]  # fmt: skip
    return ("\n".join(head) + "\n").encode() + table.astype(np.float64).tobytes()


FINITE = st.floats(allow_nan=False, allow_infinity=False)
TABLES = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 6)), elements=FINITE)


@given(st.lists(TABLES, min_size=1, max_size=4))
def test_plots_come_back_to_the_last_bit(tables: list[np.ndarray]) -> None:
    data = b"".join(
        raw(table, [f"V(n_{k})" for k in range(table.shape[1])], f"Plot {number}")
        for number, table in enumerate(tables)
    )
    plots = parse_rawfile(data)
    assert [plot.name for plot in plots] == [f"Plot {number}" for number in range(len(tables))]
    for plot, table in zip(plots, tables, strict=True):
        for k in range(table.shape[1]):
            assert np.array_equal(plot.vector(f"v(N_{k})"), table[:, k])


@given(st.binary(max_size=400))
def test_any_bytes_are_plots_or_refused(data: bytes) -> None:
    message = ""
    try:
        parse_rawfile(data)
    except DataFileError as error:
        message = str(error)
    assert len(message) < 300


GOOD = raw(np.array([[1.0, 2.0], [3.0, 4.0]]), ["time", "v(a)"], "Transient Analysis")


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused(at: int, value: int) -> None:
    changed = bytearray(GOOD)
    changed[at] = value
    try:
        plots = parse_rawfile(bytes(changed))
    except DataFileError:
        return
    for plot in plots:
        assert all(np.isfinite(vector).all() for vector in plot.vectors.values())


@given(st.integers(1, len(GOOD) - 1))
def test_a_truncated_file_is_refused(length: int) -> None:
    with pytest.raises(DataFileError):
        parse_rawfile(GOOD[:length])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (raw(np.ones((1, 1)), ["a"], flags="complex"), "not real"),
        (raw(np.array([[np.nan]]), ["v(x)"]), "'v\\(x\\)' is not finite"),
        (raw(np.array([[1.0, 2.0]]), ["a", "A"]), "twice"),
        (GOOD.replace(b"No. Points: 2 ", b"No. Points: 999999999 "), "announced"),
        (GOOD.replace(b"No. Variables: 2", b"No. Variables: -2"), "not a positive number"),
        (GOOD.replace(b"Binary:", b"Values:"), "Values"),
        (GOOD.replace(b"\t1\t", b"\t7\t"), "variable 1"),
        (b"Title" + b"x" * 10000, "endless"),
        (b"Title: x\n" * 100, "no list of variables"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, says: str) -> None:
    with pytest.raises(DataFileError, match=says):
        parse_rawfile(data)


def test_a_vector_that_is_not_there() -> None:
    with pytest.raises(DataFileError, match="no vector 'v\\(b\\)'"):
        parse_rawfile(GOOD)[0].vector("v(b)")
    assert parse_rawfile(b"") == ()
