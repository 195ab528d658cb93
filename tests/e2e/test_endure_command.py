"""``ferrogen endure`` as a newcomer meets it: results, going on, refusals in one line."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from ferrogen.cli import main as cli
from ferrogen.generation.model import VAE, VAESpec, initialise
from ferrogen.generation.model_file import save_vae


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = VAE(VAESpec(latent=2, hidden=(16,), encoder_channels=(2, 2, 2)))
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


def usual(weights: Path, out: Path) -> list[str | Path]:
    return [
        "endure", weights, "--cycles", "20", "--images", "64", "--checkpoints", "1", "--features", "none",
        "--card", "ideal", "--quiet", "--threads", "1", "--out", out,
    ]  # fmt: skip


def test_it_is_stopped_and_goes_on_and_then_refuses_another_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ferrogen.generation.endurance.measure import Measure

    out, whole = tmp_path / "endure", Measure.checkpoint

    def stopped(self: Measure, cycle: int) -> dict[str, object]:
        if cycle == 10:
            raise KeyboardInterrupt
        return whole(self, cycle)

    monkeypatch.setattr(Measure, "checkpoint", stopped)
    assert run(monkeypatch, *usual(weights, out)) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert not (out / "endure.json").exists()
    made = {path: path.stat().st_mtime_ns for path in out.glob("records/*/*.json")}
    assert made

    monkeypatch.setattr(Measure, "checkpoint", whole)
    assert run(monkeypatch, *usual(weights, out)) == 0
    assert "policy none: stable over 20 cycles" in capsys.readouterr().out
    assert all(path.stat().st_mtime_ns == when for path, when in made.items())
    record = json.loads((out / "endure.json").read_text())
    assert record["spec"]["cycles"] == 20
    assert [item["policy"] for item in record["verdicts"]] == ["none", "full"]
    assert record["assumptions_of_the_run"]
    with (out / "endure.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["policy"], row["cycle [1]"]) for row in rows] == [
        ("as programmed", "0"), *[(name, cycle) for name in ("none", "full") for cycle in ("1", "10", "20")],
    ]  # fmt: skip
    assert float(rows[-1]["energy_since_start [J]"]) > float(rows[-2]["energy_since_start [J]"]) > 0.0
    assert rows[-1]["frechet_distance [1]"] == ""
    with Image.open(out / "endure.png") as figure:
        assert figure.size[0] > 1000
        assert figure.convert("L").getextrema()[0] < 100

    assert run(monkeypatch, *usual(weights, out), "--seed", "4") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "`seed` is 0, not 4" in error
    assert "--out" in error


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--cycles", "0"], "cycles"),
        (["--images", "3"], "images"),
        (["--policy", "all"], "policy"),
        (["--temperature-steps", "1e3"], "temperature_steps"),
        (["--temperature-steps", "1.5:300 K"], "temperature_steps"),
        (["--temperature-steps", "10:3000 K"], "temperature_steps"),
        (["--maintain-every", "0"], "every"),
        (["--features", "fashion"], "features"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    weights: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    names: str,
) -> None:
    out = tmp_path / "endure"
    assert run(monkeypatch, *usual(weights, out), *arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert names in error
    assert not out.exists()
