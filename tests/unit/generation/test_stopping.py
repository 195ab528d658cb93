"""Early stopping: what is watched, when a run ends, and which weights it keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ferrogen.core.errors import ArgumentError, FerrogenError
from ferrogen.generation import training
from ferrogen.generation.convolutional.model import ConvVAESpec
from ferrogen.generation.convolutional.trainer import ConvTrainer, ConvTrainingSettings
from ferrogen.generation.datasets.description import DataDescription
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.generation.model import VAESpec
from ferrogen.generation.model_file import load_description, load_vae
from ferrogen.generation.recipes import recipe_for
from ferrogen.generation.stopping import is_best, should_stop, split_validation, validation_loss
from ferrogen.generation.trainer import Trainer, TrainingSettings

SPEC = VAESpec(latent=2, hidden=(8,), encoder_channels=(2, 2, 2))
SETTINGS = TrainingSettings(epochs=6, batch=8, seed=1)


def noise(count: int = 40, *size: int) -> ImageSet:
    images = np.random.default_rng(0).integers(0, 256, (count, *(size or (28, 28))), np.uint8)
    return ImageSet(images[:-4], np.arange(count - 4), images[-4:], np.arange(4))


def test_a_tenth_is_taken_from_the_training_images_and_nothing_is_lost() -> None:
    data = noise()
    kept, taken = split_validation(data, 5)
    assert len(taken) == 4
    assert (kept.train_images == data.train_images[kept.train_labels]).all()
    together = np.concatenate([kept.train_images, taken]).reshape(36, -1)
    assert sorted(map(bytes, together)) == sorted(map(bytes, data.train_images.reshape(36, -1)))
    assert (kept.test_images == data.test_images).all()
    assert not np.array_equal(taken, split_validation(data, 6)[1])
    with pytest.raises(ArgumentError, match="at least two training images"):
        split_validation(ImageSet(data.train_images[:1], None, data.test_images, None), 0)


@pytest.mark.parametrize(
    ("losses", "best", "stop"),
    [
        ([3.0], True, False),
        ([3.0, 2.0], True, False),
        ([2.0, 2.0], False, False),
        ([2.0, 3.0, 2.0], False, True),
        ([2.0, 3.0, 1.9], True, False),
        ([2.0, 1.0, 1.5, 1.2], False, True),
    ],
)
def test_patience_of_two_epochs(losses: list[float], best: bool, stop: bool) -> None:
    assert is_best(losses) == best
    assert should_stop(losses, 2) == stop


def test_the_loss_is_that_of_a_vae_written_out() -> None:
    data = noise(12)
    model = Trainer(SPEC, SETTINGS, training.as_tensor(data.train_images)).result()
    generator = torch.Generator().manual_seed(0)
    real = training.as_tensor(data.test_images)
    mean, log_variance = model.encoder(real)
    expected = []
    for _ in range(200):  # over the latents' noise, which the loss draws once
        latents = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=generator)
        made = model.decoder(latents).clamp(1e-7, 1 - 1e-7)
        pixels = -(real * made.log() + (1 - real) * (1 - made).log()).sum(1)
        divergence = torch.distributions.kl_divergence(
            torch.distributions.Normal(mean, (log_variance / 2).exp()), torch.distributions.Normal(0.0, 1.0)
        ).sum(1)
        expected.append(float((pixels + divergence).mean().detach()))
    found = validation_loss(model, data.test_images, SETTINGS)
    assert found == validation_loss(model, data.test_images, SETTINGS)
    assert abs(found - np.mean(expected)) < 6 * np.std(expected)
    without = validation_loss(model, data.test_images, SETTINGS.model_copy(update={"divergence_weight": 0.0}))
    terms = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2 / len(real)
    assert found - without == pytest.approx(float(terms.detach()), rel=1e-3)


def test_a_run_ends_and_keeps_the_best_epochs_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([5.0, 3.0, 4.0, 3.5, 1.0])
    kept: list[dict[str, torch.Tensor]] = []

    def scripted(model: torch.nn.Module, *_: object) -> float:
        kept.append({name: value.clone() for name, value in model.state_dict().items()})
        return next(losses)

    monkeypatch.setattr(training, "validation_loss", scripted)
    path = training.train(SPEC, noise(), SETTINGS, tmp_path, patience=2)
    assert len(kept) == 4
    for name, value in load_vae(path).state_dict().items():
        assert torch.equal(value, kept[1][name])
    card = (tmp_path / "model-card.md").read_text(encoding="utf-8")
    assert "4 epochs were run; the weights are those after epoch 2, with a loss of 3.0 nats" in card
    assert not (tmp_path / training.BEST_NAME).exists()


@pytest.mark.parametrize("dies", ["step", "save_checkpoint"])
def test_early_stopping_survives_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies: str) -> None:
    settings = SETTINGS.model_copy(update={"encoder_rate": 0.05, "learning_rate": 0.05})
    whole = training.train(SPEC, noise(), settings, tmp_path / "whole", patience=1)
    with monkeypatch.context() as patch:
        calls: list[None] = []
        owner, limit = (Trainer, 6) if dies == "step" else (training, 1)
        original = getattr(owner, dies)

        def dying(*arguments: object) -> object:
            calls.append(None)
            if len(calls) > limit:  # after the best weights were written, before the checkpoint that knows of them
                raise MemoryError
            return original(*arguments)

        patch.setattr(owner, dies, dying)
        with pytest.raises(MemoryError):
            training.train(SPEC, noise(), settings, tmp_path / "killed", patience=1)
    resumed = training.train(SPEC, noise(), settings, tmp_path / "killed", patience=1)
    assert resumed.read_bytes() == whole.read_bytes()


def test_bad_patience_is_named(tmp_path: Path) -> None:
    for patience in (0, -1, 1.5, True):
        with pytest.raises(ArgumentError, match="`patience` must be a whole number of epochs"):
            training.train(SPEC, noise(), SETTINGS, tmp_path / "out", patience=patience)
    assert not (tmp_path / "out").exists()


def test_recipe_of_digits_and_of_faces_are_those_of_the_shipped_weights() -> None:
    digits = ImageSet(np.broadcast_to(np.uint8(0), (60_000, 28, 28)), None, np.zeros((1, 28, 28), np.uint8), None)
    assert recipe_for(digits) == (VAESpec(), TrainingSettings())
    faces = ImageSet(np.broadcast_to(np.uint8(0), (8000, 64, 64, 3)), None, np.zeros((1, 64, 64, 3), np.uint8), None)
    assert recipe_for(faces) == (ConvVAESpec(), ConvTrainingSettings())
    spec, settings = recipe_for(faces, epochs=3, seed=9, latent=5, threads=4)
    assert spec == ConvVAESpec(latent=5)
    assert settings == ConvTrainingSettings(epochs=3, seed=9, threads=4)


@pytest.mark.parametrize("size", [(16, 16), (32, 32, 3), (64, 64), (128, 128, 3)])
def test_recipes_of_other_sizes_fit_together(size: tuple[int, ...]) -> None:
    data = ImageSet(np.zeros((20, *size), np.uint8), None, np.zeros((2, *size), np.uint8), None)
    spec, settings = recipe_for(data)
    assert isinstance(spec, ConvVAESpec)
    assert isinstance(settings, ConvTrainingSettings)
    assert settings.batch == 16  # of whole groups of eight
    assert settings.vae_weight * spec.pixel_values == pytest.approx(1e-4 * 3 * 64**2)
    assert isinstance(training.make_trainer(spec, settings, data), ConvTrainer)


def test_sides_and_numbers_that_no_network_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="`side` must be one of 16, 32, 64, 128, 256 pixels, but it is 28 pixels"):
        recipe_for(noise(40, 28, 28, 3))
    with pytest.raises(ArgumentError, match="at least 8 training images, but it is 6"):
        recipe_for(noise(10))
    spec, settings = recipe_for(noise(40, 16, 16))
    with pytest.raises(ArgumentError, match="16 x 16 pixels, but it is of shape"):
        training.train(spec, noise(40, 16, 16, 3), settings, tmp_path)
    wide = settings.model_copy(update={"critic_channels": (4, 4, 4)})
    with pytest.raises(ArgumentError, match="`critic_channels` must have 2 entries"):
        training.train(spec, noise(40, 16, 16), wide, tmp_path)
    with pytest.raises(ArgumentError, match="`settings` must be those of the same kind"):
        training.train(spec, noise(40, 16, 16), SETTINGS, tmp_path)


def test_a_convolutional_run_leaves_curves_card_terms_and_description(tmp_path: Path) -> None:
    spec = ConvVAESpec(side=16, channels=3, latent=2, decoder_channels=(4, 4), encoder_channels=(4, 4))
    settings = ConvTrainingSettings(epochs=1, batch=8, threads=1, critic_channels=(4, 4))
    described = DataDescription(
        name="mine", side=16, channels=3, crop=0.5, source="Mine", licence="Own", terms="Only for tests."
    )
    data = noise(40, 16, 16, 3)
    data = ImageSet(data.train_images, None, data.test_images, None, (), described, ("bad|name.png",))
    path = training.train(spec, data, settings, tmp_path)
    assert load_description(path) == described
    card = (tmp_path / "model-card.md").read_text(encoding="utf-8")
    for text in (
        "| Data | Mine |",
        "| Licence of the data | Own |",
        "Only for tests.",
        "36 to learn from, 4 held out; 1 could not be read and were left out: `'bad/name.png'`",
        f"`{data.fingerprint}`",
        "--side 16 --colour --threads 1 --skip-corrupt",
        "the central square of 0.5 of the shorter side",
        "1 transposed convolutions (channels 4, 4)",
        "| `critic_channels` | (4, 4) |",
    ):
        assert text in card
    header = (tmp_path / "curves.csv").read_text(encoding="utf-8").splitlines()[0]
    assert (
        header == "step,epoch,reconstruction_error,divergence_nats,critic_loss,decoder_adversarial_loss,feature_error"
    )


def test_a_validation_loss_that_is_no_number_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "validation_loss", lambda *_: float("nan"))
    with pytest.raises(FerrogenError, match="diverged"):
        training.train(SPEC, noise(), SETTINGS, tmp_path, patience=3)
