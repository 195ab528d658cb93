"""Training: equal seeds give equal bits, however often a run is stopped."""

from __future__ import annotations

import csv
import hashlib
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from ferrogen.core.errors import ArgumentError, DataFileError, FerrogenError
from ferrogen.generation.checkpoint import restore_checkpoint
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.generation.model import VAESpec
from ferrogen.generation.model_file import load_vae
from ferrogen.generation.trainer import CURVES, Trainer, TrainingSettings
from ferrogen.generation.training import CHECKPOINT_NAME, as_tensor, train

SPEC = VAESpec(latent=4, hidden=(32,), encoder_channels=(4, 4, 4))
SETTINGS = TrainingSettings(epochs=3, batch=16, seed=3)


def tiny(seed: int = 0) -> ImageSet:
    """Bright bars at four heights: 64 training images, four steps an epoch."""
    generator = np.random.default_rng(seed)
    rows = generator.choice([4, 10, 16, 22], 80)
    images = np.zeros((80, 28, 28), np.uint8)
    images[np.arange(80), rows, 4:24] = 255
    labels = (rows // 10).astype(np.uint8)
    return ImageSet(images[:64], labels[:64], images[64:], labels[64:])


def test_same_seed_same_bits_and_another_seed_another(tmp_path: Path) -> None:
    first = train(SPEC, tiny(), SETTINGS, tmp_path / "a").read_bytes()
    assert train(SPEC, tiny(), SETTINGS, tmp_path / "b").read_bytes() == first
    assert train(SPEC, tiny(), SETTINGS.model_copy(update={"seed": 4}), tmp_path / "c").read_bytes() != first


def test_global_generators_are_left_alone(tmp_path: Path) -> None:
    before, before_numpy = torch.get_rng_state(), str(np.random.get_state())  # noqa: NPY002 (what must not move)
    threads = torch.get_num_threads()
    train(SPEC, tiny(), SETTINGS.model_copy(update={"epochs": 1}), tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    assert str(np.random.get_state()) == before_numpy  # noqa: NPY002
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("adversarial_weight", [0.0, 1.0])
def test_killed_and_resumed_is_the_same_to_the_last_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, adversarial_weight: float
) -> None:
    settings = SETTINGS.model_copy(update={"adversarial_weight": adversarial_weight})
    whole = train(SPEC, tiny(), settings, tmp_path / "whole")
    step = Trainer.step

    def dies(self: Trainer) -> tuple[float, ...]:
        if self.steps_done == 10:  # in the middle of the third and last epoch
            raise MemoryError
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", dies)
        with pytest.raises(MemoryError):
            train(SPEC, tiny(), settings, tmp_path / "killed")
    assert [path.name for path in (tmp_path / "killed").iterdir()] == [CHECKPOINT_NAME]
    done: list[int] = []

    def counted(self: Trainer) -> tuple[float, ...]:
        done.append(self.steps_done)
        return step(self)

    monkeypatch.setattr(Trainer, "step", counted)
    resumed = train(SPEC, tiny(), settings, tmp_path / "killed")
    assert done == list(range(8, 12))  # the last checkpoint was after the second epoch
    assert resumed.read_bytes() == whole.read_bytes()
    assert (tmp_path / "killed" / "curves.csv").read_bytes() == (tmp_path / "whole" / "curves.csv").read_bytes()


def test_control_c_leaves_a_checkpoint_of_that_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)  # a shell in the background ignores it
    whole = train(SPEC, tiny(), SETTINGS, tmp_path / "whole")
    step = Trainer.step

    def interrupted(self: Trainer) -> tuple[float, ...]:
        if self.steps_done == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(SPEC, tiny(), SETTINGS, tmp_path / "stopped")
    assert signal.getsignal(signal.SIGINT) is before
    trainer = Trainer(SPEC, SETTINGS, as_tensor(tiny().train_images))
    record = Path(tmp_path / "stopped" / CHECKPOINT_NAME)
    restore_checkpoint(record, trainer, hashlib.sha256(tiny().train_images.tobytes()).hexdigest())
    assert trainer.steps_done == 7  # the step in which it came was finished
    assert train(SPEC, tiny(), SETTINGS, tmp_path / "stopped").read_bytes() == whole.read_bytes()


def test_checkpoint_of_another_run_is_refused_by_name(tmp_path: Path) -> None:
    train(SPEC, tiny(), SETTINGS, tmp_path)
    with pytest.raises(ArgumentError, match=r"`seed` must be 3, .* but it is 5\. Start anew with --fresh"):
        train(SPEC, tiny(), SETTINGS.model_copy(update={"seed": 5}), tmp_path)
    with pytest.raises(ArgumentError, match="`latent` must be 4"):
        train(SPEC.model_copy(update={"latent": 5}), tiny(), SETTINGS, tmp_path)
    with pytest.raises(ArgumentError, match="`data_sha256` must be"):
        train(SPEC, tiny(seed=1), SETTINGS, tmp_path)
    changed = SETTINGS.model_copy(update={"seed": 5})
    fresh = train(SPEC, tiny(), changed, tmp_path, resume=False)
    assert fresh.read_bytes() == train(SPEC, tiny(), changed, tmp_path / "new").read_bytes()


def test_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    train(SPEC, tiny(), SETTINGS, tmp_path)
    checkpoint = tmp_path / CHECKPOINT_NAME
    whole = checkpoint.read_bytes()
    for content in (b"", whole[:-1], (tmp_path / "vae.safetensors").read_bytes()):
        checkpoint.write_bytes(content)
        with pytest.raises(DataFileError, match="checkpoint") as caught:
            train(SPEC, tiny(), SETTINGS, tmp_path)
        assert "\n" not in str(caught.value)


def test_it_learns_and_leaves_curves_figure_and_card(tmp_path: Path) -> None:
    settings = TrainingSettings(epochs=40, batch=16, seed=1, adversarial_weight=0.0, encoder_rate=3e-3)
    settings = settings.model_copy(update={"learning_rate": 3e-3, "averaging": 0.9, "weight_noise": 0.0})
    model = load_vae(train(SPEC, tiny(), settings, tmp_path))
    rows = list(csv.reader((tmp_path / "curves.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[0] == ["step", "epoch", *CURVES]
    assert len(rows) == 161
    reconstruction = [float(row[2]) for row in rows[1:]]
    assert reconstruction[-1] < 0.4 * reconstruction[0]
    pixels = as_tensor(tiny().test_images)
    with torch.no_grad():
        error, of_black = (model(pixels) - pixels).square().sum(1).mean(), pixels.square().sum(1).mean()
    assert error < 0.7 * of_black
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    card = (tmp_path / "model-card.md").read_text(encoding="utf-8")
    assert "--epochs 40 --seed 1 --latent 4" in card
    assert "64 images of a data set not recognised" in card
    assert "Frechet" not in card  # the feature network knows only digits


def test_weight_noise_is_part_of_the_loss_but_not_of_the_weights() -> None:
    quiet, noisy = (
        Trainer(SPEC, SETTINGS.model_copy(update={"weight_noise": noise}), as_tensor(tiny().train_images))
        for noise in (0.0, 0.3)
    )
    weight = quiet.model.decoder.layers[0].weight.detach().clone()
    assert quiet.step()[0] != noisy.step()[0]
    for trainer in (quiet, noisy):
        # Adam's first step is at most its rate.
        assert (trainer.model.decoder.layers[0].weight - weight).abs().max() <= SETTINGS.learning_rate * 1.01


def test_what_is_kept_is_an_average_that_follows_fast_at_first() -> None:
    trainer = Trainer(SPEC, SETTINGS, as_tensor(tiny().train_images))
    trainer.step()
    first = trainer.model.decoder.layers[1].weight.detach().clone()
    assert torch.equal(trainer.result().decoder.layers[1].weight, first)
    trainer.step()
    second = trainer.model.decoder.layers[1].weight
    expected = first + (second - first) * 20 / 21
    assert torch.allclose(trainer.result().decoder.layers[1].weight, expected, atol=1e-7)
    assert not torch.equal(first, second)


def test_divergence_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FerrogenError, match="Training diverged"):
        train(SPEC, tiny(), SETTINGS.model_copy(update={"encoder_rate": 1e30}), tmp_path)
    assert not (tmp_path / "vae.safetensors").exists()


def test_unusable_images_are_refused(tmp_path: Path) -> None:
    data = tiny()
    small = ImageSet(data.train_images[:, :20], data.train_labels, data.test_images[:, :20], data.test_labels)
    with pytest.raises(ArgumentError, match=r"28 x 28 pixels, but it is of shape \(64, 20, 28\)"):
        train(SPEC, small, SETTINGS, tmp_path)
    few = ImageSet(data.train_images[:8], data.train_labels[:8], data.test_images, data.test_labels)
    with pytest.raises(ArgumentError, match=r"at least one batch \(16\)"):
        train(SPEC, few, SETTINGS, tmp_path)
