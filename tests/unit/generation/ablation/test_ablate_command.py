"""``ferrogen ablate`` and its figures, on a small model and few images."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from ferrogen.cli.ablate import ablate
from ferrogen.core.errors import ArgumentError, FerrogenError
from ferrogen.generation.model import VAE, VAESpec, initialise
from ferrogen.generation.model_file import save_vae
from ferrogen.report.ablation import ablation_figure, ablation_images

app = typer.Typer()
app.command()(ablate)


def _run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    vae = VAE(VAESpec(latent=2, hidden=(4,), encoder_channels=(2, 2, 2)))
    initialise(vae, torch.Generator().manual_seed(1))
    save_vae(vae, path)
    return path


def test_the_command_writes_tables_and_figures_of_the_same_numbers(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "ablation"
    said = _run(model, "--out", out, "--count", 128, "--chips", 2, "--only", "stuck cells", "--stuck", 0.05)
    assert {path.name for path in out.iterdir()} == {
        "ablation.md", "ablation.csv", "ablation.json", "ablation.png", "ablation-images.png",
    }  # fmt: skip
    record = json.loads((out / "ablation.json").read_text())
    rows = {(row["name"], row["how"]): row for row in record["rows"]}
    assert set(rows) == {
        ("ideal", "reference"), ("ideal chip", "reference"), ("sampler only", "reference"),
        ("products only", "reference"), ("whole chip", "reference"), ("stuck cells", "alone"), ("stuck cells", "added"),
    }  # fmt: skip
    alone = rows["stuck cells", "alone"]
    assert alone["assumed"] is True
    assert alone["value"] == "5 % of the cells, half on"
    assert alone["kernel"] is None
    assert alone["frechet_difference"]["value"] == pytest.approx(
        alone["frechet"] - rows["ideal", "reference"]["frechet"]
    )
    with (out / "ablation.csv").open() as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(rows)
    for line in table:
        row = rows[line["imperfection [text]"], line["how [text]"]]
        assert float(line["frechet [1]"]) == pytest.approx(row["frechet"], rel=1e-7)
        assert float(line["rms_ideal [1]"]) == pytest.approx(row["rms_ideal"], rel=1e-7, abs=1e-12)
    text = (out / "ablation.md").read_text()
    assert "5 % of the cells, half on (assumed)" in text
    assert f"{alone['frechet']:.3f} [" in text
    assert "kernel distance" not in text
    for name in ("ablation.png", "ablation-images.png"):
        assert np.ptp(np.asarray(Image.open(out / name).convert("L"))) > 200
    assert "whole chip: Frechet distance" in said


def test_mistakes_are_named_before_any_work(model: Path, tmp_path: Path) -> None:
    for arguments, message in (
        (("--only", "wire"), "`only` must hold names of imperfections"),
        (("--stuck", "-1"), "stuck"),
        (("--storage", "5 V"), "storage"),
        (("--count", "5"), "`count` must be a whole number of images, at least 128"),
        (("--chips", "0"), "`chips` must be"),
        (("--data", tmp_path / "absent"), "absent"),
        (("--features", tmp_path / "absent.safetensors"), "absent"),
    ):
        with pytest.raises(FerrogenError, match=message):
            _run(model, "--out", tmp_path / "out", *arguments)
        assert not list((tmp_path / "out").glob("ablation*"))


def test_figures_of_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="rows"):
        ablation_figure(tmp_path / "a.png", [], title="", caption="")
    with pytest.raises(ArgumentError, match="rows"):
        ablation_images(tmp_path / "a.png", [])
