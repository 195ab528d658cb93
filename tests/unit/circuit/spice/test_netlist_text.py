"""The text of a netlist: numbers that read the same again, comments and names that cannot become elements."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.circuit.spice.netlist import (
    Deck,
    comment,
    control_section,
    element,
    number,
    wrapped,
    write_results,
)
from ferrogen.circuit.spice.run import RESULTS
from ferrogen.core.errors import ArgumentError


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_all_digits(value: float) -> None:
    assert float(number(value)) == value


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_numbers_are_finite(bad: float) -> None:
    with pytest.raises(ArgumentError, match="finite"):
        number(bad)


@given(st.text())
def test_a_comment_stays_a_comment(text: str) -> None:
    written = comment(text)
    assert written.isascii()
    for line in written.split("\n"):
        assert line.startswith("*")
        assert len(line) <= 120
        assert line.isprintable()


def test_units_in_comments_are_spelled_out() -> None:
    assert comment("5 µA at 3 Ω") == "* 5 uA at 3 Ohm"


def test_elements() -> None:
    assert element("R", "row_0", ("a", "0"), number(2.5)) == "R_row_0 a 0 2.5"
    for bad in (
        ("RR", "a", ("b",), "1"),
        ("R", "a b", ("b",), "1"),
        ("R", "a", ("b\nc",), "1"),
        ("", "a", ("b",), "1"),
    ):
        with pytest.raises(ArgumentError):
            element(*bad)
    for value in ("1\nV_evil a 0 1", "1\r.control", "1\u2028x", "µ"):
        with pytest.raises(ArgumentError, match="one line"):
            element("R", "a", ("b", "c"), value)


@given(st.lists(st.from_regex(r"\A[a-z]{1,12}\Z"), min_size=1, max_size=60))
def test_wrapped_lines_hold_the_same_words(words: list[str]) -> None:
    lines = wrapped(" ".join(words)).split("\n")
    assert all(line.startswith("+ ") for line in lines[1:])
    assert all(len(line) <= 120 for line in lines)
    assert " ".join(line.removeprefix("+ ") for line in lines).split() == words


def test_control_sections_append_after_the_first_result_and_end_well() -> None:
    lines = control_section(["op", write_results(), "alter v_1 dc = 2", "op", write_results(["v(a)"])])
    assert lines[0] == ".control"
    assert lines[-2:] == ["quit 0", ".endc"]
    first = lines.index(f"write {RESULTS}")
    assert lines[first + 1] == "set appendwrite"
    assert lines.count("set appendwrite") == 1
    assert lines[-3] == f"write {RESULTS} v(a)"
    for bad in ("op\nshell rm", "", "op\u0085x", "µ"):
        with pytest.raises(ArgumentError):
            control_section([bad])


def test_a_deck_holds_its_parts_in_order() -> None:
    deck = Deck(
        "my\narray", "two\nlines", {"Cells": ["R_a b 0 1.0"], "None of these": []}, {"reltol": 1e-9}, ["op"]
    )  # fmt: skip
    lines = deck.text().splitlines()
    assert lines[:3] == ["* my array", "* two", "* lines"]
    assert lines.index("* Cells") + 1 == lines.index("R_a b 0 1.0")
    assert "* None of these" not in lines
    assert ".options reltol=1e-09" in lines
    assert lines[-1] == ".end"
    assert ".control" not in Deck("x", parts={"Cells": ["R_a b 0 1.0"]}).text()
    with pytest.raises(ArgumentError, match="options"):
        Deck("x", options={"reltol=1\n.inc": 1.0}).text()
