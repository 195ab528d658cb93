from __future__ import annotations

import math
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ferrogen.core.errors import ArgumentError, CardError, DataFileError, FerrogenError, ValidityError
from ferrogen.device.card import DeviceCard, card_names, load_card

Raw = Callable[[], dict[str, Any]]
TEXT = (resources.files("ferrogen.device") / "cards" / "hzo-mfis-nor.toml").read_bytes()
RELAXED = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _load(folder: Path, content: bytes) -> DeviceCard:
    path = folder / "card.toml"
    path.write_bytes(content)
    return load_card(path)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value)


def _dump(data: dict[str, Any]) -> bytes:
    return "\n".join(f"{key} = {_toml(value)}" for key, value in data.items()).encode()


def test_every_shipped_card_loads_and_knows_its_sources() -> None:
    for name in card_names():
        card = load_card(name)
        assert card.name == name
        assert card.assumptions()
        assert all("." in source for source in card.sources())
        for item in card.parameters.values():
            assert item.status in ("measured", "fitted", "assumed")
            assert item.source != "none" or item.note


def test_a_card_survives_a_round_trip_through_a_file(tmp_path: Path, raw_card: Raw, card: DeviceCard) -> None:
    assert _load(tmp_path, _dump(raw_card())) == card


@RELAXED
@given(content=st.binary(max_size=300))
def test_random_bytes(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CardError) as caught:
        _load(tmp_path, content)
    assert "\n" not in str(caught.value)


@RELAXED
@given(at=st.integers(0, len(TEXT) - 1), junk=st.binary(min_size=1, max_size=4))
def test_damaged_cards_load_or_raise_a_card_error(tmp_path: Path, at: int, junk: bytes) -> None:
    for content in (TEXT[:at], TEXT[:at] + junk + TEXT[at:], TEXT[:at] + junk + TEXT[at + len(junk) :]):
        try:
            _load(tmp_path, content)
        except CardError as error:
            assert "\n" not in str(error)  # noqa: PT017


WRONG = st.sampled_from([float("nan"), float("inf"), "text", [], {}, True, [1.0, 2.0, 3.0], {"value": 1.0}])


@RELAXED
@given(data=st.data())
def test_a_field_deleted_or_of_the_wrong_type(tmp_path: Path, raw_card: Raw, data: st.DataObject) -> None:
    raw = raw_card()
    key = data.draw(st.sampled_from(sorted(raw)))
    inner = data.draw(st.sampled_from(sorted(raw[key]))) if isinstance(raw[key], dict) else None
    place, name = (raw, key) if inner is None else (raw[key], inner)
    optional = inner in ("note", "spread", "valid")
    if data.draw(st.booleans()) and not optional:
        del place[name]
    else:
        wrong = data.draw(WRONG)
        if (isinstance(wrong, str) and isinstance(place[name], str)) or (inner == "valid" and wrong == {}):
            return  # not wrong
        place[name] = wrong
        if isinstance(wrong, bool) and inner == "value":
            return  # pydantic reads true as 1
    try:
        _load(tmp_path, _dump(raw))
    except CardError as error:
        assert key in str(error)  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert isinstance(place.get(name), bool | str), (key, inner)


@pytest.mark.parametrize(
    ("key", "field", "value", "text"),
    [
        ("cell_area", "unit", "furlong", "unit must be one of"),
        ("cell_area", "source", "hearsay", "must be a key of core/references.toml"),
        ("cell_area", "status", "guessed", "status"),
        ("cell_area", "colour", "red", "colour"),
        ("trap_amplitude", "spread", {"kind": "trap", "distribution": "lognormal", "value": -1.0}, "spread"),
        ("trap_amplitude", "spread", {"kind": "trap", "distribution": "lognormal"}, "needs a value"),
        (
            "trap_time_constant",
            "spread",
            {"kind": "trap", "distribution": "loguniform", "low": 2.0, "high": 1.0},
            "low",
        ),
        ("trap_amplitude", "spread", {"kind": "trap", "distribution": "cauchy", "value": 1.0}, "distribution"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, raw_card: Raw, key: str, field: str, value: Any, text: str) -> None:
    raw = raw_card()
    raw[key][field] = value
    with pytest.raises(CardError, match=text):
        _load(tmp_path, _dump(raw))


@pytest.mark.parametrize("key", ["cell_area", "on_conductance", "traps_per_cell", "trap_time_constant", "trap_depth"])
def test_a_quantity_that_must_be_positive(tmp_path: Path, raw_card: Raw, key: str) -> None:
    raw = raw_card()
    raw[key]["value"] = -raw[key]["value"]
    with pytest.raises(CardError, match=key):
        _load(tmp_path, _dump(raw))


def test_a_unit_that_is_not_the_parameters_own(tmp_path: Path, raw_card: Raw) -> None:
    raw = raw_card()
    raw["on_conductance"]["unit"] = "V"
    with pytest.raises(CardError, match="on_conductance"):
        _load(tmp_path, _dump(raw))


def test_unknown_fields_names_and_files(tmp_path: Path, raw_card: Raw) -> None:
    with pytest.raises(CardError, match="Shipped cards: hzo-mfis-nor"):
        load_card("unobtainium")
    with pytest.raises(DataFileError, match="does not exist"):
        load_card(tmp_path / "none.toml")
    with pytest.raises(CardError, match="flavour"):
        _load(tmp_path, _dump(raw_card() | {"flavour": 1}))
    with pytest.raises(CardError, match="name"):
        _load(tmp_path, _dump(raw_card() | {"name": "../x"}))


@pytest.mark.parametrize(
    ("quantity", "value"),
    [("read_voltage", 0.0), ("read_voltage", 1.6), ("read_voltage", -1.0), ("temperature", 200.0), ("read_time", 1e-9)],
)
def test_validity_is_enforced(card: DeviceCard, quantity: Any, value: float) -> None:
    with pytest.raises(ValidityError, match="`knob` must lie between") as caught:
        card.check(quantity, value, "knob")
    assert card.name in str(caught.value)
    assert isinstance(caught.value, FerrogenError)


def test_validity_accepts_its_ends_and_refuses_nan(card: DeviceCard) -> None:
    for quantity in ("read_voltage", "temperature", "read_time"):
        for end in getattr(card.validity, quantity):
            card.check(quantity, end, "knob")  # type: ignore[arg-type]
        with pytest.raises(ArgumentError, match="finite"):
            card.check(quantity, math.nan, "knob")  # type: ignore[arg-type]


def test_a_parameters_own_validity_narrows_the_cards(tmp_path: Path, raw_card: Raw) -> None:
    raw = raw_card()
    raw["trap_level"]["valid"] = {"read_voltage": [0.1, 1.0]}
    card = _load(tmp_path, _dump(raw))
    card.check("read_voltage", 1.0, "v")
    with pytest.raises(ValidityError, match="between 100 mV and 1 V"):
        card.check("read_voltage", 1.2, "v")
