from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from typer.testing import CliRunner, Result

from ferrogen.cli.characterise import characterise
from ferrogen.core.errors import ArgumentError, CardError, OutputError, ValidityError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.device.noise.rtn.closed_form import sampled_lorentzian
from ferrogen.device.noise.rtn.traces import occupancy_traces
from ferrogen.device.noise.spectra import binned_welch
from ferrogen.report import characterise as module
from ferrogen.report.characterise import characterise_card
from ferrogen.report.junction import Spectrum, draw_junction, relative_trace, spectrum, window_averages
from ferrogen.report.junction_panels import draw_spectra

CARD = "hzo-mfis-nor"
PANELS = ("averaging", "currents", "spectra", "traces", "trap_times")


def invoke(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(characterise)
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("characterise") / "sheet"
    result = invoke(CARD, "--out", str(out), "--seed", "3", "--temperature", "310 K")
    assert result.exit_code == 0, result.output
    assert "datasheet.png" in result.output
    return out


@pytest.fixture(scope="module")
def record(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "characterise.json").read_text())
    return loaded


def columns(path: Path) -> dict[str, np.ndarray]:
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file))
    table = {}
    for name, values in zip(header, zip(*rows, strict=True), strict=True):
        table[name] = np.array(values) if name == "of" else np.array([float(v) if v else np.nan for v in values])
    return table


def without_traps(card: DeviceCard) -> DeviceCard:
    none = card.traps_per_cell.model_copy(update={"value": 0.0})
    return card.model_copy(update={"traps_per_cell": none})


def test_everything_is_written_and_nothing_else(folder: Path, record: dict[str, Any]) -> None:
    names = sorted(item.name for item in folder.iterdir())
    assert names == sorted([*record["files"], "characterise.json"])
    assert names == sorted(
        [f"{p}.{k}" for p in PANELS for k in ("csv", "png")] + ["characterise.json", "datasheet.png"]
    )
    for name in names:
        if name.endswith(".png"):
            with Image.open(folder / name) as image:
                page = np.asarray(image.convert("L"))
            assert page.shape[1] > 1000
            assert 0.005 < np.mean(page < 200) < 0.5  # something is drawn, and it is no black box


def test_the_record_says_what_was_assumed(record: dict[str, Any]) -> None:
    card = load_card(CARD)
    assert record["card"] == CARD
    assert record["seed"] == 3
    assert record["temperature"]["value"] == 310.0
    assert record["assumed_parameters"] == card.assumptions()
    assert record["sources"] == card.sources()
    assert all({"value", "unit", "meaning"} == set(item) for item in record["key_figures"].values())


def test_every_csv_has_units_and_parses(folder: Path) -> None:
    for panel in PANELS:
        table = columns(folder / f"{panel}.csv")
        assert all("[" in name or name in ("of", "level") for name in table)
        assert len({values.shape for values in table.values()}) == 1


def test_currents_are_proportional_to_conductance_and_follow_the_sinh(folder: Path) -> None:
    table = columns(folder / "currents.csv")
    shape = table["current [A]"] / table["conductance [S]"]
    np.testing.assert_allclose(shape, 0.4 * np.sinh(table["voltage [V]"] / 0.4), rtol=1e-7)
    assert set(table["level"]) >= {0.0, 31.0}
    assert np.ptp(np.log10(table["conductance [S]"])) > 1.0


def test_traces_are_quiet_low_and_busy_high(folder: Path, record: dict[str, Any]) -> None:
    table = columns(folder / "traces.csv")
    low, high = table["current at 0.1 V [A]"], table["current at 1.2 V [A]"]
    assert np.count_nonzero(np.diff(high)) > 10  # the cell was chosen for telegraph noise
    assert high.std() / high.mean() > 3.0 * low.std() / low.mean()
    np.testing.assert_allclose(
        table["averaged current at 1.2 V [A]"].reshape(-1, 10)[:, 0], high.reshape(-1, 10).mean(axis=1), rtol=1e-7
    )
    assert table["time [s]"][-1] == pytest.approx(1.0, rel=1e-3)


def test_sampled_and_closed_form_spectra_of_the_ensemble_agree(folder: Path) -> None:
    table = columns(folder / "spectra.csv")
    for voltage in (0.1, 1.2):
        mine = (table["of"] == "ensemble mean") & (table["voltage [V]"] == voltage)
        fast = mine & (table["frequency [Hz]"] > 300.0)  # where thousands of switches enter each point
        ratio = table["sampled [1/Hz]"][fast] / table["closed form [1/Hz]"][fast]
        assert fast.sum() >= 8
        assert np.all(np.abs(ratio - 1.0) < 0.15), ratio


def test_noise_is_suppressed_at_the_low_voltage(record: dict[str, Any]) -> None:
    key = {name: item["value"] for name, item in record["key_figures"].items()}
    for name in ("median_noise", "ensemble_noise", "ensemble_window_noise"):
        high, low = key[f"{name}_at_sample_voltage"], key[f"{name}_at_multiply_voltage"]
        assert key[f"{name}_suppression"] == pytest.approx(high / low)
        assert high > 3.0 * low
    assert key["ensemble_window_noise_at_sample_voltage"] < key["ensemble_noise_at_sample_voltage"]
    assert key["active_traps_at_sample_voltage"] > 0.2 > 0.02 > key["active_traps_at_multiply_voltage"]


def test_averaging_falls_with_time_but_more_slowly_than_white_noise(folder: Path, record: dict[str, Any]) -> None:
    table = columns(folder / "averaging.csv")
    for voltage in np.unique(table["voltage [V]"]):
        mine = table["voltage [V]"] == voltage
        time, noise = table["sampling time [s]"][mine], table["standard deviation / mean [1]"][mine]
        slope = np.diff(np.log(noise)) / np.diff(np.log(time))
        assert np.all((slope < 0.0) & (slope > -0.5))
    at = np.interp(np.log(1e-3), np.log(time), noise)  # the last one is the sample voltage
    assert at == pytest.approx(record["key_figures"]["ensemble_window_noise_at_sample_voltage"]["value"], rel=1e-3)


def test_trap_times_obey_detailed_balance(folder: Path) -> None:
    table = columns(folder / "trap_times.csv")
    ratio = np.log(table["capture time of trap 1 [s]"] / table["emission time of trap 1 [s]"])
    slope = np.diff(ratio) / np.diff(table["voltage [V]"])
    np.testing.assert_allclose(slope, slope[0], rtol=1e-5)
    share = -slope[0] * 8.617333e-5 * 310.0  # of the voltage that drops between electrode and trap
    assert 0.1 < share < 0.35
    assert np.all(np.diff(table["mean occupancy [1]"]) > 0.0)
    assert np.all(table["mean p(1-p) [1]"] < 0.25)


def test_welch_agrees_with_the_aliased_lorentzians_bin_by_bin() -> None:
    capture, emission = np.array([300.0, 4000.0]), np.array([500.0, 2500.0])
    steps = np.array([0.02, -0.01])
    interval, segment, count = 1e-4, 1 << 13, 1 << 18
    states = occupancy_traces(
        Streams(5).key(Purpose.TELEGRAPH_TRACE), capture, emission, interval=interval, steps=count
    )
    frequency, density = binned_welch(steps @ states, interval, segment)
    expected = sampled_lorentzian(frequency[:, None], capture, emission, interval) @ steps**2
    # Welch 1967: variance 11/9 over the number of half-overlapping Hann segments; neighbours correlate (factor 1.94).
    segments = 2 * count // segment - 1
    spacing = 1.0 / (interval * segment)
    points = np.maximum(1.0, frequency * (10.0 ** (1.0 / 8.0) - 1.0) / spacing)
    sigma = np.sqrt(11.0 / 9.0 * 1.94 / segments / points)
    deviation = (density / expected - 1.0) / sigma
    assert np.all(np.abs(deviation) < 5.0), deviation
    assert np.mean(deviation**2) < 2.0
    assert np.ptp(np.log10(expected)) > 1.0  # the check covers the corner, not a flat line


def test_a_junction_follows_from_its_seed_and_tells_its_variance() -> None:
    card = load_card(CARD)
    junction, again, other = (draw_junction(card, seed, 300.0, 50) for seed in (1, 1, 2))
    assert junction.cell == again.cell
    trace = relative_trace(junction, junction.high, address=0)[1]
    assert np.array_equal(trace, relative_trace(again, again.high, address=0)[1])
    assert not np.array_equal(trace, relative_trace(other, other.high, address=0)[1])
    many = spectrum(junction, junction.high, ensemble=True, address=1)
    assert np.array_equal(many.sampled, spectrum(again, again.high, ensemble=True, address=1).sampled)
    # By hand, for the junction's own traps:
    own = junction.own
    a, b = (rate[own] for rate in junction.rates(1.2))
    p = a / (a + b)
    step = junction.population.traps.amplitude[own]
    expected = np.sum(step**2 * p * (1.0 - p)) / (1.0 + np.sum(step * p)) ** 2
    assert junction.cell_variance(1.2)[junction.cell] == pytest.approx(expected, rel=1e-12)
    assert window_averages(trace).mean() == pytest.approx(trace.mean())


def test_errors_come_before_any_folder(tmp_path: Path) -> None:
    out = tmp_path / "sheet"
    assert isinstance(invoke("no-such-card", "--out", str(out)).exception, CardError)
    assert isinstance(invoke(CARD, "--out", str(out), "--temperature", "500 K").exception, ValidityError)
    assert isinstance(invoke(CARD, "--out", str(out), "--temperature", "3 V").exception, ArgumentError)
    assert isinstance(invoke(CARD, "--out", str(out), "--seed", "-1").exception, ArgumentError)
    with pytest.raises(CardError, match="traps_per_cell"):
        characterise_card(without_traps(load_card(CARD)), out)
    with pytest.raises(ArgumentError, match="cells"):
        characterise_card(CARD, out, cells=1)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("mine")
    assert isinstance(invoke(CARD, "--out", str(tmp_path / "file")).exception, OutputError)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_failure_half_way_leaves_the_folder_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "currents.png").write_text("old")
    calls: list[Path] = []

    def fails_the_second_time(figure: object, path: Path) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise OutputError("disk full")
        path.write_bytes(b"new")

    monkeypatch.setattr(module, "save_figure", fails_the_second_time)
    with pytest.raises(OutputError, match="disk full"):
        characterise_card(CARD, tmp_path, cells=10)
    assert [item.name for item in tmp_path.iterdir()] == ["currents.png"]
    assert (tmp_path / "currents.png").read_text() == "old"


def test_the_caption_of_the_spectra_speaks_of_its_own_trace() -> None:
    junction = draw_junction(load_card(CARD), 1, 300.0, 50)
    seen = spectrum(junction, junction.high, ensemble=False, address=1)
    silent = Spectrum(junction.low, seen.frequency, np.full_like(seen.sampled, np.nan), seen.closed_form)
    for cell, says in (((seen, silent), True), ((seen, seen), False)):
        figure = Figure()
        draw_spectra(figure, junction, cell, (seen,), (seen.frequency, seen.closed_form))
        words = " ".join(" ".join(text.get_text() for text in figure.findobj(Text)).split())
        told = "At 0.1 V none of the cell's traps switched in this trace, which is not that of panel b."
        assert (told in words) == says
