"""The fault study and its command, on a small model and few images."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from ferrogen.array.faults import FaultRates
from ferrogen.chip.spec import ChipSpec
from ferrogen.cli.faults import faults
from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.device.card import load_card
from ferrogen.generation.fault_study import COLUMNS, KINDS, REFERENCE, kind_rates, run_fault_study
from ferrogen.generation.model import VAE, VAESpec, initialise
from ferrogen.generation.model_file import save_vae
from ferrogen.metrics.features import load_feature_network
from ferrogen.metrics.reference import load_reference_moments
from ferrogen.report.faults import FaultPanel, fault_figure

app = typer.Typer()
app.command()(faults)


def _run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    vae = VAE(VAESpec(latent=2, hidden=(8,), encoder_channels=(2, 2, 2)))
    initialise(vae, torch.Generator().manual_seed(1))
    save_vae(vae, path)
    return path


def test_a_study_is_the_same_on_one_thread_and_two_and_repair_helps(model: Path) -> None:
    spec = ChipSpec(rows=12, columns=800, spare_rows=4, spare_pairs=8)  # few, wide tiles are quick
    found = [
        run_fault_study(
            model, load_card("hzo-mfis-nor"), load_reference_moments("mnist"), load_feature_network("mnist"),
            multiples=(10.0,), kinds=("stuck on", "everything"), chips=2, count=128, spec=spec, threads=threads,
        )
        for threads in (1, 2)
    ]  # fmt: skip
    plain = [[tuple(str(getattr(item, name)) for name in COLUMNS) for item in study.points] for study in found]
    assert plain[0] == plain[1]
    points = found[0].points
    assert len(points) == 2 * (2 + 2 * 2)
    whole = {item.chip: item for item in points if item.kind == "none" and item.repaired}
    assert all(item.faults == item.present == 0 and np.isnan(item.recall) for item in whole.values())
    for raw in points:
        if raw.kind == "none" or raw.repaired:
            continue
        repaired = next(
            item for item in points
            if (item.kind, item.multiple, item.chip, item.repaired) == (raw.kind, raw.multiple, raw.chip, True)
        )  # fmt: skip
        assert repaired.faults == raw.faults > 0
        assert repaired.weight_error < 0.6 * raw.weight_error
        assert repaired.recall > 0.95
        assert repaired.precision > 0.95
        if raw.kind == "stuck on":
            assert repaired.weight_error < 1.2 * whole[raw.chip].weight_error
    shown = found[0].strips[("stuck on", False)]
    assert shown.shape == (10, 28, 28)
    assert found[0].strip_multiple == 10.0


def test_rates_of_a_kind_leave_the_others_out() -> None:
    own = kind_rates(REFERENCE, "open lines", 3.0)
    assert (own.open_row, own.open_column) == (3.0 * REFERENCE.open_row, 3.0 * REFERENCE.open_column)
    assert own.stuck_on == own.dead_column == 0.0
    assert kind_rates(REFERENCE, "everything", 1.0) == REFERENCE
    assert kind_rates(FaultRates(dead_column=0.4), "dead columns", 10.0).dead_column == 1.0
    with pytest.raises(ArgumentError, match="stuck on"):
        kind_rates(REFERENCE, "stuck", 1.0)


@pytest.mark.parametrize(
    ("change", "names"), [({"chips": 0}, "chips"), ({"count": 100}, "count"), ({"multiples": (3.0, 1.0)}, "multiples")]
)
def test_studies_that_make_no_sense_are_refused(change: dict, names: str) -> None:
    with pytest.raises(ArgumentError, match=names):
        run_fault_study(
            "mnist", load_card("hzo-mfis-nor"), load_reference_moments("mnist"), load_feature_network("mnist"), **change
        )


def test_the_command_writes_figure_numbers_and_provenance(model: Path, tmp_path: Path) -> None:
    rates = tmp_path / "rates.json"
    rates.write_text('{"dead_column": 0.02, "offset_steps": 4}', encoding="utf-8")
    said = _run(
        model, "--out", tmp_path / "out", "--kinds", "dead columns", "--multiples", "2", "--chips", 1, "--count", 128,
        "--rates", rates, "--spare-rows", 0, "--quiet",
    )  # fmt: skip
    assert "dead columns at 0.04" in said
    record = json.loads((tmp_path / "out" / "faults.json").read_text(encoding="utf-8"))
    assert record["reference_rates"]["dead_column"] == 0.02
    assert record["spare_rows"] == 0
    with (tmp_path / "out" / "faults.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(record["points"]) == 2 + 2
    for row, point in zip(rows, record["points"], strict=True):
        assert float(row["frechet_distance [1]"]) == pytest.approx(point["frechet_distance"], rel=1e-8)
    assert (tmp_path / "out" / "faults.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("text", "says"),
    [('{"stuck": 1}', "stuck"), ('{"stuck_on": 2}', "stuck_on"), ("[]", "rates"), ('{"stuck_on": "x"}', "stuck_on")],
)
def test_files_of_rates_are_refused_by_name(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "rates.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataFileError, match=says):
        _run("mnist", "--out", tmp_path / "out", "--rates", tmp_path / "rates.json", "--quiet")


@pytest.mark.parametrize("option", [("--multiples", "1,x"), ("--multiples", "-1"), ("--kinds", "holes")])
def test_options_are_refused_by_name(option: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=option[0].strip("-")[:4]):
        _run("mnist", "--out", tmp_path / "out", *option, "--quiet")


def test_the_figure_shows_what_is_missing(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    raw = np.array([[2.0, np.nan], [3.0, np.nan]])
    images = generator.random((4, 28, 28)).astype(np.float32)
    panels = [
        FaultPanel(next(iter(KINDS)), "of a cell", np.array([1e-3, 1e-2]), raw, np.ones((2, 2)), None, images, 1e-3),
        FaultPanel(
            "everything", "multiple", np.array([2.0]), raw[:, :1], np.ones((2, 1)), images, images, 2.0, is_share=False
        ),
    ]
    fault_figure(tmp_path / "faults.png", panels, np.ones(2), caption="caption", footer="footer")
    assert (tmp_path / "faults.png").stat().st_size > 10_000
    with pytest.raises(ArgumentError, match="panels"):
        fault_figure(tmp_path / "faults.png", [], np.ones(2))
    with pytest.raises(ArgumentError, match="rates"):
        FaultPanel("x", "y", np.array([0.1, 0.01]), raw, raw, None, None, 0.1)
