"""A convolutional model on a chip: the same pictures in any batch, near the float model, at any point."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.converters import IdealDAC
from ferrogen.circuit.periphery import Periphery
from ferrogen.core.errors import ArgumentError, CapacityError
from ferrogen.generation.convolutional.model import ConvVAE, ConvVAESpec
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.generation.decoder import CONVOLUTIONAL_TILE, chip_spec_for
from ferrogen.generation.evaluation import check_shape
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.model import VAE, VAESpec, initialise
from ferrogen.generation.provenance import provenance
from ferrogen.generation.run import generate
from ferrogen.generation.sweep import reference_moments
from ferrogen.sampler.latents import SamplerSpec

CARD = "hzo-mfis-nor"
SAMPLER = SamplerSpec(calibration_reads=512)
TILES = ChipSpec(rows=64, columns=64)


def model(channels: int = 3) -> ConvVAE:
    spec = ConvVAESpec(side=16, channels=channels, latent=6, decoder_channels=(8, 4), encoder_channels=(2, 2))  # type: ignore[arg-type]
    made = ConvVAE(spec)
    initialise(made, torch.Generator().manual_seed(2))
    return made.eval()


@pytest.fixture(scope="module")
def vae() -> ConvVAE:
    return model()


@pytest.fixture(scope="module")
def generator(vae: ConvVAE) -> ChipGenerator:
    return ChipGenerator(vae, Chip(CARD, seed=5, spec=TILES), sampler_spec=SAMPLER)


def test_a_picture_is_the_same_in_any_batch_and_order(generator: ChipGenerator) -> None:
    whole, latents = generator.images_and_latents(0, 12)
    assert whole.shape == (12, 16, 16, 3)
    assert np.array_equal(generator.images(7, 3), whole[7:10])
    order = np.random.default_rng(1).permutation(12)
    assert np.array_equal(generator.decode(latents[order], order), whole[order])
    assert np.array_equal(
        np.concatenate([generator.decode(latents[k : k + 1], np.array([k])) for k in range(3)]), whole[:3]
    )


def test_the_number_and_nothing_else_addresses_a_pictures_noise(generator: ChipGenerator) -> None:
    same = np.repeat(generator.draw_latents(3, 1), 3, axis=0)
    first, second, third = generator.decode(same, np.array([3, 3, 4]))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, third)


@pytest.mark.parametrize("convolutional", [True, False])
def test_float_products_are_made_in_aligned_blocks(vae: ConvVAE, *, convolutional: bool) -> None:
    """Circuits without products of whole numbers: every picture keeps its place in a block of 64."""
    spec = replace(TILES, periphery=Periphery(dac=IdealDAC()))
    other = VAE(VAESpec(latent=6, hidden=(16,), encoder_channels=(2, 2, 2)))
    initialise(other, torch.Generator().manual_seed(1))
    made = ChipGenerator(vae if convolutional else other.eval(), Chip(CARD, seed=5, spec=spec), sampler_spec=SAMPLER)
    assert not made.decoder.is_batch_invariant
    whole, latents = made.images_and_latents(62, 4)  # over the border of a block
    numbers = np.array([65, 62, 64, 63, 65])
    assert np.array_equal(made.decode(latents[numbers - 62], numbers), whole[numbers - 62])
    assert np.array_equal(made.images(64, 1), whole[2:3])


def test_pictures_are_near_the_float_models(generator: ChipGenerator) -> None:
    pictures, latents = generator.images_and_latents(0, 32)
    ideal = generator.decode_ideally(latents)
    rms = float(np.sqrt(np.mean((pictures - ideal) ** 2)))
    assert 0.0 < rms < 0.2 * float(ideal.std())
    with torch.inference_mode():
        expected = generator.vae.decoder(torch.from_numpy(latents)).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(ideal, expected, atol=1e-6)


def test_grey_pictures_have_no_colour_dimension() -> None:
    made = ChipGenerator(model(channels=1), Chip(CARD, seed=5, spec=TILES), sampler_spec=SAMPLER)
    assert made.images(0, 2).shape == (2, 16, 16)


def test_another_point_and_back(vae: ConvVAE, generator: ChipGenerator) -> None:
    made = ChipGenerator(vae, Chip(CARD, seed=5, spec=TILES), sampler_spec=SAMPLER)
    before = made.images(0, 2)
    assert np.array_equal(before, generator.images(0, 2))
    made.move(OperatingPoint(sample_voltage=0.8, multiply_voltage=0.05))
    assert not np.array_equal(before, made.images(0, 2))
    latents = made.draw_latents(0, 2)
    assert np.sqrt(np.mean((made.images(0, 2) - made.decode_ideally(latents)) ** 2)) < 0.1
    made.move(OperatingPoint.for_card(made.chip.device))
    assert np.array_equal(before, made.images(0, 2))


def test_what_a_picture_takes_is_counted(generator: ChipGenerator) -> None:
    """By hand: 128 linear outputs; 4 phases of 16 positions with 4 outputs of 32 rows; 64 positions with 12 of 36."""
    counts = provenance(generator, 10)["counts"]
    assert counts["products"] == 10 * (1 + 4 * 16 + 64)
    assert counts["product_conversions"] == 10 * (128 + 4 * 16 * 4 + 64 * 12)
    assert counts["multiply_accumulates"] == 10 * (6 * 128 + 4 * 16 * 4 * 32 + 64 * 12 * 36)


def test_the_chips_record_of_use_agrees_with_the_counts(vae: ConvVAE) -> None:
    made = ChipGenerator(vae, Chip(CARD, seed=5, spec=TILES), sampler_spec=SAMPLER)
    latents = made.draw_latents(0, 3)
    before = made.chip.usage.conversions
    made.decode(latents, np.arange(3))
    assert made.chip.usage.conversions - before == 3 * made.decoder.counts.conversions


def test_traps_followed_one_by_one_give_near_pictures(vae: ConvVAE, generator: ChipGenerator) -> None:
    latents = generator.draw_latents(0, 1)
    spied = generator.decoder(torch.from_numpy(latents), np.arange(1), "cell", first_cycle=512)
    made = spied.permute(0, 2, 3, 1).numpy()
    statistical = generator.decode(latents, np.arange(1))
    assert not np.array_equal(made, statistical)
    assert np.abs(made - statistical).max() < 0.2
    assert np.array_equal(generator.decode(latents, np.arange(1)), statistical)  # back at the other fidelity


def test_shared_and_dedicated_tiles_make_the_noise(vae: ConvVAE, generator: ChipGenerator) -> None:
    weights = set(generator.decoder.tiles)
    assert set(generator.sampling_tiles) <= weights
    other = ChipGenerator(vae, Chip(CARD, seed=5, spec=TILES), sampler_spec=SAMPLER, sampling="dedicated")
    assert not set(other.sampling_tiles) & set(other.decoder.tiles)
    assert not np.array_equal(other.draw_latents(0, 2), generator.draw_latents(0, 2))


def test_convolutions_get_large_tiles_unless_a_chip_is_given(vae: ConvVAE) -> None:
    assert (chip_spec_for(vae).rows, chip_spec_for(vae).columns) == CONVOLUTIONAL_TILE
    assert chip_spec_for(VAE(VAESpec())) == ChipSpec()
    record = generate(vae, Chip(CARD, seed=5, spec=TILES), count=1, sampler=SAMPLER).record
    assert (record["chip"]["tile_rows"], record["chip"]["tile_columns"]) == (64, 64)
    with pytest.raises(CapacityError, match="tiles"):
        ChipGenerator(vae, Chip(CARD, spec=replace(TILES, rows=16, tiles=1)))


@pytest.mark.parametrize(
    ("latents", "numbers", "name"),
    [
        (np.zeros((2, 5)), np.arange(2), "latents"),
        (np.zeros((0, 6)), np.arange(0), "latents"),
        (np.zeros((2, 6)), np.arange(3), "numbers"),
        (np.zeros((2, 6)), np.array([0, -1]), "numbers"),
    ],
)
def test_latents_and_numbers_that_do_not_fit_are_refused(
    generator: ChipGenerator, latents: np.ndarray, numbers: np.ndarray, name: str
) -> None:
    with pytest.raises(ArgumentError, match=name):
        generator.decode(latents.astype(np.float32), numbers)


def test_data_of_another_shape_are_refused(generator: ChipGenerator) -> None:
    digits = np.zeros((20, 28, 28), np.uint8)
    with pytest.raises(ArgumentError, match=r"16 x 16 RGB.*28 x 28 grey"):
        check_shape(generator, ImageSet(digits, None, digits, None))


def test_a_sweep_of_ones_own_network_needs_data(generator: ChipGenerator) -> None:
    from ferrogen.metrics.features import load_feature_network

    with pytest.raises(ArgumentError, match="data"):
        reference_moments(generator, load_feature_network("mnist"), None, "own.safetensors")
