"""Waveforms and loops made from known parameters give them back, and records that were not fitted are predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ferrogen.calibration.calibrate import calibrate
from ferrogen.calibration.charge import Record, lagged, model_charge
from ferrogen.calibration.fit import Array
from ferrogen.calibration.fragment import merge
from ferrogen.calibration.loop import LoopSetting
from ferrogen.calibration.samples import Sample
from ferrogen.core.errors import ArgumentError, DataFileError, FerrogenError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import load_card
from ferrogen.device.polarization.spec import HysteresisSpec, SwitchingSpec
from ferrogen.device.waveforms import from_samples

FILM = Sample(thickness=10e-9)
TRUE = {
    "remanent_polarization": 0.15, "activation_field": 1.4e8, "activation_width": 0.25, "attempt_time": 1e-6,
    "field_exponent": 3.5, "nucleation_exponent": 1.0, "local_bias_field": 1e7, "bias_deviation": 2.5e7,
    "permittivity": 40.0,
}  # fmt: skip


def record(turns: list[float], slope: float, start: str, count: int = 400, temperature: float = 300.0) -> Record:
    """Return ramps between turning voltages [V] at a slope [V/s], of no charge yet."""
    at = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(turns)))]) / slope
    time = np.linspace(0.0, at[-1], count)
    voltage = np.interp(time, at, turns)
    return Record("", time, voltage, np.zeros(count), from_samples(time, voltage).voltages, start, temperature)


def write(path: Path, item: Record, charge: Array, key: int, noise: float = 2e-3) -> Path:
    drawn = Streams(2).generator(Purpose.SYNTHETIC_DATA, key).standard_normal(charge.size)
    table = np.c_[item.time * 1e6, item.voltage, (charge + noise * drawn) * 100.0]
    np.savetxt(path, table, delimiter="\t", header="t us\tV V\tP uC_per_cm2", comments="")
    return path


WAVES = ([3.0, -3.0, 1.2, -1.2, 1.2, -3.0, 3.0], [3.0, -3.0, 2.0, -1.0, 1.0, -2.0, 3.0])


def waves(folder: Path, values: Mapping[str, float] = TRUE) -> list[Path]:
    paths = []
    for k, turns in enumerate(WAVES):
        item = record(list(turns), 5e4, "up")
        paths.append(write(folder / f"wave{k}.tsv", item, model_charge(item, values, 10e-9) + 0.02, k))
    return paths


def test_a_waveform_gives_its_parameters_back_and_predicts_another(tmp_path: Path) -> None:
    """Six parameters within 4.5 standard errors, the larger of two kinds each: false-alarm level below 1e-3."""
    chosen = {"fitted": 1, "nucleation_exponent": "1"}
    result = calibrate("waveform", waves(tmp_path), sample=FILM, settings=chosen)
    fitted = result.record["fit"]["parameters"]
    assert set(fitted) == set(TRUE) - {"attempt_time", "field_exponent", "nucleation_exponent"}
    for name, item in fitted.items():
        # The model itself is a quadrature with fewer nodes here than in the data: 0.5 % beside the errors.
        assert abs(item["value"] - TRUE[name]) < 4.5 * item["standard_error"] + 0.005 * abs(TRUE[name]), name
    first, second = result.record["records"]
    assert (first["fitted"], second["fitted"]) == (True, False)
    assert first["rmse"] == pytest.approx(0.2, rel=0.2)
    assert second["rmse"] == pytest.approx(0.2, rel=0.25)
    assert result.goodness["rmse of predicted records [uC/cm^2]"] == pytest.approx(second["rmse"])
    assert result.record["error_by_thinning [uC/cm^2]"] < 0.02
    card = merge(load_card("hzo-mfis-nor"), result.fragment, name="mine", title="Mine")
    assert card.ferroelectric_permittivity.value == pytest.approx(40.0, rel=0.03)
    section = card.require(SwitchingSpec)
    assert section.local_bias_field.spread is not None
    assert section.local_bias_field.spread.value == pytest.approx(2.5e7, rel=0.15)
    assert (section.attempt_time.status, section.activation_field.status) == ("assumed", "fitted")
    assert any("one sweep rate" in text for text in result.fragment.not_identified)


def test_fields_and_a_charge_of_the_other_sign(tmp_path: Path) -> None:
    """The same numbers whether a table holds volts or fields, and charges of either electrode."""
    path = waves(tmp_path)[0]
    rows = np.loadtxt(path, skiprows=1)
    chosen = {"nucleation_exponent": "1"}
    other = tmp_path / "fields.tsv"
    np.savetxt(other, rows * [1.0, 1.0, -1.0], delimiter="\t", header="t us\tE MV/cm\tD uC_per_cm2", comments="")
    one, two = (calibrate("waveform", [item], sample=FILM, settings=chosen) for item in (path, other))
    for name, item in one.record["fit"]["parameters"].items():
        assert two.record["fit"]["parameters"][name]["value"] == pytest.approx(item["value"], rel=1e-6), name
    assert not any("other sign" in line for line in one.warnings)
    assert any("other sign" in line for line in two.warnings)


@pytest.mark.parametrize("start", ["up", "down", "cycled"])
def test_where_a_record_from_no_voltage_begins_is_told_from_it(tmp_path: Path, start: str) -> None:
    paths = []
    for k, turns in enumerate(
        ([0.0, 0.6, -0.9, 1.2, -1.5, 2.0, -2.5, 1.3, 0.0], [0.0, -0.8, 1.0, -1.6, 2.5, -1.3, 0.0])
    ):
        item = record(turns, 5e4, start)
        paths.append(write(tmp_path / f"w{k}.tsv", item, model_charge(item, TRUE, 10e-9), k))
    chosen = {"nucleation_exponent": "1", "fitted": 1}
    result = calibrate("waveform", paths, sample=FILM, settings=chosen)
    assert [item["start"] for item in result.record["records"]] == [start, start]
    assert sum("the state there was told" in line for line in result.warnings) == 2
    assert all(item["rmse_own_offset"] < 0.3 for item in result.record["records"])


def test_many_pieces_are_left_out_in_few_folds(tmp_path: Path) -> None:
    turns = np.empty(61)
    turns[0::2], turns[1::2] = 2.5, np.linspace(-0.5, -2.5, 30)
    item = record(turns.tolist(), 5e4, "up", 900)
    path = write(tmp_path / "many.tsv", item, model_charge(item, TRUE, 10e-9), 3)
    result = calibrate("waveform", [path], sample=FILM, settings={"nucleation_exponent": "1"})
    folds = result.record["left_out_pieces"]["groups"]
    assert 10 <= len(folds) <= 16


@pytest.mark.parametrize("kind", ["waveform", "loop"])
def test_a_charge_that_no_film_has_is_said_to_be_none(tmp_path: Path, kind: str) -> None:
    item = record([2.0, -2.0, 2.0, -2.0, 2.0], 5e4, "up", 200)
    charge = 0.05 * np.sin(np.arange(200) * 0.9) + 1e-3 * item.voltage
    result = calibrate(kind, [write(tmp_path / "noise.tsv", item, charge, 4)], sample=FILM)
    assert any("does not describe the data" in line for line in result.warnings)


def test_a_prediction_with_a_wrong_offset_says_so(tmp_path: Path) -> None:
    paths = waves(tmp_path)
    lines = paths[1].read_text().splitlines()
    moved = ["\t".join([*line.split("\t")[:2], str(float(line.split("\t")[2]) + 3.0)]) for line in lines[1:]]
    paths[1].write_text("\n".join([lines[0], *moved]))
    chosen = {"fitted": 1, "nucleation_exponent": "1"}
    second = calibrate("waveform", paths, sample=FILM, settings=chosen).record["records"][1]
    assert second["rmse"] == pytest.approx(3.0, rel=0.05)
    assert second["rmse_own_offset"] == pytest.approx(0.2, rel=0.25)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("0\t1\t1\n1\t2\t1\n", "at least 20"),
        ("".join(f"{k % 17}\t{k}\t1\n" for k in range(30)), "the time must rise"),
        ("".join(f"{k}\t1\t{k}\n" for k in range(30)), "never changes"),
        ("".join(f"{k}\t{k % 3 * 100}\t{k % 5}\n" for k in range(30)), "the largest field is"),
        ("".join(f"{k}\t{k % 3}\t{k % 5 * 1000}\n" for k in range(30)), "the charge spans"),
        ("".join(f"{k}\t{k % 3}\t1\n" for k in range(30)), "the charge spans"),
    ],
)
@pytest.mark.parametrize("kind", ["waveform", "loop"])
def test_what_is_no_waveform_is_refused(tmp_path: Path, kind: str, rows: str, says: str) -> None:
    path = tmp_path / "bad.tsv"
    path.write_text("t us\tV V\tP uC_per_cm2\n" + rows)
    with pytest.raises(DataFileError, match=says):
        calibrate(kind, [path], sample=FILM)


def test_facts_and_settings_are_checked(tmp_path: Path) -> None:
    paths = waves(tmp_path)
    for kind in ("waveform", "loop"):
        with pytest.raises(ArgumentError, match="thickness"):
            calibrate(kind, paths)
        with pytest.raises(ArgumentError, match="fitted"):
            calibrate(kind, paths, sample=FILM, settings={"fitted": 3})
    with pytest.raises(ArgumentError, match="temperatures"):
        calibrate("loop", paths, sample=FILM, settings={"temperatures": "300 K"})
    with pytest.raises(ArgumentError, match="leakage"):
        calibrate("loop", paths, sample=FILM, settings={"leakage": "somewhere.tsv"})


LEAK = (2.0, 3.0)  # A/m^2 at 1 V on the positive side, exponent


def loops(folder: Path, values: Mapping[str, float], *, preisach: bool = False) -> tuple[list[Path], str]:
    """Write loops at three rates, the last one hot, and the table of the leakage; the instrument closes loops."""
    volts = np.concatenate([np.linspace(0.0, 3.0, 7), np.linspace(2.5, -3.0, 12)])
    density = np.where(volts > 0, LEAK[0], -0.3 * LEAK[0]) * np.abs(volts) ** LEAK[1]
    table = folder / "dc.tsv"
    np.savetxt(table, np.c_[volts, density], delimiter="\t", header="V V\tJ [A/m^2]", comments="")
    setting = LoopSetting(10e-9, preisach, (), 0.0, "no")
    paths = []
    for k, (slope, kelvin) in enumerate(((4e3, 300.0), (4e4, 300.0), (4e3, 350.0))):
        item = record([0.0, 3.0, -3.0, 0.0], slope, "cycled", 300, kelvin)
        heat = np.exp(0.25 / 8.617333262e-5 * (1.0 / 300.0 - 1.0 / kelvin))
        leak = np.where(item.mean_voltage > 0, LEAK[0], -0.3 * LEAK[0]) * np.abs(item.mean_voltage) ** LEAK[1] * heat
        lag = values["lag"]
        plain = setting.charge(item, {key: value for key, value in values.items() if key != "lag"})
        whole = plain + np.concatenate([[0.0], np.cumsum(leak * item.durations)])
        whole = lagged(whole, item.time, lag, cyclic=True)
        whole = whole - (whole[-1] - whole[0]) * item.time / item.time[-1]
        paths.append(write(folder / f"loop{k}.tsv", item, whole, 10 + k))
    return paths, f"{table} at 300 K"


def test_a_loop_gives_its_parameters_back_and_predicts_rates_and_temperatures(tmp_path: Path) -> None:
    """As the waveform's test, with leakage, lag and closure in the data."""
    paths, leakage = loops(tmp_path, {**TRUE, "lag": 5e-5})
    chosen = {
        "nucleation_exponent": "1", "leakage": leakage, "leakage_activation": "0.25 eV",
        "temperatures": "300 K; 300 K; 350 K",
    }  # fmt: skip
    result = calibrate("loop", paths, sample=FILM, settings=chosen)
    fitted = result.record["fit"]["parameters"]
    for name, item in fitted.items():
        true = {**TRUE, "lag": 5e-5}[name]
        assert abs(item["value"] - true) < 4.5 * item["standard_error"] + 0.01 * abs(true), name
    for item in result.record["loops"]:
        # At ten times the rate the error of the fitted lag shows; with a lag of its own only noise is left.
        assert item["rmse"] < (0.25 if item["fitted"] else 0.8)
        assert item["rmse_own_lag"] == pytest.approx(0.2, rel=0.25)
        assert item["coercive_up_measured_model"][0] == pytest.approx(item["coercive_up_measured_model"][1], abs=0.05)
    assert [round(item["frequency"]) for item in result.record["loops"]] == [333, 3333, 333]
    left_out = calibrate("loop", paths, sample=FILM, settings={"nucleation_exponent": "1"})
    assert any("Leakage is left out" in text for text in left_out.warnings)
    hot = left_out.record["loops"][2]
    assert hot["rmse"] > 1.0


def test_a_loop_without_times_needs_its_frequency(tmp_path: Path) -> None:
    (timed,) = waves(tmp_path)[:1]
    rows = np.loadtxt(timed, delimiter="\t", skiprows=1)
    bare = tmp_path / "bare.tsv"
    np.savetxt(bare, rows[:, 1:], delimiter="\t", header="V V\tP uC_per_cm2", comments="")
    with pytest.raises(ArgumentError, match="setting `frequency` is needed"):
        calibrate("loop", [bare], sample=FILM)
    frequency = 1e6 / float(rows[-1, 0] - rows[0, 0])
    quick = {"model": "preisach", "lag": "none", "start": "cycled"}
    known = calibrate("loop", [timed], sample=FILM, settings=quick)
    told = calibrate("loop", [bare], sample=FILM, settings={**quick, "frequency": frequency})
    assert told.record["loops"][0]["frequency"] == pytest.approx(frequency)
    assert told.goodness["rmse [uC/cm^2]"] == pytest.approx(known.goodness["rmse [uC/cm^2]"], rel=1e-6)


def test_a_charge_made_with_another_area_is_told(tmp_path: Path) -> None:
    time = np.linspace(0.0, 1e-3, 200)
    voltage = 3.0 * np.interp(time / 1e-3, [0.0, 0.25, 0.75, 1.0], [0.0, 1.0, -1.0, 0.0])
    density = 100.0 * np.sin(2e3 * np.pi * time)  # A/m^2
    charge = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(time))])
    path = tmp_path / "loop.tsv"
    header = "t us\tV V\tP uC_per_cm2\tI1 A"
    np.savetxt(
        path, np.c_[time * 1e6, voltage, 65.0 * charge, density * 1e-8], delimiter="\t", header=header, comments=""
    )
    for area, warned in ((1e-8, True), (1e-8 / 0.65, False), (None, False)):
        result = calibrate("loop", [path], sample=Sample(thickness=10e-9, area=area))
        found = [text for text in result.warnings if "another area" in text]
        assert bool(found) == warned
        assert not warned or "by 0.65 of" in found[0]


def test_a_preisach_loop_gives_its_parameters_back(tmp_path: Path) -> None:
    true = {
        "saturation_polarization": 0.2, "remanence_ratio": 0.7, "coercive_field": 1.1e8, "bias_field": 1e7,
        "permittivity": 30.0, "lag": 5e-5,
    }  # fmt: skip
    paths, leakage = loops(tmp_path, true, preisach=True)
    chosen = {"model": "preisach", "leakage": leakage, "leakage_activation": 0.25}
    result = calibrate("loop", paths[:2], sample=FILM, settings=chosen)
    for name, item in result.record["fit"]["parameters"].items():
        assert abs(item["value"] - true[name]) < 4.5 * item["standard_error"] + 0.005 * abs(true[name]), name
    section = merge(load_card("hzo-mfis-nor"), result.fragment, name="mine", title="Mine").require(HysteresisSpec)
    assert section.remanent_polarization.value == pytest.approx(0.14, rel=0.02)
    assert section.coercive_field.value == pytest.approx(1.1e8, rel=0.02)


def test_open_loops_are_told_from_closed_ones() -> None:
    item = record([0.0, 3.0, -3.0, 0.0], 4e3, "cycled")
    setting = LoopSetting(10e-9, preisach=False, tables=(), activation=0.0, closed="auto")
    charge = model_charge(item, TRUE, 10e-9)
    assert setting.is_closed(replace(item, charge=charge))
    assert not setting.is_closed(replace(item, charge=charge + 0.1 * np.ptp(charge) * item.time / item.time[-1]))


@settings(deadline=None, max_examples=4, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    volts=st.lists(st.floats(-5.0, 5.0), min_size=20, max_size=30),
    charge=st.lists(st.floats(-40.0, 40.0), min_size=30, max_size=30),
    kind=st.sampled_from(["waveform", "loop"]),
    start=st.sampled_from(["auto", "cycled", "up"]),
)
def test_any_record_gives_finite_values_or_one_error(
    tmp_path: Path, volts: list[float], charge: list[float], kind: str, start: str
) -> None:
    path = tmp_path / "any.tsv"
    rows = "".join(f"{k}\t{v}\t{q}\n" for k, (v, q) in enumerate(zip(volts, charge, strict=False)))
    path.write_text("t us\tV V\tP uC_per_cm2\n" + rows)
    result = None
    try:
        result = calibrate(kind, [path], sample=FILM, settings={"start": start})
    except FerrogenError as error:
        message = str(error)
    if result is None:
        assert message
    else:
        fitted = result.record["fit"]["parameters"]
        assert all(np.isfinite(item["value"]) for item in fitted.values())
        merge(load_card("hzo-mfis-nor"), result.fragment, name="any", title="Any")
