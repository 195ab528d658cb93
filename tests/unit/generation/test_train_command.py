"""The command `ferrogen train`, called as typer calls it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from ferrogen.cli.options import read_data
from ferrogen.cli.train import train
from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.generation import recipes
from ferrogen.generation.convolutional.model import ConvVAESpec
from ferrogen.generation.convolutional.trainer import ConvTrainingSettings
from ferrogen.generation.datasets import idx
from ferrogen.generation.model_file import load_description, load_vae

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


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Ten pictures of two classes, of 20 x 24 pixels, and one of them cut short."""
    generator = np.random.default_rng(1)
    data = tmp_path / "pictures"
    for k in range(10):
        path = data / "ab"[k % 2] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (20, 24, 3), np.uint8)).save(path)
    path = data / "b" / "9.png"
    path.write_bytes(path.read_bytes()[:-100])
    return data


@pytest.fixture
def small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the recipes their choices but make the networks narrow."""
    monkeypatch.setattr(recipes, "_LAST_CHANNELS", 4)


def invoke(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def test_train_writes_everything_and_says_where(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = invoke("--data", folder, "--out", out, "--epochs", 1, "--latent", 2, "--seed", 5, "--quiet").stdout
    assert said == f"Weights: {out / 'vae.safetensors'}\n"
    assert load_vae(out / "vae.safetensors").spec.latent == 2
    names = {path.name for path in out.iterdir()}
    assert names == {"vae.safetensors", "curves.csv", "curves.png", "model-card.md", "checkpoint.safetensors"}
    with pytest.raises(ArgumentError, match="`seed` must be 5"):
        invoke("--data", folder, "--out", out, "--epochs", 1, "--latent", 2, "--seed", 6, "--quiet")


def test_other_data_than_a_models_own_are_noted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = read_data(folder, quiet=True)
    read_data(folder, description=own.description, quiet=True)
    assert capsys.readouterr().err == ""
    read_data(folder, description=own.description.model_copy(update={"fingerprint": "0" * 64}), quiet=True)
    assert "are not the data that the model was trained on" in capsys.readouterr().err


@pytest.mark.usefixtures("small_networks")
def test_a_folder_of_pictures(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(DataFileError, match=r"1 of 10 images cannot be read: 'b/9.png' .* with --skip-corrupt"):
        invoke("--data", pictures, "--out", out, "--epochs", 1)
    assert not out.exists()
    result = invoke("--data", pictures, "--out", out, "--epochs", 1, "--latent", 2, "--skip-corrupt", "--held-out", 0.1)
    assert "1 images cannot be read and are left out: 'b/9.png'." in result.stderr
    assert "Data 'images': 8 images to learn from, 1 held out, 2 classes; 16 x 16 pixels, RGB." in result.stderr
    spec = load_vae(out / "vae.safetensors").spec
    assert isinstance(spec, ConvVAESpec)
    assert (spec.side, spec.channels, spec.latent) == (16, 3, 2)
    description = load_description(out / "vae.safetensors")
    assert (description.side, description.channels, description.class_names) == (16, 3, ("a", "b"))
    assert "8 to learn from, 1 held out; 1 could not be read" in (out / "model-card.md").read_text(encoding="utf-8")


def test_named_recipes_ask_for_their_size_and_colour(folder: Path, pictures: Path, tmp_path: Path) -> None:
    for recipe, option, complaint in (
        ("faces", ("--side", 32), "`side` must be 64 pixels, or left out, for 'faces', but it is 32"),
        ("faces", ("--grey",), "`colour` must be --colour, or left out, for 'faces'"),
        ("mnist", ("--colour",), "`colour` must be --grey, or left out, for 'mnist'"),
    ):
        with pytest.raises(ArgumentError, match=complaint):
            invoke(recipe, "--data", folder, "--out", tmp_path / "out", *option)
    said: list[object] = []

    def noted(spec: object, data: object, settings: object, *_: object, **__: object) -> Path:
        said.extend((spec, settings, data.train_images.shape[1:]))  # type: ignore[attr-defined]
        return tmp_path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ferrogen.generation.training.train", noted)
        invoke("faces", "--data", pictures, "--out", tmp_path / "out", "--skip-corrupt", "--quiet")
        invoke("mnist", "--data", pictures, "--out", tmp_path / "out", "--skip-corrupt", "--quiet")
    assert said[:3] == [ConvVAESpec(), ConvTrainingSettings(batch=8), (64, 64, 3)]
    assert said[5] == (28, 28)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--epochs", 0), "`epochs` is 0"),
        (("--latent", 0), "`latent` is 0"),
        (("--seed", -1), "`seed` is -1"),
        (("--patience", 0), "`patience` must be a whole number of epochs"),
        (("--as", "cifar"), "`as` must be one of mnist, fashion-mnist, celeba"),
        (("--held-out", 0.2), "`held-out` must be left out with IDX files"),
        (("--threads", 2), "`threads` must be left out for 28 x 28 grey pixels"),
        (("--side", 20), "`side` must be one of 16, 32"),
        (("--model", "features", "--latent", 3), "`latent` must be left out"),
        (("--model", "features", "--patience", 3), "`patience` must be left out"),
        (("faces", "--model", "features"), "`recipe` must be left out"),
    ],
)
def test_bad_options_are_named(folder: Path, tmp_path: Path, arguments: tuple[object, ...], complaint: str) -> None:
    with pytest.raises(ArgumentError, match=complaint):
        invoke("--data", folder, "--out", tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()


def test_folder_without_data(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"hold no image .* and no IDX files"):
        invoke("--data", tmp_path, "--out", tmp_path / "out")
