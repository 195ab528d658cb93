"""A chip as the source of a module's random numbers: addresses, cycles, statistics, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.errors import ArgumentError, CapacityError
from ferrogen.generation.latent_source import ChipLatentSource, count_draws, dedicated_source
from ferrogen.mapping.convert.latents import LatentSource, ServedRandomness
from ferrogen.sampler.latents import MOST_IMAGES, LatentSampler, SamplerSpec

SPEC = SamplerSpec(calibration_reads=512)


class TwoDraws(nn.Module):
    """Draws of 7 and 25 numbers an image."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.randn(x.shape[0], 7).sum(1, keepdim=True) * torch.rand_like(x).mean()


@pytest.fixture(scope="module")
def chip() -> Chip:
    return Chip("hzo-mfis-nor", seed=4, spec=ChipSpec(rows=64, columns=40, tiles=3))


@pytest.fixture(scope="module")
def source(chip: Chip) -> ChipLatentSource:
    return dedicated_source(chip, [7, 25, 3], readings=10, spec=SPEC)


def test_it_is_a_latent_source_of_whole_cycles(source: ChipLatentSource) -> None:
    assert isinstance(source, LatentSource)
    assert source.sampler.latents == 10
    assert source.cycles_per_image == 1 + 3 + 1
    assert source.time_per_image == pytest.approx(5 * 3e-3)  # two windows of 1 ms and 1 ms of rest
    before = source.sampler.chip.usage.windows
    source.normals(np.arange(4), 1, 25)
    assert source.sampler.chip.usage.windows - before == 4 * 3 * 2


def test_numbers_are_those_of_the_samplers_cycles(source: ChipLatentSource) -> None:
    cycles = source.sampler.draw(0, 5 * 9).astype(np.float32)
    np.testing.assert_array_equal(source.normals(np.array([2, 8]), 0, 7), cycles[[10, 40], :7])
    np.testing.assert_array_equal(source.normals(np.array([8]), 1, 25)[0], cycles[41:44].ravel()[:25])
    np.testing.assert_array_equal(source.normals(np.array([1]), 2, 3)[0], cycles[9, :3])


@given(images=st.lists(st.integers(0, 60), max_size=8), call=st.integers(0, 2))
def test_an_images_numbers_depend_on_nothing_else(source: ChipLatentSource, images: list[int], call: int) -> None:
    count = source.draws[call]
    whole = source.normals(np.array(images, dtype=np.int64), call, count)
    assert whole.shape == (len(images), count)
    assert whole.dtype == np.float32
    for k, image in enumerate(images):
        np.testing.assert_array_equal(whole[k], source.normals(np.array([image]), call, count)[0])


def test_one_draw_of_a_cycle_reads_a_batch_at_once(chip: Chip, source: ChipLatentSource) -> None:
    single = ChipLatentSource(source.sampler, [10])
    np.testing.assert_array_equal(single.normals(np.arange(50), 0, 10), source.sampler.draw(0, 50).astype(np.float32))
    assert chip.tile(source.sampler.tiles[0] if source.sampler.tiles else 0).samples


def test_numbers_of_a_source_are_standard_normal_and_independent(source: ChipLatentSource) -> None:
    """Mean, variance and correlation of 25 numbers of 4000 images; the largest |z| at the level 1e-3."""
    from scipy import stats

    z = source.normals(np.arange(4000), 1, 25).astype(np.float64)
    # Calibration knows mean and deviation from 512 reads of each of the ten readings.
    assert np.abs(z.mean(axis=0)).max() < 4.4 * np.sqrt(1 / 4000 + 1 / 512)
    assert np.abs(z.var(axis=0) - 1.0).max() < 4.4 * np.sqrt(3.0 * (1 / 4000 + 1 / 512))
    seen = np.asarray(np.corrcoef(z.T))[np.triu_indices(25, 1)]
    # A reading of one image's consecutive cycles remembers some 0.01.
    assert np.abs(seen).max() < stats.norm.isf(1e-3 / 2 / seen.size) / np.sqrt(4000) + 0.02


def test_draws_are_counted_by_running_a_module_once() -> None:
    assert count_draws(TwoDraws(), torch.zeros(3, 25)) == (7, 25)
    assert count_draws(nn.Linear(2, 2), torch.zeros(1, 2)) == ()


def test_a_module_is_served_alike_in_any_batch(source: ChipLatentSource) -> None:
    module, x = TwoDraws(), torch.zeros(4, 25)
    served = ChipLatentSource(source.sampler, count_draws(module, x))
    with ServedRandomness(served, np.arange(4)):
        whole = torch.randn(4, 7)
    with ServedRandomness(served, np.arange(2, 4)):
        part = torch.randn(2, 7)
    assert torch.equal(whole[2:], part)


def test_tiles_with_weights_can_serve_too() -> None:
    chip = Chip("hzo-mfis-nor", seed=4, spec=ChipSpec(rows=64, columns=16, tiles=1))
    target = np.random.default_rng(1).uniform(chip.window.low, chip.window.high, (64, 16))
    chip.program(0, target, samples=True)
    shared = ChipLatentSource(LatentSampler(chip, OperatingPoint(), 4, SPEC, [0]), [6])
    assert shared.normals(np.arange(3), 0, 6).shape == (3, 6)


def test_either_fidelity_serves(chip: Chip) -> None:
    cell = dedicated_source(chip, [4], readings=2, spec=SPEC, fidelity="cell")
    assert cell.normals(np.array([5, 3]), 0, 4).shape == (2, 4)
    assert cell.sampler.fidelity == "cell"


def test_what_was_not_announced_is_refused(chip: Chip, source: ChipLatentSource) -> None:
    with pytest.raises(ArgumentError, match=r"`draws`.*\(7, 25, 3\) and the module asked in draw 1 for 7"):
        source.normals(np.arange(2), 1, 7)
    with pytest.raises(ArgumentError, match=r"asked in draw 3 for 7"):
        source.normals(np.arange(2), 3, 7)
    with pytest.raises(ArgumentError, match="`images`"):
        source.normals(np.array([-1]), 0, 7)
    with pytest.raises(ArgumentError, match="`images`"):
        source.normals(np.array([MOST_IMAGES // 5]), 0, 7)
    for draws in ([], [0], [3, -1]):
        with pytest.raises(ArgumentError, match="`draws`"):
            ChipLatentSource(source.sampler, draws)
    with pytest.raises(ArgumentError, match="`readings`"):
        dedicated_source(chip, [4], readings=0, spec=SPEC)
    with pytest.raises(CapacityError, match="tiles"):
        dedicated_source(chip, [400], readings=400, spec=SPEC)
