"""The state that is exported: drawn reproducibly, or read from a file that nobody vouches for."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.array.levels import conductance_window
from ferrogen.circuit.spice.state import drawn_state, read_state
from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.device.card import load_card

CARD = load_card("hzo-mfis-nor")


def test_a_drawn_state_is_programmed_and_reproducible() -> None:
    one, two, other = (drawn_state(CARD, 12, 9, seed) for seed in (4, 4, 5))
    assert one.conductance.shape == (12, 9)
    assert np.array_equal(one.conductance, two.conductance)
    assert not np.array_equal(one.conductance, other.conductance)
    window = conductance_window(CARD)
    slack = 0.02 * window.span  # write-verify's tolerance is 0.005
    assert one.conductance.min() > window.low - slack
    assert one.conductance.max() < window.high + slack
    assert len(np.unique(np.round((one.conductance - window.low) / window.span * 31.0))) > 20  # of 32 levels
    assert one.unconverged is not None
    assert one.unconverged <= 2
    assert "seed 4" in one.origin
    for rows, columns in ((0, 3), (3, -1), (5000, 1), (True, 3)):
        with pytest.raises(ArgumentError, match=r"rows|columns"):
            drawn_state(CARD, rows, columns, 1)


def test_both_formats_are_read(tmp_path: Path) -> None:
    table = np.array([[1e-9, 2.5e-9, 0.0], [3e-7, 1.0000000000000002e-9, 7e-9]])
    np.save(tmp_path / "a.npy", table)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(table))
    np.save(tmp_path / "whole.npy", np.array([[1, 2], [3, 4]]))
    lines = [", ".join(map(repr, row)) for row in table.tolist()]
    (tmp_path / "a.csv").write_text("# conductances [S]\n\n" + "\n".join(lines) + "\n", encoding="utf-8-sig")
    for name in ("a.npy", "fortran.npy", "a.csv"):
        state = read_state(tmp_path / name)
        assert np.array_equal(state.conductance, table)
        assert state.origin == f"read from '{name}'"
        assert state.unconverged is None
    assert read_state(tmp_path / "whole.npy").conductance.dtype == np.float64


def saved(value: object, *, pickled: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(value, dtype=object if pickled else None), allow_pickle=pickled)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (saved([[{"a": 1}]], pickled=True), "no .npy file of a table"),
        (saved([1.0, 2.0]), "no .npy file of a table"),
        (saved([[1.0 + 2.0j]]), "no .npy file of a table"),
        (saved([["a"]]), "no .npy file of a table"),
        (saved(np.zeros((0, 3))), "no .npy file of a table"),
        (saved([[1.0, 2.0]])[:-1], "no .npy file of a table"),
        (saved([[1.0, 2.0]]).replace(b"(1, 2)", b"(1,9**9)"), "no .npy file of a table"),
        (saved(np.ones((1, 2))).replace(b"(1, 2), }  ", b"(999999999, 2),}"[:11]), "no .npy file of a table"),
        (saved([[1.0, -2.0]]), "-2 S in row 1, column 2"),
        (saved([[1.0, 1e300]]), "1e\\+300 S in row 1, column 2; 1000 S are the most"),
        (saved([[1.0], [np.nan]]), "nan S in row 2, column 1"),
        (b"1e-9,2e-9\n3e-9\n", "line 2: 1 numbers, but 2"),
        (b"1e-9,a\n", "line 1: '1e-9,a' is not a row"),
        (b"1e-9;2e-9\n", "not a row of comma-separated"),
        (b"inf,1\n", "inf S in row 1"),
        (b"# nothing\n", "no numbers"),
        (b"", "no numbers"),
        (b"\xff\xfe\x00", "neither a .npy file nor text"),
        (b"PK\x03\x04 zip", "not a row"),
        (("1," * 5000 + "1\n").encode(), "4096 a side"),
    ],
)
def test_bad_files_are_refused_with_the_place(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "state"
    path.write_bytes(data)
    with pytest.raises(DataFileError, match=says):
        read_state(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="does not exist"):
        read_state(tmp_path / "no.npy")


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_conductances_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, npy: bool
) -> None:
    path = tmp_path_factory.mktemp("any") / "state"
    path.write_bytes(b"\x93NUMPY" * npy + data)
    try:
        table = read_state(path).conductance
    except DataFileError:
        return
    assert table.ndim == 2
    assert (np.isfinite(table) & (table >= 0.0)).all()
