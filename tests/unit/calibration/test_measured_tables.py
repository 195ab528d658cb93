"""Tables nobody vouches for: every way of writing them is read, every flaw is named with its line and column."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ferrogen.calibration import table as table_module
from ferrogen.calibration.columns import Choice, Wanted, load_mapping, parse_choice, parse_choices
from ferrogen.calibration.table import TableFormat, open_table, table_format
from ferrogen.core.errors import ArgumentError, DataFileError

TIME = Wanted("time", ("s",), ("t",))
VOLTAGE = Wanted("voltage", ("V",), ("Vplus", "V"))
CHARGE = Wanted("charge", ("C/m^2", "C"), ("P1", "Q"))
CYCLES = Wanted("cycles", ("1",), ("n",), optional=True)
READS = Wanted("resistance", ("Ohm",), ("R",), several=True)

_SMALL = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "data.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("t [ms],V [mV]\n1,200\n2,300\n", {}),
        ("t (ms)\tVplus mV\n1\t200\n2\t300\n", {}),
        ("﻿time ms;voltage mV\r\n1;200\r\n2;300\r\n", {}),
        ("# a remark, with commas\n t [ms]   V [mV]\n  1.0   2e2\n  2.0 3.0E+02\n", {"skip": 0}),
        ('"t [ms]","V [mV]"\n"1","200"\n\n# between\n"2","300"\n', {}),
        ("t [ms];V [mV]\n1,0;200,0\n2,0;300,0\n", {"decimal": ","}),
        ("written by hand\nat noon\nt [ms],V [mV]\n1,200\n2,300", {"skip": 2}),
        ("t [ms],V [mV],\n1,200,\n2,300,\n", {}),
        ("t [ms]|V [mV]\n1|200\n2|300\n", {"delimiter": "|"}),
    ],
)
def test_every_way_of_writing_gives_the_same_numbers(tmp_path: Path, text: str, given: dict[str, object]) -> None:
    table = open_table(write(tmp_path, text), [TIME, VOLTAGE, CYCLES], form=table_format(given))
    columns = table.read()
    np.testing.assert_allclose(columns["time"], [1e-3, 2e-3])
    np.testing.assert_allclose(columns["voltage"], [0.2, 0.3])
    assert "cycles" not in columns
    assert table.dropped == 0


def test_utf16_and_latin1_are_read(tmp_path: Path) -> None:
    text = "t [µs],V [V]\n1,2\n"
    utf16 = open_table(write(tmp_path, text.encode("utf-16")), [TIME, VOLTAGE]).read()
    latin = open_table(write(tmp_path, text.encode("latin-1")), [TIME], form=TableFormat(encoding="latin-1")).read()
    assert utf16["time"][0] == pytest.approx(1e-6)
    assert latin["time"][0] == pytest.approx(1e-6)
    with pytest.raises(DataFileError, match="encoding"):
        open_table(write(tmp_path, text.encode("latin-1")), [TIME])


def test_columns_by_name_number_pattern_and_range(tmp_path: Path) -> None:
    path = write(tmp_path, "I [A]_1,I [A]_2,V [V],T\n1,2,3,20\n4,5,6,30\n")
    several = Wanted("current", ("A",), several=True)
    kelvin = Wanted("temperature", ("K",))
    chosen = parse_choices(["current = I*", "voltage = #3", "temperature = T [degC]"])
    columns = open_table(path, [several, VOLTAGE, kelvin], chosen).read()
    np.testing.assert_array_equal(columns["current"], [[1, 2], [4, 5]])
    np.testing.assert_allclose(columns["temperature"], [293.15, 303.15])
    ranged = open_table(path, [several], {"current": Choice("#1-#2", "mA")}).read()
    np.testing.assert_allclose(ranged["current"], [[1e-3, 2e-3], [4e-3, 5e-3]])
    one = open_table(path, [Wanted("current", ("A",))], {"current": Choice("I [A]_2", "uA")}).read()
    np.testing.assert_allclose(one["current"], [2e-6, 5e-6])


def test_the_unit_that_came_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, "t s,V V,P1 uC_per_cm2\n0,1,2\n")
    table = open_table(path, [TIME, VOLTAGE, CHARGE])
    assert table.units == {"time": "s", "voltage": "V", "charge": "C/m^2"}
    assert table.read()["charge"][0] == pytest.approx(0.02)
    assert open_table(path, [CHARGE], {"charge": Choice("P1", "nC")}).units == {"charge": "C"}


def test_tables_without_header_and_of_one_column(tmp_path: Path) -> None:
    path = write(tmp_path, "5055.990\n6376.077\n")
    np.testing.assert_allclose(
        open_table(path, [READS], parse_choices(["resistance = #1 [kOhm]"])).read()["resistance"],
        [[5055.990e3], [6376.077e3]],
    )


@pytest.mark.parametrize(
    ("text", "choices", "says"),
    [
        ("", [], "is empty"),
        ("# only remarks\n", [], "is empty"),
        ("t [s],V [V]\n", [], "no row of numbers"),
        ("a,b\n1,2\n", [], "no column is obviously `time`. The columns are 'a', 'b'. Name it"),
        ("t,V [V]\n1,2\n", [], "the unit of column 't' is nowhere stated"),
        ("t [V],V [V]\n1,2\n", [], "`time` must be in s, but column 't .V.' is in 'V'"),
        ("t [s],V [V]\n1,2\n", ["time = x [s]"], "there is no column 'x'. The columns are"),
        ("t [s],V [V]\n1,2\n", ["time = #3"], "there is no column #3"),
        ("t [s],V [V]\n1,2\n", ["time = *"], "read from one column, but '.' names 2"),
        ("t [s],t [s],V [V]\n1,2,3\n", ["time = t"], "exists 2 times. Use its number"),
        ("1,2\n", ["time = t [s]", "voltage = #2 [V]"], "has no header"),
        ("t [s],V [V]\n1,2\n3,x4\n", [], "line 3, column 'V .V.': 'x4' is no number"),
        ("t [s],V [V]\n1,2\n3,\n", [], "line 3, column 'V .V.': the value is missing"),
        ("t [s],V [V]\n1,2\n3,nan\n", [], "line 3.*missing"),
        ("t [s],V [V]\n1,2\n3,1e999\n", [], "line 3, column 'V .V.': '1e999' is no number"),
        ("t [s],V [V]\n1,2\n3,4,5\n", [], "line 3 has 3 columns, but the table has 2"),
        ("t [s],V [V]\n1,2\n# remark\n\n3\n", [], "line 5 has 1 columns"),
        ("t [s];V [V]\n1,5;2,5\n", [], "Is it a decimal comma"),
        ("t [s],V [V]\n1,2\n3,1_0\n", [], "'1_0' is no number"),
        ("t [s],V [V]\n1,2\n3,\x004\n", [], "null bytes"),
    ],
)
def test_flaws_are_named(tmp_path: Path, text: str, choices: list[str], says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataFileError, match=says) as found:
        open_table(path, [TIME, VOLTAGE], parse_choices(choices)).read()
    assert "data.txt" in str(found.value)
    assert "\n" not in str(found.value)


def test_missing_rows_are_dropped_and_counted_on_request(tmp_path: Path) -> None:
    path = write(tmp_path, "t [s],V [V]\n1,2\n3,\nna,4\n5,inf\n6,7\n")
    table = open_table(path, [TIME, VOLTAGE], form=TableFormat(missing="drop"))
    for _ in range(2):
        np.testing.assert_array_equal(table.read()["time"], [1, 6])
        assert table.dropped == 3


@pytest.mark.parametrize("text", ["pw", "= pw [s]", "a b = c", "pulse = ''", "pulse = [s]"])
def test_mappings_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="column"):
        parse_choice(text)


def test_unknown_quantities_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="among the quantities time"):
        open_table(write(tmp_path, "t [s]\n1\n"), [TIME], {"tim": Choice("t")})


def test_mapping_files(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text('delimiter = "semicolon"\ndecimal = ","\n[columns]\ntime = "t [us]"\nvoltage = "\'V [V]\'"\n')
    given = load_mapping(path)
    assert given.pop("columns") == {"time": Choice("t", "us"), "voltage": Choice("V [V]")}
    form = table_format(given)
    assert (form.delimiter, form.decimal) == (";", ",")
    for text, error in (
        ("[columns]\ntime = 3", DataFileError), ("not toml", DataFileError), ("\xff", DataFileError),
        ('[columns]\n"a b" = "t"', ArgumentError),
    ):  # fmt: skip
        path.write_text(text, encoding="latin-1")
        with pytest.raises(error):
            load_mapping(path)


@pytest.mark.parametrize(
    "given",
    [
        {"delimiter": "ab"}, {"decimal": "'"}, {"header": "maybe"}, {"skip": -1}, {"skip": True}, {"missing": "guess"},
        {"encoding": "martian"}, {"decimal": ",", "delimiter": "comma"}, {"colour": "red"}, {"skip": "1"},
    ],
)  # fmt: skip
def test_formats_that_cannot_be_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(ArgumentError):
        table_format(given)


def test_files_that_are_none(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.csv", tmp_path, Path("a\0b")):
        with pytest.raises(DataFileError):
            open_table(path, [TIME])


def test_memory_is_that_of_a_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "_CHUNK", 100)
    path = write(tmp_path, "t [s],V [V]\n" + "".join(f"{k},{2 * k}\n" for k in range(1050)))
    table = open_table(path, [TIME, VOLTAGE])
    sizes = [len(part["time"]) for part in table.chunks()]
    assert sizes == [100] * 10 + [50]
    np.testing.assert_array_equal(table.read()["voltage"], 2.0 * np.arange(1050))
    with pytest.raises(DataFileError, match="more than 1000 rows"):
        table.read(most_rows=1000)


def test_endless_lines_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "_LONGEST_LINE", 1000)
    with pytest.raises(DataFileError, match="line 3 has more than"):
        open_table(write(tmp_path, "t [s],V [V]\n1,2\n" + "1" * 5000), [TIME])


_NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64)


@_SMALL
@given(
    rows=st.lists(st.tuples(_NUMBERS, _NUMBERS, _NUMBERS), min_size=1, max_size=20),
    delimiter=st.sampled_from([",", "\t", ";", " "]),
    quoted=st.booleans(),
    crlf=st.booleans(),
    header=st.booleans(),
    comma=st.booleans(),
)
def test_random_tables_round_trip(
    tmp_path: Path, rows: list[tuple[float, ...]], delimiter: str, quoted: bool, crlf: bool, header: bool, comma: bool
) -> None:
    comma = comma and delimiter != ","
    path = tmp_path / "random.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(
            file, delimiter=delimiter, quoting=csv.QUOTE_ALL if quoted and delimiter != " " else csv.QUOTE_MINIMAL,
            lineterminator="\r\n" if crlf else "\n",
        )  # fmt: skip
        if header:
            writer.writerow(["a", "b", "c"])
        for row in rows:
            writer.writerow([repr(value).replace(".", ",") if comma else repr(value) for value in row])
    names = ["a", "b", "c"] if header else ["#1", "#2", "#3"]
    wanted = [Wanted(name, ("1",)) for name in ("x", "y", "z")]
    chosen = {item.name: Choice(name) for item, name in zip(wanted, names, strict=True)}
    found = open_table(path, wanted, chosen, TableFormat(decimal="," if comma else ".")).read()
    for k, item in enumerate(wanted):
        np.testing.assert_array_equal(found[item.name], [row[k] for row in rows])


@_SMALL
@given(raw=st.one_of(st.binary(max_size=300), st.text(alphabet='0123456789.,;\t "#\n\r-eENa', max_size=200)))
def test_random_bytes_give_numbers_or_one_error(tmp_path: Path, raw: bytes | str) -> None:
    path = tmp_path / "random.bin"
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    found = np.ones(1)
    message = ""
    try:
        found = open_table(path, [Wanted("x", ("1",))], {"x": Choice("#1")}).read()["x"]
    except DataFileError as error:
        message = str(error)
    assert "\n" not in message
    assert np.isfinite(found).all()
    assert found.size


def test_a_second_line_of_units_belongs_to_the_header(tmp_path: Path) -> None:
    path = tmp_path / "plotted.txt"
    path.write_text("t\tU\tstep\n(ns)\tmV\t-\n10\t500\t1\n20\t700\t2\n")
    wanted = [Wanted("time", ("s",), ("t",)), Wanted("voltage", ("V",), ("U",)), Wanted("step", ("1",))]
    table = open_table(path, wanted)
    found = table.read()
    np.testing.assert_allclose(found["time"], [10e-9, 20e-9], rtol=1e-12)
    np.testing.assert_allclose(found["voltage"], [0.5, 0.7], rtol=1e-12)
    np.testing.assert_allclose(found["step"], [1.0, 2.0], rtol=0.0)
    path.write_text("t [s],U [V],step\nnan,nan,nan\n1,2,3\n")
    with pytest.raises(DataFileError, match="line 2, column 't"):
        open_table(path, wanted).read()
    path.write_text("t\tU\tstep\n(ns)\tmV\t-\n")
    with pytest.raises(DataFileError, match="no row of numbers"):
        open_table(path, wanted)


def test_all_units_that_are_missing_are_asked_for_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bare.csv"
    path.write_text("t,V\n1,2\n")
    with pytest.raises(DataFileError, match=r"columns 't', 'V' are nowhere.*time = t \[s\].*voltage = V \[V\]"):
        open_table(path, [Wanted("time", ("s",), ("t",)), Wanted("voltage", ("V",), ("V",))])


def test_a_folder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"^'[^']*' is not a file\. Give the path of a table\.$"):
        open_table(tmp_path, [Wanted("time", ("s",))])
