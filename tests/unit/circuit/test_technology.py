"""Wires of a technology node: the formulas against the integrals they stand for, the table, tables of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

from ferrogen.circuit.technology import Conductor, load_technology, read_table, technology_names
from ferrogen.core.errors import ArgumentError, CardError, DataFileError
from ferrogen.device.parameter import Parameter

PATH = 40e-9


def conductor(specularity: float, reflection: float) -> Conductor:
    def given(value: float, unit: str) -> Parameter:
        return Parameter(value=value, unit=unit, status="assumed", source="none")

    return Conductor(
        resistivity=given(1.7e-8, "Ohm m"),
        mean_free_path=given(PATH, "m"),
        specularity=given(specularity, "1"),
        grain_reflection=given(reflection, "1"),
    )


@pytest.mark.parametrize("width", [1e-10, 1e-9, 5e-9, 20e-9, 100e-9, 1e-6, 1.0])
@pytest.mark.parametrize("reflection", [0.1, 0.43, 0.9])
def test_grain_boundaries_are_those_of_the_integral(width, reflection):
    a = PATH / width * reflection / (1 - reflection)
    # The conductivity, an average over directions in which boundaries shorten the free path by 1 + a / cos.
    share, _ = quad(lambda u: 3 * u**2 / (1 + a / u) if u else 0.0, 0, 1, epsrel=1e-12)
    found = conductor(1.0, reflection).wire_resistivity(width, width)
    assert found == pytest.approx(1.7e-8 / share, rel=1e-8)


@pytest.mark.parametrize(("size", "off"), [(10.0, 1e-3), (1.0, 0.015), (0.5, 0.03), (0.25, 0.08)])
def test_surfaces_are_those_of_fuchs_to_first_order(size, off):
    p = 0.52
    # A film of `size` mean free paths: Fuchs' integral, with t = 1 / cos.
    lost, _ = quad(
        lambda t: (t**-3 - t**-5) * (1 - np.exp(-size * t)) / (1 - p * np.exp(-size * t)), 1, np.inf, epsrel=1e-10
    )
    fuchs = 1 / (1 - 1.5 / size * (1 - p) * lost)
    found = conductor(p, 0.0).wire_resistivity(1e3, size * PATH) / 1.7e-8
    assert found == pytest.approx(fuchs, rel=off)
    assert found != pytest.approx(fuchs, rel=off / 100)


def test_the_shipped_nodes():
    names = technology_names()
    assert names == ["130nm", "65nm", "45nm", "32nm", "22nm", "14nm", "7nm", "5nm"]
    resistances = [load_technology(name).resistance * 1e-6 for name in names]
    assert np.all(np.diff(resistances) > 0)
    # Computed from the constants of another simulator, wires of the same half pitches [Ohm/um]: a check of the order of
    # magnitude. Below 32 nm ours lie above, by 1.9 at most: barriers do not scale, grains are as small as the wire.
    others = np.array([0.48, 1.43, 2.60, 5.70, 11.6, 19.7, 69.5, 166.0])
    ratio = np.array(resistances) / others
    assert np.all((ratio > 0.85) & (ratio < 1.95))
    node = load_technology("65nm")
    assert node.node.half_pitch == pytest.approx(105e-9)
    assert node.segment_lengths("crosspoint") == pytest.approx((210e-9, 210e-9))
    assert node.segment_lengths("nor") == pytest.approx((420e-9, 1260e-9))
    with pytest.raises(ArgumentError, match="crosspoint, nor"):
        node.segment_lengths("hexagonal")


def shipped() -> str:
    from importlib import resources

    return (resources.files("ferrogen.circuit") / "technology.toml").read_text()


def test_a_table_of_ones_own(tmp_path: Path):
    table = tmp_path / "mine.toml"
    table.write_text(shipped().replace("nodes.65nm", "nodes.mine").replace("value = 2e-10", "value = 3e-10"))
    assert "mine" in technology_names(table)
    assert load_technology("mine", table).resistance == load_technology("65nm").resistance
    assert load_technology("mine", table).capacitance == 3e-10
    with pytest.raises(CardError, match=r"no technology node '65nm'. Known nodes: 130nm, mine"):
        load_technology("65nm", table)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[capacitance]", "[capacitance", "not a TOML file"),
        ("value = 7e-9", "value = 60e-9", "fills a trench"),
        ("value = 7e-9", "value = -7e-9", "not be negative"),
        ("value = 7e-9", 'value = "thin"', "nodes.65nm.barrier.value"),
        ("value = 7e-9", "value = nan", "finite"),
        ('unit = "F/m"', 'unit = "F"', "must be in F/m"),
        ('source = "sun-2010"', 'source = "hearsay"', "references.toml"),
        ("[capacitance]", "[capacity]", "capacitance` is missing"),
        ("nodes.65nm.pitch", "nodes.65nm.spacing", "check its spelling"),
        ("value = 0.43", "value = 1.0", "0.99"),
    ],
)
def test_bad_tables_are_told_in_one_line(tmp_path: Path, old: str, new: str, says: str):
    table = tmp_path / "bad.toml"
    assert old in shipped()
    table.write_text(shipped().replace(old, new))
    with pytest.raises(CardError) as caught:
        read_table(table)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path):
    with pytest.raises(DataFileError, match="does not exist"):
        load_technology("65nm", tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CardError, match="not a TOML file"):
        read_table(tmp_path / "binary.toml")
    with pytest.raises(CardError, match="Known nodes: 130nm, 65nm"):
        load_technology("66nm")
