"""Training a decoder for chips: what it learns, and that runs repeat and resume bit by bit."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from ferrogen.chip.chip import Chip
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.converters import ADC
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.wires import IdealWires
from ferrogen.cli.main import app
from ferrogen.core.errors import ArgumentError, FerrogenError
from ferrogen.device.card import load_card
from ferrogen.generation.checkpoint import restore_checkpoint, save_checkpoint
from ferrogen.generation.convolutional.model import ConvVAE, ConvVAESpec
from ferrogen.generation.hardware_aware.conditions import Conditions
from ferrogen.generation.hardware_aware.settings import HardwareSettings
from ferrogen.generation.hardware_aware.train import train_for_hardware
from ferrogen.generation.hardware_aware.trainer import FIRST_IMAGE, HardwareTrainer
from ferrogen.generation.model import VAE, VAESpec, initialise
from ferrogen.generation.model_file import AnyVAE, load_vae

CARD = "hzo-mfis-nor"
SMALL = ChipSpec(rows=32, columns=64, tiles=64, periphery=Periphery(wires=IdealWires()))
SETTINGS = HardwareSettings(
    target="chip", chip_seed=5, steps=8, steps_per_chip=2, steps_per_epoch=4, batch=16, held_out=32,
    calibration_reads=512, conditions=Conditions(stuck_share=0.05),
)  # fmt: skip


def tiny(seed: int = 0) -> VAE:
    model = VAE(VAESpec(latent=4, hidden=(16,), encoder_channels=(2, 2, 2)))
    initialise(model, torch.Generator().manual_seed(seed))
    return model.eval()


def tiny_convolutional() -> ConvVAE:
    model = ConvVAE(ConvVAESpec(side=8, channels=1, latent=4, decoder_channels=(8,), encoder_channels=(4,)))
    initialise(model, torch.Generator().manual_seed(1))
    return model.eval()


def trainer(settings: HardwareSettings = SETTINGS, model: AnyVAE | None = None) -> HardwareTrainer:
    return HardwareTrainer(model or tiny_convolutional(), load_card(CARD), settings, SMALL)


def run(of: HardwareTrainer, steps: int) -> None:
    for _ in range(steps):
        of.step()


def same(one: AnyVAE, other: AnyVAE) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_conditions_are_those_of_card_and_chip() -> None:
    whole = Conditions(levels=4, adc_bits=6, programming_error=0.05, stuck_share=0.01)
    spec = whole.chip_spec(ChipSpec())
    assert whole.card(load_card(CARD)).programmable_levels.value == 4.0
    assert isinstance(spec.periphery.multiply_adc, ADC)
    assert spec.periphery.multiply_adc.bits == 6
    assert spec.fault_rates is not None
    assert spec.fault_rates.stuck_on == spec.fault_rates.stuck_off == 0.005
    chip = Chip(load_card(CARD), seed=1, spec=Conditions(programming_error=0.05).chip_spec(ChipSpec()))
    target = np.full((128, 128), chip.window.low + chip.window.span / 2.0)
    tile = chip.program(0, target)
    off = tile.conductance(tile.population()) - tile.state.target
    # 16384 cells: the standard error of the rms is 0.55 %; four of them.
    assert np.sqrt(np.mean(off**2)) / chip.window.span == pytest.approx(0.05, rel=0.022)


@pytest.mark.parametrize("model", [tiny(), tiny_convolutional()], ids=["linear", "convolutional"])
def test_a_training_forward_is_what_the_chip_makes(model: AnyVAE) -> None:
    """Without gradients in the way: the mean over many draws is that of the chip, stuck cells and all."""
    made = trainer(SETTINGS.model_copy(update={"batch": 400}), model)
    session = made._ready()
    latents = torch.from_numpy(np.repeat(session.generator.draw_latents(FIRST_IMAGE, 1), 400, axis=0))
    numbers = torch.arange(400)
    trained = session.forward(latents, numbers).detach()
    real = torch.from_numpy(session.generator.decode(latents.numpy(), numbers.numpy())).reshape(trained.shape)
    error = ((trained.var(dim=0) + real.var(dim=0)) / 400.0).sqrt()
    worst = ((trained.mean(dim=0) - real.mean(dim=0)).abs() - 1e-5).clamp(min=0.0) / error.clamp(min=1e-7)
    assert float(worst.max()) < 5.0  # false alarm below 1e-3 over 784 pixels


@pytest.mark.parametrize("model", [tiny(), tiny_convolutional()], ids=["linear", "convolutional"])
def test_stuck_cells_are_compensated_on_their_own_chip(model: AnyVAE) -> None:
    of = trainer(SETTINGS.model_copy(update={"steps_per_epoch": 2}), model)
    run(of, 2)
    before, after = of.losses()
    assert after < 0.8 * before
    kept = of.held_out_loss(of.programmed(of.chip_of(0), of.average))
    assert kept == of.losses().min()


def test_a_resumed_run_has_the_same_bits_in_mid_session_too(tmp_path: Path) -> None:
    whole = trainer()
    run(whole, SETTINGS.steps)
    stop = 3  # between two steps with the same chip; after an epoch: the run that is killed, below
    first = trainer()
    run(first, stop)
    empty = torch.empty(0, 1 + len(first.curves), dtype=torch.float64)
    save_checkpoint(tmp_path / "c.safetensors", first, empty, "")
    second = trainer()
    restore_checkpoint(tmp_path / "c.safetensors", second, "")
    run(second, SETTINGS.steps - stop)
    assert same(second.model, whole.model)
    assert same(second.result(), whole.result())
    assert np.array_equal(second.losses(), whole.losses())


def test_another_seed_is_another_population() -> None:
    weights = []
    for seed in (0, 0, 1):
        of = trainer(SETTINGS.model_copy(update={"target": "population", "seed": seed}))
        run(of, 1)
        weights.append(of.model)
    assert same(weights[0], weights[1])
    assert not same(weights[0], weights[2])
    chips = [of.chip_of(number).seed for number in range(4)]
    assert len(set(chips)) == 4


def test_patience_ends_a_run_and_the_best_weights_stay() -> None:
    of = trainer(SETTINGS.model_copy(update={"learning_rate": 0.3, "patience": 1, "steps": 400}))
    while of.steps_done < of.steps:
        of.step()
    losses = of.losses()
    assert of.steps_done < 400
    assert losses[-1] >= losses[:-1].min()
    assert of.held_out_loss(of.programmed(of.chip_of(0), of.average)) == losses.min()


def test_settings_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"`steps` must be a multiple of steps_per_epoch, 4, but it is 9"):
        trainer(SETTINGS.model_copy(update={"steps": 9}))


_KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {folder!r})
import test_hardware_training as here
from ferrogen.generation.hardware_aware.train import train_for_hardware
from ferrogen.generation.hardware_aware.trainer import HardwareTrainer
step = HardwareTrainer.step
def dying(self):
    if self.steps_done == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self)
HardwareTrainer.step = dying
train_for_hardware(here.tiny_convolutional(), here.CARD, here.SETTINGS, Path({out!r}), chip_spec=here.SMALL)
"""


def test_a_killed_run_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = train_for_hardware(tiny_convolutional(), CARD, SETTINGS, tmp_path / "whole", chip_spec=SMALL)
    script = _KILLED.format(folder=str(Path(__file__).parent), out=str(tmp_path / "killed"))
    died = subprocess.run([sys.executable, "-c", script], env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False)
    assert died.returncode == -9
    assert not (tmp_path / "killed" / "vae.safetensors").exists()
    resumed = train_for_hardware(tiny_convolutional(), CARD, SETTINGS, tmp_path / "killed", chip_spec=SMALL)
    assert resumed.read_bytes() == whole.read_bytes()
    folder = tmp_path / "whole"
    assert same(load_vae(whole), load_vae(resumed))
    card = (folder / "model-card.md").read_text(encoding="utf-8")
    assert "the one chip of seed 5" in card
    assert "5.0% stuck cells" in card
    with (folder / "held-out.csv").open(encoding="utf-8") as file:
        assert len(list(csv.reader(file))) == 4
    assert (folder / "curves.png").stat().st_size > 5000
    other = SETTINGS.model_copy(update={"chip_seed": 6})
    with pytest.raises(ArgumentError, match="chip_seed"):
        train_for_hardware(tiny_convolutional(), CARD, other, tmp_path / "killed", chip_spec=SMALL)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--hardware-aware", CARD, "--data", "x"], "`data` must be left out with --hardware-aware"),
        (["--hardware-aware", CARD, "--steps", "90"], "`steps` must be a multiple of steps_per_epoch, 100"),
        (["--hardware-aware", CARD, "--adc-bits", "1"], "adc_bits"),
        (["--hardware-aware", "nowhere"], "nowhere"),
        (["--chip", "3", "--data", "x"], "`chip` must be left out without --hardware-aware"),
        ([], "`data` must be given"),
    ],
)
def test_bad_options_are_refused_in_one_line(options: list[str], said: str, tmp_path: Path) -> None:
    refused = CliRunner().invoke(app, ["train", *options, "--out", str(tmp_path / "out"), "--quiet"]).exception
    assert isinstance(refused, FerrogenError)
    assert said in str(refused)
    assert "\n" not in str(refused)
