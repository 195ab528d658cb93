"""Pulse data made from known parameters give them back, in any of the ways pulses are reported."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ferrogen.calibration.calibrate import calibrate
from ferrogen.calibration.fit import Array
from ferrogen.calibration.fragment import merge
from ferrogen.calibration.pulse_laws import pulse_laws
from ferrogen.calibration.samples import Sample
from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import load_card
from ferrogen.device.polarization.domains import follow, initial_state, mean_domains
from ferrogen.device.polarization.spec import SwitchingSpec

TRUE = {"activation_field": 1.5e8, "activation_width": 0.3, "attempt_time": 1e-6, "field_exponent": 3.0}
REMANENT = 0.2
WIDTHS, AMPLITUDES = np.geomspace(1e-7, 1e-3, 12), np.array([0.8, 1.2, 1.6, 2.0, 2.6])


def pulses(exponent: float = 2.0, temperature: float = 300.0, noise: float = 1e-3) -> tuple[Array, Array, Array]:
    """Return widths [s], amplitudes [V] on 10 nm and polarisations [C/m^2], by a sum over sampled domains."""
    width, amplitude = (grid.ravel() for grid in np.meshgrid(WIDTHS, AMPLITUDES))
    normal = (np.arange(4000) + 0.5) / 4000
    activation = TRUE["activation_field"] * np.exp(TRUE["activation_width"] * math.sqrt(2.0) * _erfinv(2 * normal - 1))
    barrier = 300.0 / temperature * (activation / (amplitude[:, None] / 10e-9)) ** TRUE["field_exponent"]
    attempts = width[:, None] / TRUE["attempt_time"] * np.exp(-np.minimum(barrier, 700.0))
    share = 1.0 - np.exp(-(attempts**exponent)).mean(axis=1)
    drawn = Streams(1).generator(Purpose.SYNTHETIC_DATA).standard_normal(width.size)
    return width, amplitude, REMANENT * (2.0 * share - 1.0) + noise * drawn


def _erfinv(x: Array) -> Array:
    from scipy.special import erfinv

    return np.asarray(erfinv(x))


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def written(*columns: Array, header: str = "pw [s],amp [V],P [uC/cm^2]") -> Path:
        path = tmp_path / "pulses.csv"
        np.savetxt(path, np.column_stack(columns), delimiter=",", header=header, comments="")
        return path

    return written


FILM = Sample(thickness=10e-9)


def test_known_parameters_come_back_within_their_errors(write: Callable[..., Path]) -> None:
    """Four parameters within 4.1 standard errors each: false-alarm level below 1e-3 with Student's t of 55 degrees."""
    width, amplitude, density = pulses()
    result = calibrate("switching", [write(width, amplitude, 100 * density)], sample=FILM, settings={"compare": "no"})
    fitted = result.record["fit"]["parameters"]
    assert result.goodness["rmse [uC/cm^2]"] == pytest.approx(0.1, rel=0.3)
    for name, value in {**TRUE, "remanent_polarization": REMANENT}.items():
        assert abs(fitted[name]["value"] - value) < 4.1 * fitted[name]["standard_error"], name
    section = merge(load_card("hzo-mfis-nor"), result.fragment, name="mine", title="Mine").require(SwitchingSpec)
    assert section.activation_field.spread is not None
    assert section.activation_field.spread.value == pytest.approx(0.3, rel=0.05)
    assert section.activation_field.valid["program_voltage"] == (0.8, 2.6)
    assert section.nucleation_exponent.status == "assumed"
    # The card's domain ensemble switches as the pulses did: another way to the same number.
    ensemble = mean_domains(section)
    k = int(np.argmin(np.abs(density)))
    after, _ = follow(ensemble, initial_state(ensemble, 0.0), [amplitude[k] / 10e-9], [width[k]])
    assert after[0, 0] == pytest.approx(density[k], abs=0.005)


def test_a_profile_interval_on_request(write: Callable[..., Path]) -> None:
    width, amplitude, density = pulses()
    path = write(width, amplitude, 100 * density)
    settings = {"compare": "no", "profile": "field_exponent", "starts": 1}
    record = calibrate("switching", [path], sample=FILM, settings=settings).record
    fitted, interval = record["fit"]["parameters"]["field_exponent"], record["profile_interval"]
    assert interval["low"] < 3.0 < interval["high"]
    # Nearly linear at this noise: 2.00 standard errors either way (Student's t of 55 degrees), to 10 %.
    for end, sign in (("low", -1.0), ("high", 1.0)):
        assert sign * (interval[end] - fitted["value"]) == pytest.approx(2.0 * fitted["standard_error"], rel=0.1)
    with pytest.raises(ArgumentError, match="one of remanent_polarization"):
        calibrate("switching", [path], sample=FILM, settings={**settings, "profile": "colour"})


def test_the_nucleation_exponent_can_be_fitted(write: Callable[..., Path]) -> None:
    width, amplitude, density = pulses(exponent=1.4)
    settings = {"compare": "no", "nucleation_exponent": "free"}
    result = calibrate("switching", [write(width, amplitude, 100 * density)], sample=FILM, settings=settings)
    item = result.fragment.sections["switching"]["nucleation_exponent"]
    assert item.status == "fitted"
    assert item.value == pytest.approx(1.4, abs=0.05)


def test_switched_charge_of_negative_pulses_on_a_known_area(write: Callable[..., Path]) -> None:
    width, amplitude, density = pulses()
    charge = -(density + REMANENT) * 1e-8 * 1e9  # nC, from zero
    path = write(width, -amplitude, charge, header="width s,V [V],Q [nC]")
    sample = Sample(thickness=10e-9, area=1e-8)
    result = calibrate("switching", [path], sample=sample, settings={"compare": "no"})
    assert result.record["polarization_counts_from"] == "zero"
    found = result.record["fit"]["parameters"]
    assert found["remanent_polarization"]["value"] == pytest.approx(REMANENT, rel=0.01)
    assert found["activation_field"]["value"] == pytest.approx(1.5e8, rel=0.02)


def test_activation_fields_are_given_for_300_kelvin(write: Callable[..., Path]) -> None:
    width, amplitude, density = pulses(temperature=380.0)
    path = write(width, amplitude, 100 * density)
    sample = Sample(thickness=10e-9, temperature=380.0)
    result = calibrate("switching", [path], sample=sample, settings={"compare": "no"})
    assert result.record["fit"]["parameters"]["activation_field"]["value"] == pytest.approx(1.5e8, rel=0.02)


def test_a_local_bias_is_averaged_over(write: Callable[..., Path]) -> None:
    """Against the domain ensemble of the card itself: another quadrature, step by step."""
    width, amplitude, density = pulses()
    settings = {"compare": "no", "bias_deviation": "0.3 MV/cm"}
    result = calibrate("switching", [write(width, amplitude, 100 * density)], sample=FILM, settings=settings)
    section = merge(load_card("hzo-mfis-nor"), result.fragment, name="mine", title="Mine").require(SwitchingSpec)
    assert section.local_bias_field.spread is not None
    assert section.local_bias_field.spread.value == 3e7
    ensemble = mean_domains(section)
    down = initial_state(ensemble, 0.0)
    model = result.residuals["model [uC/cm^2]"]
    for k in range(0, width.size, 7):
        after, _ = follow(ensemble, down, [amplitude[k] / 10e-9], [width[k]])
        # Domains whose bias exceeds the pulse cannot switch in both; six digits of the card, 0.1 % of 2 P_r each way.
        assert 100.0 * after[0, 0] == pytest.approx(model[k], abs=0.08)
    # The true film has no bias: its spread is taken from that of the activation field.
    assert section.activation_field.spread is not None
    assert section.activation_field.spread.value < 0.29


def test_fields_need_no_thickness(write: Callable[..., Path]) -> None:
    width, amplitude, density = pulses()
    path = write(width, amplitude, density, header="pw [s],E [MV/cm],P [C/m^2]")
    result = calibrate("switching", [path], settings={"compare": "no"})
    assert result.record["fit"]["parameters"]["activation_field"]["value"] == pytest.approx(1.5e8, rel=0.02)
    assert "program_voltage" not in result.fragment.sections["switching"]["attempt_time"].valid


def test_the_true_law_wins_the_comparison(write: Callable[..., Path]) -> None:
    width, amplitude, density = pulses()
    result = calibrate("switching", [write(width, amplitude, 100 * density)], sample=FILM, settings={"starts": 1})
    table = {(item["law"], item["nucleation_exponent"]): item for item in result.record["comparison"]}
    assert len(table) == 15
    best = min(table, key=lambda key: table[key]["left_out_amplitudes"]["pooled_rmse"])
    assert best[0] in ("lognormal", "beta")  # the beta distribution comes close to a log-normal one
    assert table["lognormal", 2.0]["fit"]["aic"] < table["gaussian", 2.0]["fit"]["aic"]
    assert table["lognormal", 2.0]["fit"]["aic"] < table["lognormal", 1.0]["fit"]["aic"]
    assert table["kai", "fitted"]["fit"]["rmse"] > 5.0 * table["lognormal", 2.0]["fit"]["rmse"]


@pytest.mark.parametrize("name", ["lognormal", "gaussian", "beta", "lorentzian", "kai"])
def test_every_law_is_a_share_throughout_its_bounds(name: str) -> None:
    width, field = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e-9, 1.0, 9), np.geomspace(1e6, 1e9, 7)))
    law = pulse_laws(width, field)[name]
    generator = Streams(4).generator(Purpose.SYNTHETIC_DATA)
    for _ in range(60):
        inward = [(item, generator.uniform(item.inward(item.low), item.inward(item.high))) for item in law.free]
        values = {item.name: item.outward(at) for item, at in inward} | {
            "nucleation_exponent": generator.uniform(0.5, 4)
        }
        share = law.share(width, field, values)
        assert share.shape == width.shape
        assert np.all((share >= 0.0) & (share <= 1.0))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w, a, p: (w * np.where(np.arange(w.size) == 3, -1, 1), a, p), "pulse widths must be positive"),
        (lambda w, a, p: (w, a * (np.arange(w.size) != 3), p), "no amplitude"),
        (lambda w, a, p: (w, np.ones_like(a), p), "1 different amplitudes"),
    ],
)
def test_what_cannot_be_pulses_is_refused(write: Callable[..., Path], change: Callable[..., tuple], says: str) -> None:
    with pytest.raises(DataFileError, match=says):
        calibrate("switching", [write(*change(*pulses()))], sample=FILM)


def test_voltages_need_a_thickness(write: Callable[..., Path]) -> None:
    with pytest.raises(ArgumentError, match="thickness"):
        calibrate("switching", [write(*pulses())])
