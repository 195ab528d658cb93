"""The command line as a newcomer meets it: files written, errors in one line, nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ferrogen.cli import main as cli
from ferrogen.generation.convolutional.model import ConvVAE, ConvVAESpec
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.generation.model import VAE, VAESpec, initialise
from ferrogen.generation.model_file import save_vae


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = VAE(VAESpec(latent=4, hidden=(32,), encoder_channels=(2, 2, 2)))
    initialise(model, torch.Generator().manual_seed(3))
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_vae(model.eval(), path)
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["ferrogen", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    return 0


def test_generate_writes_whole_results(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "digits"
    arguments = ["generate", weights, "--count", "18", "--seed", "7", "--quiet", "--out", out, "--pngs"]
    assert run(monkeypatch, *arguments, "--sample-voltage", "1.1 V", "--sampling-time", "500 us") == 0
    assert "18 images" in capsys.readouterr().out
    record = json.loads((out / "run.json").read_text())
    assert record["operating_point"]["sample_voltage"] == pytest.approx(1.1)
    assert record["operating_point"]["sampling_time"] == pytest.approx(5e-4)
    assert record["assumed_parameters"]
    assert record["seed"] == 7
    with np.load(out / "images.npz", allow_pickle=False) as stored:
        assert stored["images"].shape == (18, 28, 28)
        assert stored["latents"].shape == (18, 4)
    with Image.open(out / "images.png") as grid:
        assert grid.size[0] > 5 * 56
    assert len(list(out.glob("image-*.png"))) == 18
    assert not list(out.glob(".unfinished*"))


def test_a_colour_model_goes_through_the_same_commands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Weights of one's own, and a folder of pictures to judge them by."""
    monkeypatch.setattr("ferrogen.generation.decoder.CONVOLUTIONAL_TILE", (64, 32))  # quicker
    model = ConvVAE(ConvVAESpec(side=8, latent=4, decoder_channels=(4,), encoder_channels=(2,)))
    initialise(model, torch.Generator().manual_seed(3))
    weights, data = tmp_path / "colour.safetensors", tmp_path / "pictures"
    save_vae(model.eval(), weights)
    data.mkdir()
    for k, pixels in enumerate(np.random.default_rng(4).integers(0, 256, (80, 8, 8, 3)).astype(np.uint8)):
        Image.fromarray(pixels).save(data / f"{k}.png")
    out = tmp_path / "out"
    assert run(monkeypatch, "generate", weights, "--count", "3", "--quiet", "--out", out, "--pngs") == 0
    with np.load(out / "images.npz", allow_pickle=False) as stored, Image.open(out / "image-000002.png") as png:
        assert stored["images"].shape == (3, 8, 8, 3)
        assert np.array_equal(np.asarray(png), np.round(255.0 * stored["images"][2]).astype(np.uint8))
    record = json.loads((out / "run.json").read_text())
    assert record["chip"]["tile_rows"] == 64
    capsys.readouterr()
    assert run(monkeypatch, "evaluate", weights, "--data", data, "--count", "16", "--quiet", "--out", out / "e") == 0
    told = capsys.readouterr()
    assert "learnt from other images" in told.err
    assert "class histogram" not in told.out
    record = json.loads((out / "e" / "evaluation.json").read_text())
    assert record["scores"]["frechet_ratio"]["value"] > 0.0
    assert record["data"]["test_images"] == 8
    for name in ("images.png", "nearest.png", "budget.png"):
        with Image.open(out / "e" / name) as figure:
            assert figure.size[0] > 100


def test_the_same_command_gives_the_same_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path) -> None:
    for name, count in (("a", "3"), ("b", "70")):
        assert run(monkeypatch, "generate", weights, "--count", count, "--quiet", "--out", tmp_path / name) == 0
    with np.load(tmp_path / "a" / "images.npz") as a, np.load(tmp_path / "b" / "images.npz") as b:
        assert np.array_equal(a["images"], b["images"][:3])
        assert np.array_equal(a["latents"], b["latents"][:3])


def test_json_prints_the_record_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "generate", weights, "--count", "1", "--json", "--out", tmp_path / "out") == 0
    assert json.loads(capsys.readouterr().out)["images"] == 1


def test_sweep_writes_map_and_numbers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path) -> None:
    out = tmp_path / "map"
    arguments = ["--sample-voltage", "0.6:1.2:2", "--sampling-time", "1e-4:1e-3:2", "--count", "16", "--quiet"]
    assert run(monkeypatch, "sweep", weights, *arguments, "--out", out) == 0
    lines = (out / "sweep.csv").read_text().splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("sample_voltage [V],sampling_time [s]")
    with Image.open(out / "sweep.png") as figure:
        assert figure.size[0] > 400


REFUSALS = [
    (["generate", "mnist", "--count", "0"], "count", "1 to"),
    (["generate", "mnist", "--sampling-time", "-1 ms"], "sampling_time", "positive"),
    (["generate", "mnist", "--sampling-time", "3 V"], "sampling_time", "in s"),
    (["generate", "mnist", "--sample-voltage", "9"], "sample_voltage", "1.5 V"),
    (["generate", "mnist", "--multiply-voltage", "0"], "multiply_voltage", "positive"),
    (["generate", "mnist", "--temperature", "4 K"], "temperature", "250 K"),
    (["generate", "mnist", "--card", "no-such-card"], "no-such-card", "hzo-mfis-nor"),
    (["generate", "mnist", "--card", "absent.toml"], "absent.toml", "does not exist"),
    (["generate", "absent.safetensors"], "absent.safetensors", "does not exist"),
    (["generate", "mnist", "--seed", "-4"], "seed", "from 0"),
    (["generate", "mnist", "--threads", "0"], "threads", "at least 1"),
    (["generate", "mnist", "--first", "-1"], "first", "not negative"),
    (["generate", "mnist", "--pairs-per-latent", "0"], "pairs_per_latent", "at least 1"),
    (["generate", "mnist", "--pairs-per-latent", "1000"], "latent", "pairs"),
    (["sweep", "mnist", "--sample-voltage", "1:2"], "sample_voltage", "low:high:count"),
    (["sweep", "mnist", "--sampling-time", "1e-5:1e-2:0"], "sampling_time", "low:high:count"),
    (["sweep", "mnist", "--sample-voltage", "0.5:5:3"], "sample_voltage", "1.5 V"),
    (["sweep", "mnist", "--count", "2"], "count", "16"),
    (["evaluate", "mnist", "--data", "absent-folder"], "absent-folder", "do not exist"),
    (["characterise", "no-such-card"], "no-such-card", "hzo-mfis-nor"),
    (["train", "--data", "absent-folder"], "absent-folder", "do not exist"),
    (["sweep", "mnist", "--sample-voltage", "1.4:0.2:2"], "sample_voltage", "rise from low to high"),
    (["sweep", "mnist", "--sample-voltage", "1.2:1.2:2"], "sample_voltage", "rise from low to high"),
    (["sweep", "mnist", "--sampling-time", "1e-2:1e-5:3"], "sampling_time", "rise from low to high"),
    (["sweep", "mnist", "--sample-voltage", "0.2:1.2:²"], "sample_voltage", "low:high:count"),
    (["sweep", "mnist", "--features", "absent.safetensors"], "absent.safetensors", "does not exist. Check the path.\n"),
    (["generate", "mnist", "--count", "abc"], "'--count'", "ferrogen generate --help"),
    (["generate", "mnist", "--flavour", "1"], "--flavour", "ferrogen generate --help"),
    (["paint"], "paint", "ferrogen --help"),
]


def test_a_folder_in_the_place_of_a_result_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "od" / "run.json").mkdir(parents=True)
    assert run(monkeypatch, "generate", weights, "--count", "1", "--quiet", "--out", tmp_path / "od") == 2
    message = capsys.readouterr().err
    assert "run.json" in message
    assert message.count("\n") == 1
    assert [path.name for path in (tmp_path / "od").iterdir()] == ["run.json"]


@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.parametrize("how", ["--resume", "--fresh"])
def test_an_interrupted_training_says_how_to_continue(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], saved: bool, how: str
) -> None:
    def interrupted(_spec: object, _data: object, _settings: object, out: Path, **_named: object) -> None:
        if saved:
            (out / "checkpoint.safetensors").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("ferrogen.generation.training.train", interrupted)
    images = np.zeros((8, 28, 28), np.uint8)
    data = ImageSet(images, None, images, None)
    monkeypatch.setattr("ferrogen.generation.datasets.loading.load_data", lambda *_, **__: data)
    assert run(monkeypatch, "train", "--data", "x", "--out", tmp_path, how, "--quiet") == 130
    message = capsys.readouterr().err
    assert message.startswith("ferrogen: interrupted")
    assert message.count("\n") == 1
    assert ("checkpoint" in message) == saved
    assert ("without --fresh" in message) == (saved and how == "--fresh")


def test_help_is_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, code in (([], 2), (["--help"], 0), (["generate", "--help"], 0)):
        assert run(monkeypatch, *arguments) == code
        captured = capsys.readouterr()
        assert "Usage: " in captured.out + captured.err
        assert not captured.err.startswith("ferrogen: ")


@pytest.mark.parametrize(("arguments", "names", "remedy"), REFUSALS, ids=lambda value: str(value)[:40])
def test_wrong_input_ends_in_one_clear_line(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    names: str,
    remedy: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, *arguments, "--out", "out") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("ferrogen: ")
    assert captured.err.count("\n") == 1
    assert names in captured.err
    assert remedy.lower() in captured.err.lower()
    left = list(tmp_path.rglob("*"))
    assert all(path.is_dir() for path in left)
    assert not [path for path in left if path.name.startswith(".unfinished")]


def test_damaged_weight_files_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors.torch import load_file, save_file

    truncated = tmp_path / "truncated.safetensors"
    truncated.write_bytes(weights.read_bytes()[:1000])
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(3)}, foreign)
    text = tmp_path / "text.safetensors"
    text.write_text("these are not the weights you are looking for")
    poisoned = tmp_path / "nan.safetensors"
    tensors = load_file(weights)
    tensors["decoder.layers.0.weight"][0, 0] = float("nan")
    from safetensors import safe_open

    with safe_open(weights, "pt") as opened:
        metadata = opened.metadata()
    save_file(tensors, poisoned, metadata=metadata)
    for path in (truncated, foreign, text, poisoned):
        assert run(monkeypatch, "generate", path, "--out", tmp_path / "out") == 2
        message = capsys.readouterr().err
        assert path.name in message
        assert message.count("\n") == 1
    assert "NaN" in message or "nan" in message


def test_an_unwritable_folder_is_refused_before_any_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("keep me")
    for out in (file, file / "below"):
        assert run(monkeypatch, "generate", weights, "--count", "1", "--out", out) == 2
        assert "--out" in capsys.readouterr().err
    assert file.read_text() == "keep me"


def test_results_of_an_earlier_run_survive_a_failing_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path
) -> None:
    out = tmp_path / "out"
    assert run(monkeypatch, "generate", weights, "--count", "2", "--quiet", "--out", out) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def fail(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ferrogen.report.grids.comparison_figure", fail)
    assert run(monkeypatch, "generate", weights, "--count", "3", "--quiet", "--out", out) == 130
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_help_does_not_import_the_heavy_libraries() -> None:
    code = (
        "import sys, ferrogen.cli.main;"
        "heavy = {'torch', 'scipy', 'matplotlib', 'numba', 'numpy'} & set(sys.modules);"
        "print(*sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
