from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.core.errors import ArgumentError
from ferrogen.core.units import format_quantity, parse_quantity

UNITS = (
    "1", "V", "A", "S", "s", "K", "Ohm", "F", "J", "W", "Hz", "m", "m^2", "eV", "1/K", "V/m", "C/m^2", "1/m^3", "A/m^2",
)  # fmt: skip
SIZES = st.floats(1e-20, 1e12) | st.floats(-1e12, -1e-20) | st.just(0.0)


@given(SIZES, st.sampled_from(UNITS))
def test_what_is_written_reads_back(value: float, unit: str) -> None:
    assert parse_quantity(format_quantity(value, unit), unit) == pytest.approx(value, rel=1e-5)


@given(st.floats(1e-15, 9e11), st.sampled_from(["V", "A", "S", "s", "Ohm", "F", "m", "eV"]))
def test_one_to_three_digits_before_the_point(value: float, unit: str) -> None:
    number = format_quantity(value, unit).split()[0]
    assert 0.9999 < float(number) < 1000.001


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("200 mV", "V", 0.2),
        ("1e-3", "s", 1e-3),
        ("85 degC", "K", 358.15),
        ("5%", "1", 0.05),
        ("3 µs", "s", 3e-6),
        ("3 μs", "s", 3e-6),
        (".5k Ohm".replace(" ", ""), "Ohm", 500.0),
        ("10 nm", "m", 1e-8),
        ("1 um^2", "m^2", 1e-12),
        ("1e4 nm^2", "m^2", 1e-14),
        ("0.3 eV", "eV", 0.3),
        ("300 meV", "eV", 0.3),
        (2, "V", 2.0),
        ("1.5 MV/cm", "V/m", 1.5e8),
        ("25 uC/cm^2", "C/m^2", 0.25),
        ("41 uA/cm²", "A/m^2", 0.41),
        ("1e19 1/cm^3", "1/m^3", 1e25),
        ("2 h", "s", 7200.0),
        ("30 min", "s", 1800.0),
        ("2 A^2 s", "A^2*s", 2.0),
        ("3 kohm", "Ohm", 3000.0),
        ("  -7 ", "V", -7.0),
    ],
)
def test_examples(text: str | float, unit: str, value: float) -> None:
    assert parse_quantity(text, unit) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1e-14, "m^2", "1e-14 m^2"),
        (2e-3, "1/K", "0.002 1/K"),
        (300.0, "K", "300 K"),
        (0.9999999, "V", "1 V"),
        (1.2, "V", "1.2 V"),
        (2e-8, "S", "20 nS"),
        (0.0, "s", "0 s"),
        (0.05, "1", "0.05"),
    ],
)
def test_formats(value: float, unit: str, text: str) -> None:
    assert format_quantity(value, unit) == text


@pytest.mark.parametrize(
    "text", ["", "V", "abc", "1 2 V", "--1", "nan", "inf", "1e999", float("nan"), math.inf, "1 xV", "2 kmV", "1e V"]
)
def test_nonsense_is_refused(text: str | float) -> None:
    with pytest.raises(ArgumentError, match="`bias`"):
        parse_quantity(text, "V", "bias")


@pytest.mark.parametrize(
    ("text", "unit"),
    [("1 s", "V"), ("1 mA", "S"), ("1 m", "m^2"), ("1 K", "1"), ("3 m/K", "1/K"), ("1 MV/cm^2", "V/m"), ("1 kh", "s")],
)
def test_a_wrong_unit_is_named(text: str, unit: str) -> None:
    with pytest.raises(ArgumentError, match=r"must be given in .* has the unit"):
        parse_quantity(text, unit, "x")


@given(st.text())
def test_any_text_gives_a_finite_number_or_an_argument_error(text: str) -> None:
    try:
        assert math.isfinite(parse_quantity(text, "V"))
    except ArgumentError as error:
        assert "`value`" in str(error)  # noqa: PT017
