"""The frame around all kinds, with a kind of its own: files, figure, provenance, refusals in one line."""

from __future__ import annotations

import hashlib
import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferrogen.calibration import calibrate as module
from ferrogen.calibration.calibrate import KINDS, calibrate, load_kind
from ferrogen.calibration.columns import Wanted
from ferrogen.calibration.fit import Free, fit
from ferrogen.calibration.fragment import CardFragment, fitted
from ferrogen.calibration.kind import Kind, Request, Setting
from ferrogen.calibration.result import Axis, Calibration, Panel, Series
from ferrogen.calibration.samples import Sample
from ferrogen.cli import main as cli
from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import load_card


def conductance(request: Request) -> Calibration:
    """Fit the slope of current over voltage."""
    data = request.tables[0].read()
    offset = request.number("offset") if request.word("model") == "shifted" else 0.0
    free = [Free("slope", 1e-8, 1e-12, 1e-3, logarithmic=True, unit="S")]
    found = fit(lambda v: (data["current"] - v["slope"] * data["voltage"] - offset) * 1e9, free)
    item = fitted(found.values["slope"], "S", found.standard_errors["slope"], note="test", source=request.source)
    curve = Series("", data["voltage"], data["current"], data["current"] - found.residuals * 1e-9)
    return Calibration(
        "ohm", CardFragment({"": {"on_conductance": item}}, ("the rest",)), ("a line through it",),
        {"rmse [nA]": found.rmse}, found.warnings, {"fit": found.record(), "odd": (np.nan, np.float64(1.0))},
        {"voltage [V]": data["voltage"], "residual [nA]": found.residuals},
        (Panel("I-V", Axis("voltage", "V"), Axis("current", "A"), [curve]),),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def kind(monkeypatch: pytest.MonkeyPatch) -> None:
    made = types.ModuleType("ferrogen.calibration.ohm")
    settings = {
        "offset": Setting(0.0, "current at no voltage", "A", low=-1.0, high=1.0),
        "model": Setting("plain", "the law", choices=("plain", "shifted")),
    }
    columns = (Wanted("voltage", ("V",), ("V",)), Wanted("current", ("A",), ("I",)))
    made.KIND = Kind("ohm", "a resistance", columns, conductance, settings)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, made.__name__, made)
    monkeypatch.setattr(module, "KINDS", {**KINDS, "ohm": "ohm"})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    volt = np.linspace(-1.0, 1.0, 30)
    amp = 30e-9 * volt + 1e-10 * Streams(1).generator(Purpose.CALIBRATION).standard_normal(30)
    path = tmp_path / "iv.csv"
    np.savetxt(path, np.c_[volt, amp * 1e9], delimiter=",", header="V [V],I", comments="")
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["ferrogen", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


def test_the_command_writes_whole_results(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code = run(
        monkeypatch, "calibrate", "ohm", data, "--column", "current = I [nA]", "--out", out, "--card", "hzo-mfis-nor",
        "--temperature", "31 degC", "--thickness", "10 nm", "--source", "deng-2020", "--name", "mine",
    )  # fmt: skip
    assert code == 0
    assert "a line through it" in capsys.readouterr().out
    names = {"fragment.toml", "calibration.json", "residuals.csv", "residuals.png", "card.toml"}
    assert {item.name for item in out.iterdir()} == names
    card = load_card(out / "card.toml")
    assert card.name == "mine"
    assert card.on_conductance.value == pytest.approx(30e-9, rel=0.02)
    assert card.on_conductance.source == "deng-2020"
    record = json.loads((out / "calibration.json").read_text())
    (file,) = record["provenance"]["files"]
    assert file["name"] == "iv.csv"
    assert file["sha256"] == hashlib.sha256(data.read_bytes()).hexdigest()
    assert file["columns"] == {"voltage": ["V [V]"], "current": ["I"]}
    assert record["provenance"]["sample"]["temperature"] == pytest.approx(304.15)
    assert record["provenance"]["settings"] == {"offset": 0.0, "model": "plain"}
    assert record["record"]["odd"] == [None, 1.0]
    assert record["not_identified"] == ["the rest"]
    assert str(tmp_path) not in (out / "calibration.json").read_text() + (out / "fragment.toml").read_text()
    assert len((out / "residuals.csv").read_text().splitlines()) == 31
    with Image.open(out / "residuals.png") as figure:
        assert figure.size[0] > 500


def test_json_prints_the_record_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('[columns]\ncurrent = "I [nA]"\n')
    code = run(
        monkeypatch, "calibrate", "ohm", data, "--mapping", mapping, "--json", "--out", tmp_path / "out",
        "--set", "model = shifted", "--set", "offset = 1 pA",
    )  # fmt: skip
    assert code == 0
    record = json.loads(capsys.readouterr().out)
    assert record["kind"] == "ohm"
    assert record["provenance"]["settings"]["offset"] == pytest.approx(1e-12, rel=1e-9, abs=0.0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nothing", "{data}"), "one of"),
        (("ohm", "{data}"), "the unit of column 'I' is nowhere stated"),
        (("ohm", "absent.csv"), "does not exist"),
        (("ohm", "{data}", "--column", "current"), "quantity = column"),
        (("ohm", "{data}", "--column", "amps = I [A]"), "among the quantities"),
        (("ohm", "{data}", "--set", "model=other"), "one of plain, shifted"),
        (("ohm", "{data}", "--set", "offset=2 A"), "lie between -1 and 1"),
        (("ohm", "{data}", "--set", "colour=red"), "name a setting"),
        (("ohm", "{data}", "--set", "colour"), "name = value"),
        (("ohm", "{data}", "--thickness", "10 V"), "thickness"),
        (("ohm", "{data}", "--temperature", "-400 degC"), "temperature"),
        (("ohm", "{data}", "--source", "nobody-1900"), "references"),
        (("ohm", "{data}", "--delimiter", "xyz"), "delimiter"),
        (("ohm", "{data}", "--column", "current = I [nA]", "--card", "none-such"), "no device card"),
        (("ohm",), "at least one table"),
    ],
)
def test_bad_input_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    data: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    out = tmp_path / "out"
    words = [word.replace("{data}", str(data)) for word in arguments]
    assert run(monkeypatch, "calibrate", *words, "--out", out) == 2
    error = capsys.readouterr().err
    assert says.lower() in error.lower()
    assert error.count("\n") == 1
    assert not list(out.glob("*"))


def test_dropped_rows_are_told(tmp_path: Path, data: Path) -> None:
    from ferrogen.calibration.columns import Choice
    from ferrogen.calibration.table import TableFormat

    data.write_text(data.read_text() + "0.5,\n")
    result = calibrate("ohm", [data], columns={"current": Choice("I", "nA")}, form=TableFormat(missing="drop"))
    assert result.warnings[-1] == "1 rows with missing values were dropped."
    assert result.provenance["files"][0]["rows_dropped"] == 1


def test_facts_that_are_missing_are_asked_for() -> None:
    for call in (Sample().needed_thickness, Sample().needed_area):
        with pytest.raises(ArgumentError, match="Give it"):
            call()
    assert Sample().kelvin == 300.0
    with pytest.raises(ArgumentError, match="thickness"):
        Sample(thickness=-1.0)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_kind_describes_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert run(monkeypatch, "calibrate", name, "--describe") == 0
    text = capsys.readouterr().out
    kind = load_kind(name)
    assert all(f"  {item} " in text for item in [*(column.name for column in kind.columns), *kind.settings])
    assert "nan" not in text.split()


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_registered_kind_loads(name: str) -> None:
    kind = load_kind(name)
    assert kind.name == name
    assert kind.title
    assert kind.parse({}) == {key: item.default for key, item in kind.settings.items()}
    for item in kind.settings.values():
        assert not item.choices or item.default in item.choices
