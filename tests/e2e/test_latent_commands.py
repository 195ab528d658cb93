"""Commands of the latent space as a newcomer meets them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ferrogen.cli import main as cli
from ferrogen.generation.datasets.idx import write_idx
from ferrogen.generation.model import VAE, VAESpec, initialise
from ferrogen.generation.model_file import save_vae

SIDE = 28


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = VAE(VAESpec(latent=4, hidden=(32,), encoder_channels=(2, 2, 2)))
    initialise(model, torch.Generator().manual_seed(3))
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_vae(model.eval(), path)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(4)
    labels = np.arange(240, dtype=np.uint8) % 2
    images = generator.integers(0, 60, (240, SIDE, SIDE), dtype=np.uint8)
    images[labels == 1, :, :14] += 180
    for part, count in (("train", 240), ("t10k", 20)):
        write_idx(folder / f"{part}-images-idx3-ubyte", images[:count])
        write_idx(folder / f"{part}-labels-idx1-ubyte", labels[:count])
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["ferrogen", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    return 0


def test_interpolate_and_traverse_write_figure_numbers_and_record(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    point = ["--sample-voltage", "1.1 V", "--seed", "7", "--quiet"]
    arguments = ["interpolate", weights, "--between", "3,17", "--between", "1 2", "--steps", "5", *point]
    assert run(monkeypatch, *arguments, "--out", tmp_path / "ways") == 0
    assert "2 rows of 5 images" in capsys.readouterr().out
    record = json.loads((tmp_path / "ways" / "interpolation.json").read_text())
    assert record["seed"] == 7
    assert record["operating_point"]["sample_voltage"] == pytest.approx(1.1)
    assert record["latent_rows"]["pairs"] == [[3, 17], [1, 2]]
    with np.load(tmp_path / "ways" / "interpolation.npz", allow_pickle=False) as stored:
        assert stored["images"].shape == stored["ideal"].shape == (2, 5, SIDE, SIDE)
    with Image.open(tmp_path / "ways" / "interpolation.png") as figure:
        assert figure.size[0] > 400
    # The ends are the latents that `generate` finds.
    assert run(monkeypatch, "generate", weights, "--count", "18", *point, "--out", tmp_path / "generated") == 0
    capsys.readouterr()
    with np.load(tmp_path / "generated" / "images.npz") as a, np.load(tmp_path / "ways" / "interpolation.npz") as b:
        assert b["latents"][0, [0, -1]] == pytest.approx(a["latents"][[3, 17]], abs=1e-6)
    assert run(monkeypatch, "traverse", weights, "--latents", "0-2", *point, "--json", "--out", tmp_path / "moves") == 0
    assert json.loads(capsys.readouterr().out)["latent_rows"]["latents"] == [0, 1, 2]
    names = {path.name for path in (tmp_path / "moves").iterdir()}
    assert names == {"traversal.png", "traversal.npz", "traversal.json"}


def test_reconstruct_takes_files_and_numbers_of_a_data_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "mine.jpg"
    Image.fromarray(np.full((60, 40, 3), (200, 20, 20), dtype=np.uint8)).save(picture)
    out = tmp_path / "out"
    arguments = ["reconstruct", weights, picture, "--data", data, "--images", "3,4", "--draws", "2", "--quiet"]
    assert run(monkeypatch, *arguments, "--out", out) == 0
    assert "3 images, 2 draws each" in capsys.readouterr().out
    record = json.loads((out / "reconstruction.json").read_text())
    assert record["reconstruction"]["names"] == ["mine.jpg", "image 3", "image 4"]
    assert record["scores"]["mean_of_chip_draws_rms_error"]["n"] == 3
    with np.load(out / "reconstruction.npz", allow_pickle=False) as stored:
        assert stored["draws"].shape == (3, 2, SIDE, SIDE)
        # A red square as grey: 0.299 * 200 + 0.587 * 20 + 0.114 * 20 (ITU-R BT.601).
        assert stored["originals"][0] == pytest.approx(73.8 / 255, abs=2 / 255)


def test_labels_of_a_users_own_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The model: latent 0 is the brightness of the left half, which is what the encoder's bias-free way gives back.
    model = VAE(VAESpec(latent=2, hidden=(16,), encoder_channels=(1, 1, 1)))
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        for convolution in model.encoder.convolutions:
            convolution.weight.fill_(1 / 9)
        left = torch.zeros(4, 4)
        left[1:3, 0] = 1.0
        model.encoder.head.weight[0] = 40.0 * left.flatten()
        model.encoder.head.weight[1] = 4.0 * left.flip(1).flatten()
        model.encoder.head.bias[:2] = torch.tensor([-30.0, -0.3])
        model.decoder.layers[0].weight[0, 0], model.decoder.layers[0].weight[1, 0] = 1.0, -1.0
        picture = torch.zeros(SIDE, SIDE)
        picture[:, :14] = 4.0
        model.decoder.layers[1].weight[:, 0], model.decoder.layers[1].weight[:, 1] = (
            picture.flatten(),
            -picture.flatten(),
        )
        model.decoder.layers[1].bias.fill_(-0.5)
    path = tmp_path / "own.safetensors"
    save_vae(model.eval(), path)
    assert run(monkeypatch, "generate", path, "--label", "1", "--out", tmp_path / "early") == 2
    assert "ferrogen classes" in capsys.readouterr().err
    assert run(monkeypatch, "classes", path, "--data", data, "--components", "2", "--rounds", "1", "--quiet") == 0
    capsys.readouterr()
    assert "ferrogen classes" in (tmp_path / "own-classes.md").read_text()
    arguments = ["generate", path, "--label", "0-1", "--count", "9", "--quiet"]
    assert run(monkeypatch, *arguments, "--pngs", "--out", tmp_path / "both") == 0
    assert "9 images of each of 2 classes" in capsys.readouterr().out
    with np.load(tmp_path / "both" / "images.npz", allow_pickle=False) as stored:
        halves = stored["images"][..., :14].mean(axis=(1, 2, 3))
        assert halves[0] < 0.4 < 0.6 < halves[1]
        assert stored["labels"].tolist() == ["0", "1"]
    assert len(list((tmp_path / "both").glob("image-1-*.png"))) == 9
    assert run(monkeypatch, "generate", path, "--label", "1", "--count", "3", "--json", "--out", tmp_path / "one") == 0
    assert json.loads(capsys.readouterr().out)["classes"]["names"] == ["1"]


SMALL = "small"  # stands for the small weights
REFUSALS = [
    (["generate", "mnist", "--label", "10"], "label", "0, 1, 2"),
    (["generate", "mnist", "--label", "3", "--count", "0"], "count", "1 to"),
    (["generate", "faces", "--label", "3"], "label", "carry no labels"),
    (["generate", "mnist", "--classes", "x.safetensors"], "classes", "--label"),
    (["generate", "mnist", "--label", "3", "--classes", "x.safetensors"], "x.safetensors", "does not exist"),
    (["interpolate", "mnist", "--between", "3"], "between", "3,17"),
    (["interpolate", SMALL, "--between", "3,3"], "between", "different"),
    (["interpolate", SMALL, "--steps", "1"], "steps", "from 2"),
    (["interpolate", "absent.safetensors"], "absent.safetensors", "does not exist"),
    (["traverse", SMALL, "--latents", "16"], "latents", "0 to 3"),
    (["traverse", "mnist", "--latents", "one"], "latents", "0,5,7"),
    (["traverse", SMALL, "--reach", "-1"], "reach", "positive"),
    (["reconstruct", "mnist"], "image", "--data"),
    (["reconstruct", "mnist", "absent.png"], "absent.png", "does not exist"),
    (["reconstruct", "mnist", "--images", "1"], "image", "--data"),
    (["reconstruct", "mnist", "--data", "absent"], "absent", "exist"),
    (["classes", "mnist", "--data", "absent"], "absent", "exist"),
    (["classes", "mnist", "--data", "absent", "--rounds", "99"], "rounds", "20"),
]


@pytest.mark.parametrize(("arguments", "names", "remedy"), REFUSALS, ids=lambda value: str(value)[:40])
def test_wrong_input_ends_in_one_clear_line(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    weights: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    names: str,
    remedy: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [weights if text is SMALL else text for text in arguments]
    assert run(monkeypatch, *given, "--out", "out") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("ferrogen: ")
    assert captured.err.count("\n") == 1
    assert names in captured.err
    assert remedy.lower() in captured.err.lower()
    assert all(path.is_dir() for path in tmp_path.rglob("*"))


def test_an_image_that_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.png"
    text.write_text("no image")
    for arguments, says in (
        ([text], "text.png"),
        (["--data", data, "--images", "20"], "below 20"),
        (["--data", data, "--images", "0", "1"], "0,1,2"),
    ):
        assert run(monkeypatch, "reconstruct", weights, *arguments, "--out", tmp_path / "out") == 2
        assert says in capsys.readouterr().err
