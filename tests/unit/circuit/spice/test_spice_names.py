"""Names that may enter a netlist: nothing that could end a line, mean ground, or collide when case is folded."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.circuit.spice.names import LONGEST_NAME, RESERVED, check_name, check_names, numbered
from ferrogen.core.errors import ArgumentError


@given(st.text(max_size=80))
def test_a_name_is_a_harmless_word_or_refused(text: str) -> None:
    try:
        name = check_name(text)
    except ArgumentError as refusal:
        message = str(refusal)
        name = None
    if name is None:
        assert "`name`" in message
        assert message.isprintable()
        return
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    assert len(name) <= LONGEST_NAME
    assert name not in RESERVED
    assert name == text.lower()


@given(st.from_regex(r"\A[A-Za-z][A-Za-z0-9_]{0,63}\Z"))
def test_words_are_accepted(text: str) -> None:
    if text.lower() in RESERVED:
        with pytest.raises(ArgumentError, match="taken"):
            check_name(text)
    else:
        assert check_name(text) == text.lower()


@pytest.mark.parametrize(
    "bad",
    [
        "", "0", "1a", "a b", "a\n.control", "a\r", "a;b", "v(a)", "ü", "a.b", "a" * 65, "gnd", "GND", "Time", "pi",
        "a\n", "x{1}", "$1", "a-b", "_a",
    ],
)  # fmt: skip
def test_bad_names_are_refused(bad: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        check_name(bad, "node")
    assert "`node`" in str(caught.value)
    assert len(str(caught.value)) < 300


def test_names_that_differ_in_case_only_collide() -> None:
    assert check_names(["a", "B"]) == ("a", "b")
    with pytest.raises(ArgumentError, match="'Word' and 'wOrd'"):
        check_names(["Word", "line", "wOrd"])


def test_numbered_names() -> None:
    assert numbered("r", 3, 15) == "r_3_15"
    assert numbered("Left", 0) == "left_0"
    with pytest.raises(ArgumentError, match="negative"):
        numbered("r", -1)
    with pytest.raises(ArgumentError):
        numbered("r ", 1)


@given(st.tuples(st.integers(0, 999), st.integers(0, 999)), st.tuples(st.integers(0, 999), st.integers(0, 999)))
def test_numbered_names_are_different_for_different_places(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert (numbered("r", *one) == numbered("r", *other)) == (one == other)
