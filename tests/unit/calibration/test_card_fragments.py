"""Fragments and whole cards go to TOML and come back equal; assumed values never displace measured ones."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ferrogen.calibration.fragment import (
    CardFragment,
    assumed,
    fitted,
    load_fragment,
    merge,
    write_card,
    write_fragment,
)
from ferrogen.core.errors import CardError, DataFileError
from ferrogen.device.card import load_card
from ferrogen.device.parameter import Spread
from ferrogen.device.polarization.spec import SwitchingSpec

VALID = {"program_voltage": (0.5, 3.0), "pulse_width": (3e-8, 1e-3)}


def fragment() -> CardFragment:
    def one(value: float, unit: str, spread: Spread | None = None):
        return fitted(
            value, unit, 0.01 * abs(value), note="rmse 1 uC/cm^2", source="deng-2020", valid=VALID, spread=spread
        )

    return CardFragment(
        {
            "": {"ferroelectric_permittivity": fitted(33.3333333, "1", math.inf, note="from a loop")},
            "switching": {
                "remanent_polarization": one(0.243, "C/m^2"),
                "activation_field": one(1.565e8, "V/m", Spread(kind="domain", distribution="lognormal", value=0.33)),
                "attempt_time": one(3.6e-6, "s"),
                "field_exponent": one(3.3, "1"),
                "nucleation_exponent": assumed(2.0, "1", note="stated"),
                "local_bias_field": assumed(0.0, "V/m", note="not in the data"),
                "domain_area": assumed(1e-16, "m^2", note="not in the data"),
            },
        },
        ("attempt_time and field_exponent alone: they are correlated",),
    )


def test_a_fragment_comes_back_equal(tmp_path: Path) -> None:
    path = tmp_path / "fragment.toml"
    write_fragment(fragment(), path, heading=["data from\na \x07 file"])
    back = load_fragment(path)
    assert {key: dict(value) for key, value in back.sections.items()} == fragment().sections
    text = path.read_text()
    assert text.startswith("# data from a ? file\n# Not identified: attempt_time and")
    assert back.sections[""]["ferroelectric_permittivity"].value == 33.3333
    assert back.sections[""]["ferroelectric_permittivity"].standard_error is None


def test_a_merged_card_goes_round_through_its_file(tmp_path: Path) -> None:
    base = load_card("hzo-mfis-nor")
    card = merge(base, fragment(), name="mine", title="Mine")
    write_card(card, tmp_path / "card.toml", heading=["from measured pulses"])
    back = load_card(tmp_path / "card.toml")
    assert back == card
    assert (back.name, back.title) == ("mine", "Mine")
    found = back.require(SwitchingSpec)
    assert found.activation_field == fragment().sections["switching"]["activation_field"]
    assert back.ferroelectric_permittivity.value == 33.3333
    assert back.range_of("pulse_width") == (3e-8, 1e-3)
    untouched = set(base.own_parameters) - {"ferroelectric_permittivity"}
    assert all(back.own_parameters[name] == base.own_parameters[name] for name in untouched)


def test_assumed_parameters_fill_gaps_only() -> None:
    card = merge(load_card("hzo-mfis-nor"), fragment(), name="mine", title="Mine")
    measured = {"domain_area": fitted(4e-16, "m^2", 1e-17, note="from noise")}
    card = merge(card, CardFragment({"switching": measured}), name="mine", title="Mine")
    again = merge(card, fragment(), name="mine", title="Mine")
    assert again.require(SwitchingSpec).domain_area.value == 4e-16
    assert again == card


def test_what_a_fit_rests_on_displaces_all_the_same(tmp_path: Path) -> None:
    base = merge(load_card("hzo-mfis-nor"), fragment(), name="mine", title="Mine")
    other = {"nucleation_exponent": assumed(1.0, "1", note="stated"), "domain_area": assumed(9e-16, "m^2", note="")}
    held = CardFragment({"switching": other}, held=("switching.nucleation_exponent",))
    write_fragment(held, tmp_path / "fragment.toml")
    for item in (held, load_fragment(tmp_path / "fragment.toml")):
        section = merge(base, item, name="mine", title="Mine").require(SwitchingSpec)
        assert section.nucleation_exponent.value == 1.0
        assert section.domain_area == base.require(SwitchingSpec).domain_area


def test_what_makes_no_card_is_refused() -> None:
    base = load_card("hzo-mfis-nor")
    for sections in (
        {"nonsense": {"a": fitted(1.0, "1", 0.1, note="")}},
        {"switching": {"activation_field": fitted(1.0, "V", 0.1, note="")}},
        {"": {"on_conductance": fitted(1e-12, "S", 0.1, note="")}},
    ):
        with pytest.raises(CardError, match="with the fitted parameters"):
            merge(base, CardFragment(sections), name="mine", title="Mine")


@pytest.mark.parametrize(
    "text", ["a = 1", "[a]\nb = 2", "[a]\nvalue = 'x'", "not toml", "[a.b]\nvalue=1.0\nunit='pint'"]
)
def test_files_that_are_no_fragments_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fragment.toml"
    path.write_text(text)
    with pytest.raises(DataFileError, match="fragment"):
        load_fragment(path)
