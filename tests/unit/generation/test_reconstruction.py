"""Reconstructions: the encoder's law, the chip's noise, the errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ferrogen.chip.chip import Chip
from ferrogen.core.errors import ArgumentError
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.model import VAE, VAESpec, initialise
from ferrogen.generation.reconstruction import encode, reconstruct


@pytest.fixture(scope="module")
def generator() -> ChipGenerator:
    model = VAE(VAESpec(latent=4, hidden=(32,), encoder_channels=(2, 2, 2)))
    initialise(model, torch.Generator().manual_seed(3))
    return ChipGenerator(model.eval(), Chip("hzo-mfis-nor", seed=1))


PICTURES = np.random.default_rng(2).random((5, 28, 28), dtype=np.float32)


def test_draws_are_mean_plus_deviation_times_the_chips_noise(generator: ChipGenerator) -> None:
    found = reconstruct(generator, PICTURES, draws=3, first=40)
    with torch.inference_mode():
        mean, log_variance = generator.vae.encoder(torch.from_numpy(PICTURES).reshape(5, 784))
    noise = generator.draw_latents(40, 15)
    by_hand = mean.numpy().repeat(3, axis=0) + np.exp(0.5 * log_variance.numpy()).repeat(3, axis=0) * noise
    assert found.latents.reshape(15, 4) == pytest.approx(by_hand, abs=1e-5)
    again = generator.decode(found.latents.reshape(15, 4), np.arange(40, 55))
    assert np.array_equal(found.draws.reshape(15, 28, 28), again)
    assert np.array_equal(found.ideal, generator.decode_ideally(mean.numpy()))
    assert np.array_equal(found.from_mean, generator.decode(mean.numpy(), np.arange(55, 60)))
    assert found.mean_of_draws == pytest.approx(found.draws.mean(axis=1), abs=1e-6)


def test_errors_are_root_mean_squares_with_intervals_over_images(generator: ChipGenerator) -> None:
    found = reconstruct(generator, PICTURES, draws=2)
    each = np.sqrt(((found.draws - PICTURES[:, None]) ** 2).reshape(5, 2, -1).mean(axis=2))
    score = found.scores["chip_draws_rms_error"]
    assert score.value == pytest.approx(each.mean(), rel=1e-5)
    assert score.n == 5
    assert score.low < score.value < score.high
    decibels = -20 * np.log10(np.sqrt(((found.ideal - PICTURES) ** 2).reshape(5, -1).mean(axis=1)))
    assert found.scores["ideal_psnr"].value == pytest.approx(decibels.mean(), rel=1e-5)
    assert set(found.record["scores"]) == set(found.scores)
    assert len(found.scores) == 8
    # One image has an error, but no interval: JSON gets none.
    alone = reconstruct(generator, PICTURES[:1], draws=1)
    assert alone.record["scores"]["ideal_rms_error"]["low"] is None


def test_encoding_in_parts_is_encoding_at_once(generator: ChipGenerator) -> None:
    many = np.random.default_rng(0).random((501, 28, 28), dtype=np.float32)
    mean, deviation = encode(generator.vae, many)
    assert (deviation > 0).all()
    assert mean[500:] == pytest.approx(encode(generator.vae, many[500:])[0], abs=1e-5)


@pytest.mark.parametrize(
    ("pictures", "arguments", "says"),
    [
        (PICTURES[:0], {}, "at least one"),
        (PICTURES * 255, {}, "from 0 to 1"),
        (PICTURES * np.nan, {}, "from 0 to 1"),
        (PICTURES[:, :20], {}, "shape"),
        (PICTURES, {"draws": 0}, "draws"),
        (PICTURES, {"draws": 10**6}, "at most"),
        (PICTURES, {"first": -1}, "first"),
    ],
)
def test_what_cannot_be_reconstructed(
    generator: ChipGenerator, pictures: np.ndarray, arguments: dict[str, int], says: str
) -> None:
    with pytest.raises(ArgumentError, match=says):
        reconstruct(generator, pictures, **arguments)
