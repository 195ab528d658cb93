"""The command `ferrogen train`, called as typer calls it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from ferrogen.cli.train import train
from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.generation.datasets import idx
from ferrogen.generation.model_file import load_vae

app = typer.Typer()
app.command()(train)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    data = tmp_path / "data"
    for name, shape in (
        (idx.TRAIN_IMAGES, (64, 28, 28)),
        (idx.TRAIN_LABELS, (64,)),
        (idx.TEST_IMAGES, (8, 28, 28)),
        (idx.TEST_LABELS, (8,)),
    ):
        idx.write_idx(data / name, generator.integers(0, 10, shape, np.uint8))
    return data


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_train_writes_everything_and_says_where(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = run("--data", folder, "--out", out, "--epochs", 1, "--latent", 2, "--seed", 5, "--quiet")
    assert said == f"Weights: {out / 'vae.safetensors'}\n"
    assert load_vae(out / "vae.safetensors").spec.latent == 2
    names = {path.name for path in out.iterdir()}
    assert names == {"vae.safetensors", "curves.csv", "curves.png", "model-card.md", "checkpoint.safetensors"}
    with pytest.raises(ArgumentError, match="`seed` must be 5"):
        run("--data", folder, "--out", out, "--epochs", 1, "--latent", 2, "--seed", 6, "--quiet")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--epochs", 0), "`epochs` is 0"),
        (("--latent", 0), "`latent` is 0"),
        (("--seed", -1), "`seed` is -1"),
        (("--model", "features", "--latent", 3), "`latent` must be left out"),
    ],
)
def test_bad_options_are_named(folder: Path, tmp_path: Path, arguments: tuple[object, ...], complaint: str) -> None:
    with pytest.raises(ArgumentError, match=complaint):
        run("--data", folder, "--out", tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()


def test_folder_without_data(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"hold no image .* and no IDX files"):
        run("--data", tmp_path, "--out", tmp_path / "out")
