from __future__ import annotations

import pytest

from ferrogen.core.errors import ArgumentError, CardError
from ferrogen.device.card import DeviceCard
from ferrogen.device.reliability.age import Age, age_extrapolations


def test_age_adds_up() -> None:
    age = Age().cycled(1e3, stress_time=1e-3).stored(50.0).stored(10.0).stressed(2.0)
    assert age == Age(cycles=1e3, storage_time=60.0, stress_time=2.001)
    # A state that is cycled away takes its imprint with it; cycles and wear stay.
    assert age.cycled(1.0) == Age(cycles=1001.0, storage_time=0.0, stress_time=2.001)
    assert age.cycled(0.0) == age


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"cycles": -1.0}, "cycles"),
        ({"storage_time": float("nan")}, "storage_time"),
        ({"stress_time": float("inf")}, "stress_time"),
    ],
)
def test_impossible_ages_are_refused(changes: dict[str, float], name: str) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        Age(**changes)
    with pytest.raises(ArgumentError, match="`time`"):
        Age().stored(-1.0)
    with pytest.raises(ArgumentError, match="`time`"):
        Age().stressed(float("nan"))


def test_what_lies_beyond_the_card_is_said(aging_card: DeviceCard) -> None:
    assert age_extrapolations(aging_card, Age(1e6, 1e5), 300.0) == ()
    said = age_extrapolations(aging_card, Age(1e9, 1e7), 500.0)
    assert [
        name in sentence for name, sentence in zip(("cycles", "storage_time", "temperature"), said, strict=True)
    ] == [True] * 3


def test_a_card_that_says_nothing_of_ageing_is_refused(aging_card: DeviceCard) -> None:
    silent = aging_card.model_copy(update={"validity": aging_card.validity.model_copy(update={"cycles": None})})
    with pytest.raises(CardError, match="cycles"):
        age_extrapolations(silent, Age(), 300.0)
