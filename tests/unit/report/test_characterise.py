from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from ferrogen.cli.characterise import characterise
from ferrogen.core.errors import ArgumentError, CardError, DataFileError, OutputError, ValidityError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import load_card
from ferrogen.device.noise.rtn.closed_form import sampled_lorentzian
from ferrogen.device.noise.rtn.traces import occupancy_traces
from ferrogen.report import characterise as module
from ferrogen.report.characterise import characterise_card, page_names
from ferrogen.report.datasheet.measured import read_measured
from ferrogen.report.junction import binned_welch, draw_junction, relative_trace, spectrum, window_averages

CARD = "hzo-mfis-nor"
NOISE = ("currents", "traces", "spectra", "trap_times", "averaging")


def invoke(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(characterise)
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("characterise") / "sheet"
    pages = [item for name in NOISE for item in ("--page", name)]
    result = invoke(CARD, "--out", str(out), "--seed", "3", "--temperature", "310 K", *pages)
    assert result.exit_code == 0, result.output
    assert "datasheet.pdf" in result.output
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
        numeric = "[" in name
        table[name] = np.array([float(v) if v else np.nan for v in values]) if numeric else np.array(values)
    return table


def series(path: Path, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of one curve of a panel's table."""
    table = columns(path)
    mine = table["series"] == label
    assert mine.any(), sorted(set(table["series"]))
    x, y = [values[mine] for name, values in table.items() if "[" in name][:2]
    return x, y


def test_everything_is_written_and_nothing_else(folder: Path, record: dict[str, Any]) -> None:
    names = sorted(item.name for item in folder.iterdir())
    assert names == sorted(record["files"])
    panels = [panel["csv"] for page in record["pages"] for panel in page["panels"]]
    pictures = [page["png"] for page in record["pages"]]
    assert set(panels) | set(pictures) < set(names)
    assert [page["name"] for page in record["pages"]] == [name for name in page_names() if name in NOISE]
    for name in pictures:
        with Image.open(folder / name) as image:
            page = np.asarray(image.convert("L"))
        assert page.shape[1] > 1000
        assert 0.005 < np.mean(page < 200) < 0.5  # something is drawn, and it is no black box


def test_the_pdf_has_a_page_for_each_and_no_date(folder: Path, record: dict[str, Any]) -> None:
    book = (folder / "datasheet.pdf").read_bytes()
    parameters = sum(name.startswith("parameters_") for name in record["files"])
    assert len(re.findall(rb"/Type /Page\b", book)) == len(record["pages"]) + 1 + parameters
    assert b"CreationDate" not in book


def test_equal_calls_write_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        characterise_card(CARD, tmp_path / name, cells=20, pages=("currents",))
    for item in sorted((tmp_path / "a").iterdir()):
        assert item.read_bytes() == (tmp_path / "b" / item.name).read_bytes(), item.name


def test_the_record_says_what_was_assumed(record: dict[str, Any]) -> None:
    card = load_card(CARD)
    assert record["card"] == CARD
    assert record["seed"] == 3
    assert record["temperature"]["value"] == 310.0
    assert record["assumed_parameters"] == card.assumptions()
    assert record["sources"] == card.sources()
    assert record["against"] is None
    assert all({"value", "unit", "meaning"} == set(item) for item in record["key_figures"].values())
    assert all(len(panel["caption"]) > 40 for page in record["pages"] for panel in page["panels"])


def test_every_csv_has_units_and_parses(folder: Path, record: dict[str, Any]) -> None:
    for page in record["pages"]:
        for panel in page["panels"]:
            table = columns(folder / panel["csv"])
            assert sum("[" in name for name in table) >= 2, panel["csv"]
            assert len({values.shape for values in table.values()}) == 1
    parameters = columns(folder / "parameters.csv")
    assert list(parameters["parameter"]) == list(load_card(CARD).parameters)


def test_currents_follow_the_sinh_with_one_voltage_for_all_levels(folder: Path) -> None:
    table = columns(folder / "currents.csv")
    levels = {name for name in table["series"] if not name.endswith("ohmic")}
    assert levels >= {"level 0", "level 31"}
    for name in levels:
        voltage, current = series(folder / "currents.csv", name)
        at, ohmic = series(folder / "currents.csv", f"{name}, ohmic")
        np.testing.assert_array_equal(voltage, at)
        np.testing.assert_allclose(current / ohmic, 0.4 * np.sinh(voltage / 0.4) / voltage, rtol=1e-7)


def test_traces_are_quiet_low_and_busy_high(folder: Path) -> None:
    time, high = series(folder / "traces_sample.csv", "current")
    _, low = series(folder / "traces_multiply.csv", "current")
    _, averaged = series(folder / "traces_sample.csv", "averaged current")
    assert np.count_nonzero(np.diff(high)) > 10  # the cell was chosen for telegraph noise
    assert high.std() / high.mean() > 3.0 * low.std() / low.mean()
    np.testing.assert_allclose(averaged.reshape(-1, 10)[:, 0], high.reshape(-1, 10).mean(axis=1), rtol=1e-7)
    assert time[-1] == pytest.approx(1.0, rel=1e-3)


def test_sampled_and_closed_form_spectra_of_the_ensemble_agree(folder: Path) -> None:
    for voltage in ("multiply", "sample"):
        frequency, sampled = series(folder / "spectra_ensemble.csv", f"{voltage} voltage, sampled")
        _, closed = series(folder / "spectra_ensemble.csv", f"{voltage} voltage, closed form")
        fast = frequency > 300.0  # where thousands of switches enter each point
        ratio = sampled[fast] / closed[fast]
        assert fast.sum() >= 8
        assert np.all(np.abs(ratio - 1.0) < 0.15), ratio


def test_sampled_reads_show_all_noises_of_the_junction(folder: Path) -> None:
    at, expected = series(folder / "spectra_parts.csv", "all, as reads see it")
    frequency, sampled = series(folder / "spectra_parts.csv", "sampled reads")
    ratio = np.log(sampled / np.exp(np.interp(np.log(frequency), np.log(at), np.log(expected))))
    # 15 half-overlapping segments: 24 % deviation of the lowest bins (one frequency each), ever less above.
    assert abs(np.median(ratio)) < 0.15
    assert np.abs(ratio).max() < 1.5
    for part in ("telegraph", "shot", "thermal"):
        assert np.all(series(folder / "spectra_parts.csv", part)[1] > 0.0)


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
    voltages = sorted(set(table["series"]) - {"white noise"})
    assert len(voltages) == 5
    for name in voltages:
        time, noise = series(folder / "averaging.csv", name)
        slope = np.diff(np.log(noise)) / np.diff(np.log(time))
        assert np.all((slope < 0.0) & (slope > -0.5))
    at = np.interp(np.log(1e-3), np.log(time), noise)  # "sample voltage" is the last in the alphabet
    assert at == pytest.approx(record["key_figures"]["ensemble_window_noise_at_sample_voltage"]["value"], rel=1e-3)


def test_trap_times_obey_detailed_balance(folder: Path) -> None:
    table = columns(folder / "trap_times_cell.csv")
    first = next(name for name in table["series"] if name.startswith("trap 1:"))
    voltage, capture = series(folder / "trap_times_cell.csv", first)
    _, emission = series(folder / "trap_times_cell.csv", "trap 1, emission")
    slope = np.diff(np.log(capture / emission)) / np.diff(voltage)
    np.testing.assert_allclose(slope, slope[0], rtol=1e-5)
    share = -slope[0] * 8.617333e-5 * 310.0  # of the voltage that drops between electrode and trap
    assert 0.1 < share < 0.35
    assert np.all(np.diff(series(folder / "trap_times_ensemble.csv", "mean occupancy p")[1]) > 0.0)
    assert np.all(series(folder / "trap_times_ensemble.csv", "mean p(1-p)")[1] < 0.25)


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
    assert not junction.silent
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
    data = tmp_path / "data.csv"
    data.write_text("pw [s],amp [V],Pr [uC/cm^2]\n1e-6,1,2\n1e-5,1,x\n")
    for arguments, error in (
        (("no-such-card",), CardError),
        ((CARD, "--against", "no-such-card"), CardError),
        ((CARD, "--temperature", "500 K"), ValidityError),
        ((CARD, "--temperature", "3 V"), ArgumentError),
        ((CARD, "--seed", "-1"), ArgumentError),
        ((CARD, "--page", "no-such-page"), ArgumentError),
        ((CARD, "--measured", "switching"), ArgumentError),
        ((CARD, "--measured", "nothing=x.csv"), ArgumentError),
        ((CARD, "--measured", f"switching={tmp_path / 'absent.csv'}"), DataFileError),
        ((CARD, "--measured", f"switching={data}"), DataFileError),
        ((CARD, "--measured", f"switching={data}", "--column", "volume = V [V]"), ArgumentError),
        ((CARD, "--column", "voltage = V [V]"), ArgumentError),
        ((CARD, "--area", "-1 m^2", "--measured", f"switching={data}"), ArgumentError),
    ):
        found = invoke(*arguments, "--out", str(out)).exception
        assert isinstance(found, error), (arguments, found)
        assert "\n" not in str(found)
    with pytest.raises(ArgumentError, match="cells"):
        characterise_card(CARD, out, cells=1)
    assert [item.name for item in tmp_path.iterdir()] == ["data.csv"]
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
        characterise_card(CARD, tmp_path, cells=10, pages=("currents",))
    assert [item.name for item in tmp_path.iterdir()] == ["currents.png"]
    assert (tmp_path / "currents.png").read_text() == "old"


def test_a_card_without_traps_has_no_noise_pages_and_says_why(tmp_path: Path) -> None:
    record = characterise_card("ideal", tmp_path, pages=("currents", "traces", "averaging"))
    assert [page["name"] for page in record["pages"]] == ["currents"]
    assert set(record["pages_left_out"]) == {"traces", "averaging"}
    assert all("traps_per_cell" in reason for reason in record["pages_left_out"].values())


def test_a_card_without_sections_is_told_which_are_missing(tmp_path: Path) -> None:
    bare = load_card(CARD).model_copy(update={"switching": None, "reliability": None})
    record = characterise_card(bare, tmp_path, cells=20, pages=("loops", "retention", "endurance", "currents"))
    assert [page["name"] for page in record["pages"]] == ["currents"]
    assert "[switching]" in record["pages_left_out"]["loops"]
    assert "[switching] and [reliability]" in record["pages_left_out"]["retention"]
    assert record["read_disturb"] is None


def test_data_that_no_wanted_page_shows_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    table = tmp_path / "iv.csv"
    table.write_text("voltage [V],current [A]\n0.1,1e-9\n0.2,2e-9\n")
    data = read_measured([("iv", table)])
    with pytest.raises(ArgumentError, match=r"shows 'iv' data.*iv\.csv.*--page transport"):
        characterise_card(CARD, tmp_path / "out", pages=["loops"], measured=data)
    assert not (tmp_path / "out").exists()


def test_a_folder_is_chosen_where_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("ideal", "--page", "currents", "--quiet")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "datasheet" / "datasheet.pdf").exists()
