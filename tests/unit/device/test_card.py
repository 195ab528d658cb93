from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ferrogen.array.levels import conductance_window
from ferrogen.core.errors import ArgumentError, CardError, DataFileError, FerrogenError, ValidityError
from ferrogen.device.card import DeviceCard, card_names, load_card
from ferrogen.device.noise.traps import draw_traps
from ferrogen.device.parameter import Parameter

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


def _required(key: str, inner: str | None) -> bool:
    field = DeviceCard.model_fields[key]
    if inner is None:
        return field.is_required()
    kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if hasattr(kind, "model_fields")]
    return bool(kinds[0].model_fields[inner].is_required())


@RELAXED
@given(data=st.data())
def test_a_field_deleted_or_of_the_wrong_type(tmp_path: Path, raw_card: Raw, data: st.DataObject) -> None:
    raw = raw_card()
    key = data.draw(st.sampled_from(sorted(raw)))
    inner = data.draw(st.sampled_from(sorted(raw[key]))) if isinstance(raw[key], dict) else None
    place, name = (raw, key) if inner is None else (raw[key], inner)
    optional = not _required(key, inner)
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
    with pytest.raises(CardError, match=r"Known cards: .*hzo-mfis-nor, ideal"):
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
    with pytest.raises(CardError, match=r"`default_sample_voltage` must lie between 0\.1 V and 1 V"):
        _load(tmp_path, _dump(raw))
    raw["default_sample_voltage"] = 0.9
    card = _load(tmp_path, _dump(raw))
    card.check("read_voltage", 1.0, "v")
    with pytest.raises(ValidityError, match="between 100 mV and 1 V"):
        card.check("read_voltage", 1.2, "v")


def _refusal(folder: Path, raw: dict[str, Any]) -> str:
    with pytest.raises(CardError) as caught:
        _load(folder, _dump(raw))
    text = str(caught.value)
    assert "card.toml'" in text
    assert "\n" not in text
    assert "is dict" not in text
    return text


ALLOWED = {
    "on_conductance": [("d2d", "lognormal")],
    "off_conductance": [("d2d", "lognormal")],
    "traps_per_cell": [("d2d", "poisson")],
    "trap_time_constant": [("trap", "loguniform")],
    "trap_level": [("trap", "uniform"), ("trap", "normal")],
    "trap_depth": [("trap", "uniform"), ("trap", "normal")],
    "trap_relaxation_energy": [("trap", "uniform"), ("trap", "normal")],
    "trap_amplitude": [("trap", "lognormal")],
    "switching_noise": [("c2c", "normal")],
}
SPREADS: list[dict[str, Any]] = [
    {"distribution": "normal", "value": 0.016},
    {"distribution": "lognormal", "value": 0.016},
    {"distribution": "uniform", "value": 0.016},
    {"distribution": "loguniform", "low": 1e-6, "high": 1e3},
    {"distribution": "poisson"},
]


@pytest.mark.parametrize("name", [key for key, item in DeviceCard.model_fields.items() if item.annotation is Parameter])
@pytest.mark.parametrize("spread", SPREADS, ids=lambda item: str(item["distribution"]))
@pytest.mark.parametrize("kind", ["d2d", "c2c", "trap"])
def test_only_spreads_that_are_drawn(
    tmp_path: Path, raw_card: Raw, name: str, spread: dict[str, Any], kind: str
) -> None:
    raw = raw_card()
    if name == "trap_depth" and "value" in spread:
        spread = spread | {"value": 1e-10}
    raw[name]["spread"] = {"kind": kind, **spread}
    allowed = ALLOWED.get(name, [])
    if (kind, spread["distribution"]) in allowed:
        assert _load(tmp_path, _dump(raw)).parameters[name].spread is not None
        return
    text = _refusal(tmp_path, raw)
    assert f"`{name}` has the spread '{kind} {spread['distribution']}'" in text
    for pair in allowed:
        assert f"'{' '.join(pair)}'" in text
    assert allowed or "must have none" in text


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_a_spread_left_out(tmp_path: Path, raw_card: Raw, name: str) -> None:
    raw = raw_card()
    del raw[name]["spread"]
    if name == "traps_per_cell":
        assert "`traps_per_cell.spread` is missing" in _refusal(tmp_path, raw)
    else:
        assert _load(tmp_path, _dump(raw)).parameters[name].spread is None


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"on_conductance.value": 0.3e-9}, ["`on_conductance`", "`off_conductance`", "300 pS"]),
        ({"on_conductance.spread.value": 0.7, "off_conductance.spread.value": 0.7}, ["leave no window", "0.7"]),
        ({"on_conductance.spread.value": 1e300}, ["on_conductance", "at most 3"]),
        ({"programmable_levels.value": 31.5}, ["`programmable_levels`", "whole number"]),
        ({"programmable_levels.value": 1.0}, ["`programmable_levels`", "between 2 and 65536"]),
        ({"trap_depth.value": 11e-9}, ["`trap_depth`", "`ferroelectric_thickness`", "11 nm", "10 nm"]),
        ({"trap_relaxation_energy.spread.value": 1.75}, ["`trap_relaxation_energy`", "0.1 eV", "0.05 eV"]),
        ({"trap_relaxation_energy.value": 4.5}, ["`trap_relaxation_energy`", "5 eV", "5.1 eV"]),
        ({"trap_level.value": 1.15}, ["`trap_level`", "`trap_relaxation_energy`", "1.25 eV", "1.2 eV"]),
        ({"trap_level.value": -1.15}, ["`trap_level`", "1.25 eV"]),
        ({"validity.read_voltage": [0.02, 9.0]}, ["`validity.read_voltage`", "9 V"]),
        ({"trap_amplitude_limit.value": 0.0}, ["`trap_amplitude_limit`", "positive"]),
        ({"trap_amplitude_limit.value": 0.95}, ["`trap_amplitude_limit`", "0.9"]),
        ({"trap_amplitude_limit.value": 0.005}, ["`trap_amplitude`", "`trap_amplitude_limit`"]),
        ({"off_state_amplitude_factor.value": 0.05}, ["`off_state_amplitude_factor`", "between 0.1 and 100"]),
        ({"traps_per_cell.value": 201.0}, ["`traps_per_cell`", "201", "200"]),
        ({"cell_area.value": 1e-12}, ["`cell_area`", "500 traps"]),
        ({"cell_area.value": 1e-9}, ["`cell_area`", "1e-10 m^2"]),
        ({"characteristic_voltage.value": 0.01}, ["`characteristic_voltage`", "0.02 V", "10 mV"]),
        ({"trap_time_constant.value": 1e-7}, ["`trap_time_constant`", "within its spread"]),
        ({"trap_time_constant.spread.low": 1e-13}, ["`trap_time_constant`", "1e-12 s"]),
        ({"switching_noise.value": 0.6, "switching_noise.spread.value": 0.6}, ["`switching_noise`", "0.5"]),
        ({"switching_noise.value": 0.02}, ["`switching_noise`", "0.016"]),
        ({"ferroelectric_thickness.value": 10.0}, ["`ferroelectric_thickness`", "1e-06 m"]),
        ({"interlayer_permittivity.value": 0.5}, ["`interlayer_permittivity`", "between 1 and"]),
        ({"validity.temperature": [400.0, 250.0]}, ["`validity.temperature`", "[400, 250]"]),
        ({"validity.read_time": [0.0, 1.0]}, ["`validity.read_time`", "1e-12 s"]),
        ({"default_sample_voltage": 1.6}, ["`default_sample_voltage`", "1.5 V", "1.6 V"]),
        ({"default_multiply_voltage": 0.01}, ["`default_multiply_voltage`", "0.02 V"]),
        ({"default_multiply_voltage": 1.2}, ["`default_multiply_voltage`", "below `default_sample_voltage`"]),
        ({"default_sampling_time": 100.0}, ["`default_sampling_time`", "10 s"]),
        ({"trap_level.valid": {"humidity": [0.1, 1.0]}}, ["`trap_level.valid`", "humidity", "read_voltage"]),
        ({"trap_level.valid": {"temperature": [1.0, 0.1]}}, ["`trap_level.valid.temperature`", "rise"]),
        ({"trap_level.valid": {"temperature": [100.0, 200.0]}}, ["`trap_level.valid`", "leave nothing"]),
        ({"trap_level.spread.low": 0.1}, ["trap_level.spread", "neither low nor high"]),
        ({"traps_per_cell.spread.value": 0.1}, ["traps_per_cell.spread", "no value"]),
        ({"trap_time_constant.spread.value": 0.1}, ["trap_time_constant.spread", "no value"]),
        ({"cell_area": 1e-14}, ["`cell_area` is 1e-14", "table"]),
        ({'"a\\nb"': 1}, ["not a known field"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_together(tmp_path: Path, raw_card: Raw, changes: dict[str, Any], names: list[str]) -> None:
    raw = raw_card()
    for path, value in changes.items():
        *folders, last = path.split(".")
        place = raw
        for step in folders:
            place = place[step]
        place[last] = value
    text = _refusal(tmp_path, raw)
    for name in names:
        assert name in text


def test_what_is_missing_is_named(tmp_path: Path, raw_card: Raw) -> None:
    raw = raw_card()
    del raw["trap_depth"]
    assert "`trap_depth` is missing." in _refusal(tmp_path, raw)
    raw = raw_card()
    del raw["cell_area"]["unit"]
    assert "`cell_area.unit` is missing." in _refusal(tmp_path, raw)


@pytest.mark.parametrize(
    "content", [b"x = " + b"[" * 5000, b"x = " + b"1" * 5000, b"name = 0x" + b"f" * 9000], ids=["deep", "long", "hex"]
)
def test_tomls_that_are_hard_to_read(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CardError) as caught:
        _load(tmp_path, content)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def _numbers(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [found for key in value for found in _numbers(value[key], (*path, key))]
    if isinstance(value, list):
        return [found for key, item in enumerate(value) for found in _numbers(item, (*path, key))]
    return [path] if isinstance(value, float) else []


NUMBERS = _numbers(tomllib.loads(TEXT.decode()))


@settings(RELAXED, max_examples=400)
@given(
    path=st.sampled_from(NUMBERS),
    factor=st.one_of(
        st.sampled_from([0.0, -1.0, 1e-300, 1e300, math.nan, math.inf, 2.0, 0.5]),
        st.floats(-320, 300).map(lambda x: 10.0**x),
        st.floats(0.1, 10.0),
    ),
)
def test_a_number_of_a_card_changed(tmp_path: Path, raw_card: Raw, path: tuple[Any, ...], factor: float) -> None:
    """Refused in one line that names it, or a card whose cells can be drawn and read in all of its validity."""
    raw = raw_card()
    place: Any = raw
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] *= factor
    try:
        card = _load(tmp_path, _dump(raw))
    except CardError as error:
        text = str(error)
        assert "\n" not in text
        assert "card.toml'" in text
        assert path[0] in text
        return
    window = conductance_window(card)
    assert 0.0 < window.low < window.high
    traps = draw_traps(card, 20, np.random.default_rng(0))
    for voltage in (*card.validity.read_voltage, card.default_sample_voltage, card.default_multiply_voltage):
        assert math.isfinite(math.sinh(voltage / card.characteristic_voltage.value))
        for temperature in card.validity.temperature:
            capture, emission = traps.rates(voltage, temperature)
            assert np.all(np.isfinite(capture + emission))
            assert np.all(capture + emission > 0.0)
