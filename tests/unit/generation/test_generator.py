"""A model on a chip: addressed images, the float model as the limit, operating points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.errors import ArgumentError, CapacityError, ValidityError
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.model import VAE, VAESpec, initialise
from ferrogen.generation.run import generate
from ferrogen.generation.sweep import sweep
from ferrogen.sampler.latents import SamplerSpec

SAMPLER = SamplerSpec(calibration_reads=512)


@pytest.fixture(scope="module")
def vae() -> VAE:
    model = VAE(VAESpec(latent=6, hidden=(64,), encoder_channels=(2, 2, 2)))
    initialise(model, torch.Generator().manual_seed(1))
    return model.eval()


@pytest.fixture(scope="module")
def generator(vae: VAE) -> ChipGenerator:
    return ChipGenerator(vae, Chip("hzo-mfis-nor", seed=5), sampler_spec=SAMPLER)


def test_an_image_is_the_same_however_it_is_asked_for(generator: ChipGenerator) -> None:
    """Bit for bit: images are computed in aligned blocks of 64, so float sums have one order."""
    whole = generator.images(0, 150)
    assert np.array_equal(whole[:1], generator.images(0, 1))
    assert np.array_equal(whole[60:70], generator.images(60, 10))
    parts = [generator.images(k, 50) for k in (100, 0, 50)]
    assert np.array_equal(whole, np.concatenate([parts[1], parts[2], parts[0]]))


def test_threads_change_nothing_but_the_order_of_float_sums(vae: VAE, generator: ChipGenerator) -> None:
    """Noise is bit-identical. A float32 sum of 128 terms moves by at most 128 ulp, which can turn one converter code
    of a layer over: pixels move by less than 2 % of the range, and hardly any moves at all."""
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        other = ChipGenerator(vae, Chip("hzo-mfis-nor", seed=5, threads=2), sampler_spec=SAMPLER)
        again = other.images(0, 64)
    finally:
        torch.set_num_threads(threads)
    assert np.array_equal(other.draw_latents(0, 64), generator.draw_latents(0, 64))
    difference = np.abs(again - generator.images(0, 64))
    assert difference.max() < 0.02
    assert np.mean(difference > 1e-5) < 0.01


def test_chip_images_are_near_those_of_the_float_decoder(generator: ChipGenerator) -> None:
    images = generator.images(0, 64)
    ideal = generator.decode_ideally(generator.draw_latents(0, 64))
    assert images.min() >= 0.0
    assert images.max() <= 1.0
    assert float(np.sqrt(np.mean((images - ideal) ** 2))) < 0.1 * float(ideal.std() + 0.05)
    assert float(np.sqrt(np.mean((images - ideal) ** 2))) > 0.0


def test_moving_to_another_point_and_back_restores_everything(vae: VAE) -> None:
    generator = ChipGenerator(vae, Chip("hzo-mfis-nor", seed=5), sampler_spec=SAMPLER)
    before = generator.images(0, 3)
    generator.move(OperatingPoint(sample_voltage=0.8, sampling_time=1e-4))
    assert not np.array_equal(before, generator.images(0, 3))
    generator.move(OperatingPoint())
    assert np.array_equal(before, generator.images(0, 3))


def test_cell_level_images_resemble_statistical_ones(vae: VAE, generator: ChipGenerator) -> None:
    """The same latents through either level's products; latents themselves are compared in tests/unit/sampler."""
    cell = ChipGenerator(vae, Chip("hzo-mfis-nor", seed=5), sampler_spec=SAMPLER, fidelity="cell")
    images, latents = cell.images_and_latents(0, 2)
    assert not np.array_equal(latents, generator.draw_latents(0, 2))
    with torch.inference_mode():
        statistical = generator.decoder(torch.from_numpy(latents), np.arange(2)).numpy().reshape(images.shape)
    assert np.abs(images - statistical).max() < 0.1


def test_generate_reports_assumptions_counts_and_scores(vae: VAE) -> None:
    run = generate(vae, count=20, seed=5, sampler=SAMPLER, features=None)
    record = run.record
    assert any("on_conductance" in line for line in record["assumed_parameters"])
    assert any("10.1038/s41467-026-72969-6" in line for line in record["sources"])
    assert record["counts"]["products"] == 2 * 20
    assert record["counts"]["windows"] == 2 * 20
    assert set(record["scores"]) >= {"latent_mean", "latent_ks_distance"}
    assert run.images.shape == run.ideal.shape == (20, 28, 28)


def test_equal_calls_give_equal_images_and_leave_the_chip_alone(vae: VAE) -> None:
    chip = Chip("hzo-mfis-nor", seed=5)
    first, second = (generate(vae, chip, count=2, sampler=SAMPLER) for _ in range(2))
    assert np.array_equal(first.images, second.images)
    assert not chip.tiles


def test_two_models_share_a_chip_without_sharing_tiles(vae: VAE) -> None:
    chip = Chip("hzo-mfis-nor", seed=5)
    one = ChipGenerator(vae, chip, sampler_spec=SAMPLER)
    before = one.images(0, 2)
    two = ChipGenerator(vae, chip, sampler_spec=SAMPLER)
    tiles = [{n for layer in g.decoder.layers for row in layer.grid for n in row} for g in (one, two)]
    assert not tiles[0] & tiles[1]
    assert np.array_equal(one.images(0, 2), before)
    assert not np.array_equal(one.draw_latents(0, 2), two.draw_latents(0, 2))


def test_cell_level_reads_products_in_the_cycles_of_their_latents(vae: VAE, monkeypatch: pytest.MonkeyPatch) -> None:
    from ferrogen.chip.cells.products import CellProducts
    from ferrogen.chip.reader import WindowReader

    cell = ChipGenerator(vae, Chip("hzo-mfis-nor", seed=5), sampler_spec=SAMPLER, fidelity="cell")
    seen: dict[str, set[tuple[int, ...]]] = {"windows": set(), "products": set()}
    read, product = WindowReader.read, CellProducts.trap_currents

    def spied_read(self: WindowReader, first_cycle: int, cycles: int, threads: int = 1) -> np.ndarray:
        seen["windows"].add(tuple(range(first_cycle, first_cycle + cycles)))
        return read(self, first_cycle, cycles, threads)

    def spied_product(self: CellProducts, inputs: torch.Tensor, cycles: np.ndarray) -> torch.Tensor:
        seen["products"].add(tuple(cycles))
        return product(self, inputs, cycles)

    monkeypatch.setattr(WindowReader, "read", spied_read)
    monkeypatch.setattr(CellProducts, "trap_currents", spied_product)
    cell.images(0, 1)
    assert seen["windows"] == seen["products"]
    assert {cycles[0] for cycles in seen["windows"]} == {cell.sampler.first_cycle}


def test_single_images_have_no_scores(vae: VAE) -> None:
    assert generate(vae, count=1, seed=5, sampler=SAMPLER).scores == {}


@pytest.mark.parametrize("count", [0, -3, 10**9])
def test_counts_that_make_no_sense_are_refused(vae: VAE, count: int) -> None:
    with pytest.raises(ArgumentError, match="count"):
        generate(vae, count=count)


def test_too_small_a_chip_is_refused(vae: VAE) -> None:
    with pytest.raises(CapacityError, match="tiles"):
        ChipGenerator(vae, Chip("hzo-mfis-nor", spec=ChipSpec(tiles=2)))
    with pytest.raises(CapacityError, match="wider tiles"):
        ChipGenerator(vae, Chip("hzo-mfis-nor", spec=ChipSpec(columns=2)))


def test_sweep_checks_all_points_first_and_keeps_order(generator: ChipGenerator) -> None:
    from ferrogen.metrics.features import load_feature_network
    from ferrogen.metrics.reference import load_reference_moments

    network, reference = load_feature_network(), load_reference_moments()
    with pytest.raises(ValidityError, match="sample_voltage"):
        sweep(generator, [0.5, 9.0], [1e-3], reference, network, count=16)
    points = sweep(generator, [0.4, 1.2], [1e-4], reference, network, count=16)
    assert [point.sample_voltage for point in points] == [0.4, 1.2]
    assert points[0].relative_noise < 0.5 * points[1].relative_noise


def test_with_one_calibration_kept_the_voltage_tunes_the_randomness(generator: ChipGenerator) -> None:
    from ferrogen.metrics.features import load_feature_network
    from ferrogen.metrics.reference import load_reference_moments

    generator.move(OperatingPoint())
    points = sweep(generator, [0.2, 1.2], [1e-3], load_reference_moments(), load_feature_network(), count=64)
    assert points[0].kept_standard_deviation < 0.03
    assert points[1].kept_standard_deviation == pytest.approx(1.0, abs=0.15)


def test_shipped_moments_are_those_of_the_data() -> None:
    folder = Path(__file__).parents[4] / "shared" / "data" / "mnist"
    if not folder.is_dir():
        pytest.skip("MNIST is not beside the repository")
    from ferrogen.generation.datasets.idx import load_idx_folder
    from ferrogen.metrics.features import load_feature_network
    from ferrogen.metrics.frechet import feature_moments
    from ferrogen.metrics.reference import load_reference_moments

    images = load_idx_folder(folder).test_images.astype(np.float32) / 255.0
    found = feature_moments(load_feature_network().extract(images).features)
    shipped = load_reference_moments("mnist")
    assert shipped.count == len(images)
    np.testing.assert_allclose(found.mean, shipped.mean, atol=1e-4)
    np.testing.assert_allclose(found.covariance, shipped.covariance, atol=1e-3)
